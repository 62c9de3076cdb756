"""How well wrong labels are found, beside cleanlab on the same data: benchmarks/audit.json, and docs/audit.md's tables.

    python -m benchmarks.audit [--only WORDS] [--tables]

Each case is a data set with labels that were made wrong, so that it is known which ones are, or one as it is, on which
every label that is listed counts as a false alarm. A tool is given X and y and gives a ranking and a list; its time is
that from the arrays to these. Cases that are in the JSON file already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks import machine

JSON: Final = machine.ROOT / "benchmarks" / "audit.json"
PAGE: Final = machine.ROOT / "docs" / "audit.md"
MARK: Final = "<!-- from here on written by benchmarks.audit -->"
RECALLS: Final = (0.5, 0.8, 0.9)
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A data set, the kind and the rate of the errors made in it, and its name."""

    data: str
    kind: str
    rate: float


@dataclass(frozen=True, eq=False)
class Answer:
    """A tool's ranking (example,), higher for more suspicious, and whether each example is on its list."""

    ranking: Array
    listed: Array
    training_s: float | None = None
    estimated_rate: float | None = None


@dataclass(frozen=True)
class Line:
    """What one tool made of one case. Precision at each of `RECALLS` is by name."""

    data: str
    examples: int
    kind: str
    rate: float
    wrong: float
    tool: str
    seconds: float
    training_s: float | None
    average_precision: float | None
    precision_at_recall: dict[str, float]
    listed: int
    list_precision: float | None
    list_recall: float | None
    estimated_rate: float | None


# Data


def fashion() -> tuple[Array, Array]:
    from paribus.data.fashion_mnist import pool

    found = pool("t10k")
    return np.asarray(found.values).reshape(-1, 28, 28), np.asarray(found.labels)


def digits() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data / 16, found.target.astype(np.int64)


def separate() -> tuple[Array, Array]:
    """Five classes of normal vectors that hardly overlap: embeddings without any error."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 5, 4_000)
    return (random.normal(size=(4_000, 32)) + 1.2 * np.eye(5, 32)[labels] * 4).astype(np.float32), labels


def overlapping() -> tuple[Array, Array]:
    """Three classes that overlap: many examples are ambiguous, and none is wrong, as each is drawn from its class."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 4_000)
    return (random.normal(size=(4_000, 8)) + 2.0 * np.eye(3, 8)[labels]).astype(np.float32), labels


DATA: Final[dict[str, Callable[[], tuple[Array, Array]]]] = {
    "fashion-mnist": fashion,
    "digits": digits,
    "separate": separate,
    "overlapping": overlapping,
}


def with_errors(inputs: Array, labels: Array, kind: str, rate: float) -> Array:
    """`labels` with errors of the share `rate`, on average.

    symmetric: another class, each as often. pair: the next class. instance: another class by a random linear function
    of the example, each example with a rate of its own (Xia et al., "Part-dependent label noise", 2020).
    """
    random, classes = np.random.default_rng(7), int(labels.max()) + 1
    if kind == "none":
        return labels
    if kind == "instance":
        return _instance(inputs.reshape(len(inputs), -1).astype(np.float32), labels, rate, random)
    wrong = random.random(len(labels)) < rate
    step = random.integers(1, classes, len(labels)) if kind == "symmetric" else 1
    return np.where(wrong, (labels + step) % classes, labels)


def _instance(inputs: Array, labels: Array, rate: float, random: np.random.Generator) -> Array:
    classes = int(labels.max()) + 1
    inputs = inputs / max(1.0, float(np.abs(inputs).max()))
    rates = np.clip(random.normal(rate, 0.1, len(labels)), 0, 1)
    weights = random.normal(size=(classes, inputs.shape[1], classes)).astype(np.float32)
    found = labels.copy()
    for i, (example, label) in enumerate(zip(inputs, labels, strict=True)):
        logits = (example @ weights[label]).astype(np.float64)
        logits[label] = -np.inf
        powers = np.exp(logits - logits.max())
        shares = rates[i] * powers / powers.sum()
        shares[label] = 1 - rates[i]
        found[i] = random.choice(classes, p=shares / shares.sum())
    return found


