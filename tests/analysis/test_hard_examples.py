import numpy as np
import pytest

from paribus.analysis.hard_examples import agreement, hard_examples
from paribus.analysis.outputs import classified
from paribus.store.records import Artifact
from tests.analysis.made_outputs import RULE, add, classifiers

RIGHT, WRONG, VERY_WRONG = [2, 0], [0, 1], [0, 9]
"""Logits for examples of class 0."""


def outputs(*logits):
    return np.array(logits, np.float16)


def test_wrong_in_every_replicate_is_told_from_wrong_in_some():
    maker = classifiers(["cat", "dog"])
    by_replicate = ([RIGHT, WRONG, VERY_WRONG, RIGHT], [RIGHT, RIGHT, WRONG, RIGHT], [RIGHT, WRONG, WRONG, WRONG])
    for replicate, logits in enumerate(by_replicate):
        add(maker, outputs(*logits), labels=[0] * 4, rows=[10, 20, 30, 40], replicate=replicate)
    results = maker.results()
    found = classified(results, "one", "test")
    counted = agreement(found)
    assert (counted.compared, counted.none, counted.some, counted.every) == (4, 1, 2, 1)
    hardest = hard_examples(results, found)
    assert [one.row for one in hardest] == [30, 20, 40]  # the one that is always right is not among them
    first = hardest[0]
    assert (first.label, first.predicted, first.wrong, first.held_out, first.in_every) == ("cat", "dog", 3, 3, True)
    losses = [np.logaddexp(*logits[2]) - logits[2][0] for logits in by_replicate]
    assert first.loss == pytest.approx(np.mean(losses))
    assert first.own_probability + first.predicted_probability == pytest.approx(1)
    assert not hardest[1].in_every


def test_replicates_that_hold_out_other_examples_are_compared_where_they_meet():
    maker = classifiers(["cat", "dog"])
    add(maker, outputs(WRONG, WRONG, RIGHT), labels=[0, 0, 0], rows=[1, 2, 3], replicate=0, split="validation")
    add(maker, outputs(WRONG, RIGHT, WRONG), labels=[0, 0, 0], rows=[2, 3, 4], replicate=1, split="validation")
    found = classified(maker.results(), "one", "validation")
    counted = agreement(found)
    assert (counted.compared, counted.none, counted.some, counted.every) == (2, 1, 0, 1)
    assert {one.row: one.held_out for one in hard_examples(maker.results(), found)} == {1: 1, 2: 2, 4: 1}


def test_folds_are_never_compared():
    maker = classifiers(["cat", "dog"])
    for replicate in range(3):
        add(maker, outputs(WRONG), labels=[0], rows=[replicate], replicate=replicate)
    assert agreement(classified(maker.results(), "one", "test")) is None


def test_recorded_examples_come_with_their_features():
    maker = classifiers(["cat", "dog"], replicates=1)
    hardest = {
        "rows": np.array([7, 5]),
        "values": np.array([[51, 255], [0, 102]], np.uint8),
        "divisor": np.array(255.0),
    }
    kept = Artifact(RULE, "hardest/test", maker.keep(**hardest))
    add(maker, outputs(WRONG, WRONG, VERY_WRONG), labels=[0] * 3, rows=[5, 6, 7], more=[kept])
    results = maker.results()
    found = hard_examples(results, classified(results, "one", "test"))
    assert [one.row for one in found] == [7, 5]  # row 6 was not recorded
    assert found[0].values == pytest.approx([0.2, 1.0])
    assert found[1].values == pytest.approx([0.0, 0.4])


def test_the_class_named_is_the_one_that_it_is_put_into_most_often():
    maker = classifiers("abc")
    for replicate, logits in enumerate(([0, 1, 0], [0, 0, 1], [0, 0, 1])):
        add(maker, outputs(logits), labels=[0], replicate=replicate)
    results = maker.results()
    (one,) = hard_examples(results, classified(results, "one", "test"))
    assert one.predicted == "c"
