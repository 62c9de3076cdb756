"""Wrong labels, made on purpose: what each kind promises of their number and of what they become."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats

from paribus.data.label_noise import noisy_labels
from paribus.data.pool import Pool, whole
from paribus.seeding import Streams
from paribus.spec.label_noise import LabelNoise

COUNT, CLASSES = 10_000, 5
LABELS = np.arange(COUNT) % CLASSES
UNLIKELY = 1e-3
MATRIX = [[0.6, 0.4, 0, 0, 0], [0, 1, 0, 0, 0], [0.1, 0.2, 0.7, 0, 0], [0, 0, 0, 0.5, 0.5], [0.2, 0.2, 0.2, 0.2, 0.2]]
KINDS = {
    "symmetric": {"share": 0.3},
    "pair": {"kind": "pair", "share": 0.3},
    "matrix": {"kind": "matrix", "matrix": MATRIX},
    "instance": {"kind": "instance", "share": 0.3},
}


def split(values=None, labels=LABELS):
    random = np.random.default_rng(0)
    values = random.normal(size=(len(labels), 6)).astype(np.float32) if values is None else values
    return whole(Pool("made", values, 1.0, labels, values.shape[1:], "made"))


def noisy(noise, replicate=0, of=None, train=None):
    stream, of = Streams.of_replicate(0, replicate).label_noise, of or split()
    own = TypeAdapter(LabelNoise).validate_python(noise)
    return noisy_labels(of, own, classes=CLASSES, stream=stream, train=train or of)


@pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS)
def test_equal_seeds_change_equally_replicates_differ_and_the_input_stays(noise):
    of = split()
    found = noisy(noise, of=of)
    np.testing.assert_array_equal(found, noisy(noise))
    assert (found != noisy(noise, 1)).any()
    np.testing.assert_array_equal(of.labels, LABELS)
    assert found.dtype == np.int64
    assert set(np.unique(found)) == set(range(CLASSES))


@pytest.mark.parametrize(
    "noise", [KINDS["symmetric"], KINDS["pair"], KINDS["matrix"]], ids=lambda noise: str(noise)[:20]
)
def test_labels_become_others_with_the_stated_probabilities(noise):
    """By a chi-squared test of each true class; symmetric and pair noise also change a fixed number of labels."""
    found = noisy(noise)
    stated = np.array(TypeAdapter(LabelNoise).validate_python(noise).transitions(CLASSES))
    for true, row in enumerate(stated):
        counts = np.bincount(found[true == LABELS], minlength=CLASSES)
        assert not counts[row == 0].any()
        if (row > 0).sum() > 1:
            assert stats.chisquare(counts[row > 0], row[row > 0] * counts.sum()).pvalue > UNLIKELY
    if noise == KINDS["pair"]:
        assert (found != LABELS).sum() == 3000


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_a_larger_share_changes_the_same_labels_and_more(kind):
    less, more = noisy({"kind": kind, "share": 0.2}), noisy({"kind": kind, "share": 0.4})
    changed = less != LABELS
    np.testing.assert_array_equal(less[changed], more[changed])
    assert (more != LABELS).sum() > changed.sum()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_instance_noise_is_wrong_for_about_its_share(share):
    """Its probabilities are normal around the share and within 0 and 1: SciPy knows their mean."""
    found = noisy({"kind": "instance", "share": share})
    mean = stats.truncnorm(-share / 0.1, (1 - share) / 0.1, loc=share, scale=0.1).mean()
    assert stats.binomtest(int((found != LABELS).sum()), COUNT, mean).pvalue > UNLIKELY


def test_instance_noise_depends_on_the_example():
    """Two kinds of examples of each class: each becomes other classes than the other does, and unevenly."""
    values = np.repeat([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]], COUNT // 2, axis=0).astype(np.float32)
    found = noisy(KINDS["instance"], of=split(values))
    kinds = values[:, 0] == 1
    for true in range(CLASSES):
        own = [
            np.bincount(found[(true == LABELS) & of & (found != LABELS)], minlength=CLASSES) for of in (kinds, ~kinds)
        ]
        assert stats.chi2_contingency(np.delete(own, true, axis=1) + 1).pvalue < UNLIKELY


def test_instance_noise_is_the_same_for_features_on_another_scale():
    values = np.random.default_rng(1).integers(0, 9, (COUNT, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        noisy(KINDS["instance"], of=split(values)), noisy(KINDS["instance"], of=split(values * 64 - 128))
    )


def test_no_label_depends_on_the_order_of_a_sum(monkeypatch):
    """Features and weights are rounded so that sums are exact: features backwards, with their weights, change none."""
    from paribus.data import label_noise

    values = np.random.default_rng(2).normal(size=(COUNT, 700)).astype(np.float32)
    found = noisy(KINDS["instance"], of=split(values))
    own = label_noise.Draws.normal
    monkeypatch.setattr(
        label_noise.Draws,
        "normal",
        lambda draws, *shape: own(draws, *shape)[::-1].copy() if len(shape) == 2 else own(draws, *shape),
    )
    np.testing.assert_array_equal(found, noisy(KINDS["instance"], of=split(values[:, ::-1].copy())))


@pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS)
def test_examples_that_are_not_trained_on_have_wrong_labels_of_their_own(noise):
    of = split()
    trained, others = noisy(noise, of=of), noisy(noise, of=split(), train=of)
    assert (trained != others).any()
    assert abs((trained != LABELS).mean() - (others != LABELS).mean()) < 0.03
    if noise == KINDS["instance"]:  # by the same weights, so that what an example becomes is likely the same
        both = (trained != LABELS) & (others != LABELS)
        assert (trained == others)[both].mean() > 2 * 1 / (CLASSES - 1)