# Tools


def by_paribus(inputs: Array, labels: Array) -> Answer:
    import paribus
    from paribus.store.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        audit = paribus.audit(paribus.source("bench", X=inputs, y=labels), workspace=folder, progress=False)
        with Workspace.open(Path(folder)) as workspace:
            usage = workspace.usage([run.id for *_, run in workspace.runs_of(audit.found.study_id)])
    trained = sum(used.wall_s for used in usage)
    found = audit.found
    return Answer(found.suspicion, np.nan_to_num(found.probabilities) >= 0.5, trained, found.noise.rate)


def by_cleanlab_network(inputs: Array, labels: Array) -> Answer:
    """cleanlab with scikit-learn's multilayer perceptron, of as many hidden units, five folds."""
    from sklearn.neural_network import MLPClassifier

    return _cleanlab(MLPClassifier((128,), early_stopping=True, max_iter=30, random_state=0), inputs, labels)


def by_cleanlab_logistic(inputs: Array, labels: Array) -> Answer:
    """cleanlab with scikit-learn's logistic regression, five folds: the first example of its documentation."""
    from sklearn.linear_model import LogisticRegression

    return _cleanlab(LogisticRegression(max_iter=200), inputs, labels)


def _cleanlab(model: Any, inputs: Array, labels: Array) -> Answer:
    import cleanlab
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    scaled = inputs.ndim == 3
    pipeline = make_pipeline(model) if scaled else make_pipeline(StandardScaler(), model)
    started = time.perf_counter()
    outside = cross_val_predict(
        pipeline, flat / 255 if scaled and inputs.dtype == np.uint8 else flat, labels, cv=5, method="predict_proba"
    )
    trained = time.perf_counter() - started
    quality = cleanlab.rank.get_label_quality_scores(labels, outside)
    listed = cleanlab.filter.find_label_issues(labels, outside, n_jobs=1)
    joint = cleanlab.count.estimate_joint(labels, outside)
    return Answer(-quality, listed, trained, float(1 - np.trace(joint)))


TOOLS: Final[dict[str, Callable[[Array, Array], Answer]]] = {
    "paribus": by_paribus,
    "cleanlab, network": by_cleanlab_network,
    "cleanlab, logistic": by_cleanlab_logistic,
}


# Measuring


def cases() -> Iterator[Case]:
    yield Case("fashion-mnist", "symmetric", 0.3)
    for data in ("fashion-mnist", "digits", "separate", "overlapping"):
        yield Case(data, "none", 0.0)
    for kind in ("symmetric", "pair", "instance"):
        for rate in (0.05, 0.1, 0.2, 0.3, 0.45):
            if (kind, rate) != ("symmetric", 0.3):
                yield Case("fashion-mnist", kind, rate)
    for kind in ("symmetric", "pair"):
        yield Case("digits", kind, 0.1)


def tools_of(case: Case) -> list[str]:
    """Logistic regression is left out of the larger cases but two: it takes longest, and finds least."""
    few = case.data != "fashion-mnist" or (case.kind, case.rate) in (("symmetric", 0.3), ("none", 0.0))
    return [name for name in TOOLS if few or name != "cleanlab, logistic"]


