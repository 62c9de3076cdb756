import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from paribus.analysis.class_scores import class_scores
from paribus.analysis.confusion import confusion, most_confused, recorded_confusion
from paribus.analysis.outputs import classified
from paribus.store.records import Artifact
from tests.analysis.made_outputs import RULE, add, classifiers, random_logits

CLASSES = ("ant", "bee", "crab", "dog")


@pytest.fixture
def study():
    """Two arms, three replicates each, and for each run its labels and predictions."""
    maker, rng, given = classifiers(CLASSES), np.random.default_rng(3), {}
    for arm, scale in (("one", 1.0), ("two", 2.0)):
        for replicate in range(3):
            labels = rng.choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
            logits = random_logits(rng, labels, 4, scale)
            add(maker, logits, labels=labels, arm=arm, replicate=replicate)
            given[arm, replicate] = labels, logits.argmax(1)
    return maker.results(), given


def test_counts_and_scores_are_scikit_learns(study):
    results, given = study
    for arm in ("one", "two"):
        found = confusion(classified(results, arm, "test"))
        for replicate in range(3):
            assert found.counts[replicate].tolist() == confusion_matrix(*given[arm, replicate]).tolist()
        normalised = [confusion_matrix(*given[arm, r], normalize="true") for r in range(3)]
        np.testing.assert_allclose(found.shares, np.mean(normalised, axis=0))
        scores = {(s.name, s.score): s for s in class_scores(found)}
        for replicate in range(3):
            theirs = precision_recall_fscore_support(*given[arm, replicate])
            for place, name in enumerate(CLASSES):
                for score, values in zip(("precision", "recall", "F1"), theirs[:3], strict=True):
                    assert scores[name, score].estimate.values[replicate] == pytest.approx(values[place])
        supports = [precision_recall_fscore_support(*given[arm, r])[3] for r in range(3)]
        assert [scores[name, "recall"].examples for name in CLASSES] == np.mean(supports, axis=0).tolist()


def test_sampling_error_does_not_shrink_with_replicates_of_the_same_examples():
    maker = classifiers("ab")
    labels = np.repeat([0, 1], 25)
    for replicate in range(3):
        add(maker, np.eye(2, dtype=np.float16)[labels], labels=labels, replicate=replicate)
    recall = class_scores(confusion(classified(maker.results(), "one", "test")))[0]
    assert (recall.estimate.mean, recall.estimate.sd) == (1, 0)
    assert recall.examples == 25
    assert recall.sampling.low == pytest.approx(0.8668, abs=1e-4)  # of 25 of 25, not of 75 of 75


def test_a_class_that_is_absent_or_never_predicted_has_no_share():
    maker = classifiers("abc", replicates=1)
    add(maker, np.array([[1, 0, 0], [1, 0, 0]], np.float16), labels=[0, 1])
    matrix = confusion(classified(maker.results(), "one", "test"))
    assert np.isnan(matrix.shares[2]).all()
    scores = {(s.name, s.score): s for s in class_scores(matrix)}
    assert scores["c", "recall"].estimate.mean is None
    assert scores["b", "precision"].estimate.mean is None
    assert scores["b", "recall"].estimate.mean == 0
    assert scores["c", "F1"].sampling is None


def test_the_most_confused_pairs_come_first_with_counts_and_spread(study):
    results, given = study
    matrices = [confusion(classified(results, arm, "test")) for arm in ("one", "two")]
    found = most_confused(matrices, 3)
    total = sum(confusion_matrix(*given[key]) for key in given)
    np.fill_diagonal(total, 0)
    true, predicted = np.unravel_index(total.argmax(), total.shape)
    assert [(pair.true, pair.predicted) for pair in found[0]] == [(CLASSES[true], CLASSES[predicted])] * 2
    assert [pair.arm for pair in found[0]] == ["one", "two"]
    counts = [confusion_matrix(*given["one", r])[true, predicted] for r in range(3)]
    assert found[0][0].count.values == tuple(counts)
    assert found[0][0].count.sd == pytest.approx(np.std(counts, ddof=1))
    sums = [sum(pair.count.mean for pair in pairs) for pairs in found]
    assert sums == sorted(sums, reverse=True)
    assert len(most_confused(matrices, 100)) == (total > 0).sum()
    assert most_confused([], 3) == ()


def test_recorded_counts_stand_in_where_outputs_were_not_kept():
    maker = classifiers("ab")
    counts = np.array([[7, 3], [1, 9]])
    maker.run(
        "one", 2, curves={"val_accuracy": [1.0]}, artifacts=[Artifact(RULE, "confusion", maker.keep(counts=counts))]
    )
    results = maker.results()
    found = recorded_confusion(results, "one")
    assert (found.counts.tolist(), found.replicates, found.split) == ([counts.tolist()], (2,), "test")
    assert recorded_confusion(results, "two") is None
