"""What `paribus run` says at its end is what the page says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.analysis import verdicts
from paribus.analysis.verdicts import claim_outcomes
from paribus.analysis.wording import MAX_MORE, more_replicates
from paribus.cli.closing import print_closing
from paribus.spec import builtin
from tests.report.conftest import Maker


@pytest.mark.parametrize("more", [1, 9, MAX_MORE, MAX_MORE + 1])
def test_the_number_of_needed_replicates_is_said_as_on_the_page(more, monkeypatch, capsys) -> None:
    results = Maker(builtin.text("selection")).results()
    case = claim_outcomes(results)[0]
    judgement = replace(case.judgement, verdict="INCONCLUSIVE", needed=case.contrast.n + more)
    monkeypatch.setattr(verdicts, "claim_outcomes", lambda _: (replace(case, judgement=judgement),))
    print_closing(results)
    assert more_replicates(more) in " ".join(capsys.readouterr().err.split())
