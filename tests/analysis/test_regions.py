from dataclasses import replace

import numpy as np

from paribus.analysis.regions import regions
from paribus.store.records import Artifact
from tests.analysis.conftest import steady_curves
from tests.analysis.made_outputs import RULE, classifiers


def test_stretches_cover_the_grid_and_say_its_class_and_level():
    maker, rng = classifiers(["in", "out"]), np.random.default_rng(0)
    maker.dataset = replace(maker.dataset, feature_names=("width", "height"))
    x, y = np.linspace(-1, 1, 21), np.linspace(0, 3, 31)
    predicted, confidence = rng.integers(0, 2, (31, 21)), rng.choice([0.55, 0.7, 0.9, 0.99], (31, 21))
    points = {"rows": np.array([3, 8]), "values": np.array([[0.5, 1.0], [-0.2, 2.0]]), "labels": np.array([0, 1])}
    maker.run(
        "one",
        1,
        curves=steady_curves(),
        artifacts=[
            Artifact(RULE, "regions", maker.keep(x=x, y=y, predicted=predicted, confidence=confidence)),
            Artifact("", "points/validation", maker.keep(**points)),
            Artifact(RULE, "predicted/validation", maker.keep(predicted=np.array([1, 1]))),
        ],
    )
    results = maker.results()
    found = regions(results, "one")
    assert (found.features, found.replicate, found.split) == (("width", "height"), 1, "validation")
    assert [(p.row, p.name, p.predicted) for p in found.points] == [(3, "in", "out"), (8, "out", "out")]
    painted = np.full((31, 21), -1)
    for part in found.stretches:
        inside = (part.left < x[None]) & (x[None] < part.right) & (part.low < y[:, None]) & (y[:, None] < part.high)
        assert (painted[inside] == -1).all()
        painted[inside] = 10 * ["in", "out"].index(part.name) + part.level
    levels = np.searchsorted([0.6, 0.8, 0.95], confidence)
    assert (painted == 10 * predicted + levels).all()
    assert regions(results, "two") is None