def measured(case: Case, tool: str) -> Line:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    inputs, right = DATA[case.data]()
    labels = with_errors(inputs, right, case.kind, case.rate)
    wrong = labels != right
    started = time.perf_counter()
    answer = TOOLS[tool](inputs, labels)
    seconds = time.perf_counter() - started
    average, at_recall = None, dict[str, float]()
    if wrong.any():
        average = float(average_precision_score(wrong, answer.ranking))
        precision, recall, _ = precision_recall_curve(wrong, answer.ranking)
        at_recall = {f"{level:g}": float(precision[recall >= level].max()) for level in RECALLS}
    listed = answer.listed
    return Line(
        data=case.data,
        examples=len(labels),
        kind=case.kind,
        rate=case.rate,
        wrong=float(wrong.mean()),
        tool=tool,
        seconds=round(seconds, 2),
        training_s=None if answer.training_s is None else round(answer.training_s, 2),
        average_precision=average,
        precision_at_recall=at_recall,
        listed=int(listed.sum()),
        list_precision=float(wrong[listed].mean()) if wrong.any() and listed.any() else None,
        list_recall=float(listed[wrong].mean()) if wrong.any() else None,
        estimated_rate=answer.estimated_rate,
    )


# The page


def _shown(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


_HEADINGS: Final = (
    "data", "errors", "wrong", "tool", "seconds", "of these training", "average precision", "precision at recall 0.5",
    "0.8", "0.9", "listed", "of these wrong", "of all wrong", "estimated rate",
)  # fmt: skip


def page(lines: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """The tables as Markdown: errors that were made, then data as they are."""
    made = [line for line in lines if line["kind"] != "none"]
    clean = [line for line in lines if line["kind"] == "none"]
    words = ", ".join(f"{name} {version}" for name, version in sorted(about["versions"].items()))
    where = f"Measured on {about['processor']}, {about['cores']} cores; {words}."
    text = [
        f"{where} Other programs ran at the same time, so times are upper bounds.",
        "",
        "### Errors that were made",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for line in made:
        at = line["precision_at_recall"]
        numbers = [_shown(at.get(f"{level:g}")) for level in RECALLS]
        text.append(
            f"| {line['data']}, {line['examples']:,} | {line['kind']} {100 * line['rate']:g} % "
            f"| {100 * line['wrong']:.1f} % | {line['tool']} | {line['seconds']:.1f} | {_shown(line['training_s'], 1)} "
            f"| {_shown(line['average_precision'])} | {' | '.join(numbers)} | {line['listed']:,} "
            f"| {_shown(line['list_precision'], 2)} | {_shown(line['list_recall'], 2)} "
            f"| {_shown(line['estimated_rate'])} |"
        )
    text += [
        "",
        "### Data as they are",
        "",
        "`separate` and `overlapping` have no wrong label by construction; each listed label there is a false alarm.",
        "",
        "| data | tool | seconds | listed | share | estimated rate |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for line in clean:
        share = 100 * line["listed"] / line["examples"]
        text.append(
            f"| {line['data']}, {line['examples']:,} | {line['tool']} | {line['seconds']:.1f} | {line['listed']:,} "
            f"| {share:.2f} % | {_shown(line['estimated_rate'], 4)} |"
        )
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases with these words in `data kind rate tool`")
    parser.add_argument("--tables", action="store_true", help="only write the page again")
    options = parser.parse_args()
    content: dict[str, Any] = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {"lines": []}
    known = {(line["data"], line["kind"], line["rate"], line["tool"]) for line in content["lines"]}
    content["machine"] = _about()
    for case in () if options.tables else cases():
        for tool in tools_of(case):
            words = f"{case.data} {case.kind} {case.rate:g} {tool}"
            if (case.data, case.kind, case.rate, tool) in known or options.only not in words:
                continue
            line = measured(case, tool)
            print(words, json.dumps(asdict(line)), flush=True)
            content["lines"].append(asdict(line))
            JSON.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    head = PAGE.read_text(encoding="utf-8").partition(MARK)[0] if PAGE.exists() else ""
    PAGE.write_text(f"{head}{MARK}\n\n{page(content['lines'], content['machine'])}", encoding="utf-8")


def _about() -> dict[str, Any]:
    from importlib.metadata import version

    from paribus import __version__
    from paribus.execution.environment import environment

    return {
        "processor": environment()["processor"],
        "cores": machine.cores(),
        "versions": {"paribus": __version__, **{name: version(name) for name in ("cleanlab", "scikit-learn")}},
    }


if __name__ == "__main__":
    main()
