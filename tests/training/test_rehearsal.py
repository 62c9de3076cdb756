from __future__ import annotations

import torch

from paribus.training import rehearsal
from tests.training.conftest import member, recipe


def test_no_cohort_is_timed_before_all_are_there(monkeypatch):
    told = []
    make, time = rehearsal._cohort, rehearsal._timed

    def making(runs, device):
        cohort = make(runs, device)
        told.append("made")
        return cohort

    def timing(cohort):
        told.append("timed")
        return time(cohort)

    monkeypatch.setattr(rehearsal, "_cohort", making)
    monkeypatch.setattr(rehearsal, "_timed", timing)
    one = member(recipe())
    runs = [(one.recipe, one.seed, one.replicate, one.splits)]
    seconds = rehearsal.seconds_per_epoch(runs, images_measured=150, company=3, device=torch.device("cpu"))
    assert seconds > 0
    assert told == ["made"] * 3 + ["timed"] * 3
