"""paribus: controlled training studies of small neural networks, all else equal.

From Python, as from the command line and with the same identities:

    study = paribus.study("widths", "Does a wider layer do better?", data=..., network=..., arms=..., ...)
    data = {"source": paribus.source("mine", frame), "target": "y", ...}      # arrays and data frames as data
    study = paribus.load("widths.toml")         # or a built-in study, by its name
    results = paribus.run(study)                # what is recorded is not trained again
    results = paribus.results("widths")         # what a workspace holds, without training
    results.table(), results.curves(), results.outputs("wide"), results.contrasts(), results.verdicts()
    results.findings(), results.figures(), results.report("report")
    paribus.workspace().names, paribus.workspace().export("widths", "widths.zip", format="archive")
    paribus.compare({"old": [0.80, 0.81], "new": [0.83, 0.84]})     # anyone's scores
    paribus.audit("patients.csv", target="diagnosis").table()                 # labels that are probably wrong
    paribus.search(study).winner, paribus.lr_range(study).suggested           # settings, by stated rules
    paribus.evaluate("net.pt", network="mlp:784-32-10", data="fashion-mnist:test").measured

Each name is imported when it is first used, so `import paribus` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus.api.auditing import audit
    from paribus.api.building import draft, load, study
    from paribus.api.comparing import compare
    from paribus.api.evaluating import Evaluation, evaluate
    from paribus.api.explaining import explain
    from paribus.api.handing_in import source
    from paribus.api.planning import plan
    from paribus.api.rate_ranges import lr_range
    from paribus.api.results import Results, results
    from paribus.api.reviewing import review
    from paribus.api.running import run
    from paribus.api.searching import search
    from paribus.api.workspaces import merge, unpack, workspace
    from paribus.errors import UserError
    from paribus.spec.study import Study

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Results",
    "Study",
    "UserError",
    "__version__",
    "audit",
    "compare",
    "draft",
    "evaluate",
    "explain",
    "load",
    "lr_range",
    "merge",
    "plan",
    "results",
    "review",
    "run",
    "search",
    "source",
    "study",
    "unpack",
    "workspace",
]

_FROM = {
    "Evaluation": "paribus.api.evaluating",
    "Results": "paribus.api.results",
    "Study": "paribus.spec.study",
    "UserError": "paribus.errors",
    "audit": "paribus.api.auditing",
    "compare": "paribus.api.comparing",
    "draft": "paribus.api.building",
    "evaluate": "paribus.api.evaluating",
    "explain": "paribus.api.explaining",
    "load": "paribus.api.building",
    "lr_range": "paribus.api.rate_ranges",
    "merge": "paribus.api.workspaces",
    "plan": "paribus.api.planning",
    "results": "paribus.api.results",
    "review": "paribus.api.reviewing",
    "run": "paribus.api.running",
    "search": "paribus.api.searching",
    "source": "paribus.api.handing_in",
    "study": "paribus.api.building",
    "unpack": "paribus.api.workspaces",
    "workspace": "paribus.api.workspaces",
}


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_FROM[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
