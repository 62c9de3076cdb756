"""Splits of undivided data keep what scikit-learn's splitters promise, and every replicate has the same test set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedKFold, StratifiedShuffleSplit

from paribus.data.splitting import assigned, groups_of, is_missing, times_of
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.split import Split


def assign(examples, replicate=0, seed=0, labels=None, values=None, classes=(), **split):
    streams = Streams.of_replicate(seed, replicate)
    return assigned(Split.model_validate(split), examples, labels, values, streams, classes)


def assert_partition(found, examples):
    together = np.concatenate([found.train, found.validation, found.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(examples))
    for rows in (found.train, found.validation, found.test):
        np.testing.assert_array_equal(rows, np.sort(rows))
    assert len(found.train)


SHARES = st.tuples(st.sampled_from([0.1, 0.2, 0.25, 0.3]), st.sampled_from([0.1, 0.15, 0.2, 0.33]))


# Random


@given(examples=st.integers(10, 300), shares=SHARES, replicate=st.integers(0, 5))
def test_a_random_split_has_the_shares_of_all_examples(examples, shares, replicate):
    found = assign(examples, replicate, by="random", validation=shares[0], test=shares[1])
    assert_partition(found, examples)
    assert abs(len(found.validation) - shares[0] * examples) <= 0.5 + 1e-9
    assert abs(len(found.test) - shares[1] * examples) <= 0.5 + 1e-9


@pytest.mark.parametrize("by", ["random", "stratified", "group"])
def test_replicates_draw_validation_anew_and_have_one_test_set(by):
    fields = {"by": by, "validation": 0.2, "test": 0.2, "labels": np.arange(100) % 3}
    if by == "group":
        fields |= {"column": "who", "values": np.arange(100) // 4}
    found = [assign(100, replicate, **fields) for replicate in range(20)]
    for one in found:
        assert_partition(one, 100)
        np.testing.assert_array_equal(one.test, found[0].test)
    assert len({tuple(one.validation) for one in found}) == 20
    validated = np.concatenate([one.validation for one in found])
    assert not np.isin(validated, found[0].test).any()
    assert len(np.unique(validated)) > 70  # of 80: each example gets its turn
    np.testing.assert_array_equal(assign(100, 3, **fields).validation, found[3].validation)
    assert tuple(assign(100, seed=1, **fields).test) != tuple(found[0].test)


def test_a_larger_random_test_set_has_the_smaller_one_in_it():
    less, more = (assign(100, by="random", test=share) for share in (0.1, 0.3))
    assert set(less.test) < set(more.test)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_shares_are_exact_decimals(share):
    assert len(assign(1000, by="random", test=share).test) == round(1000 * share)
    assert len(assign(5, by="random", test=0.1).test) == 1  # a half is rounded up


@pytest.mark.parametrize(
    ("examples", "split", "place"),
    [
        (4, {"validation": 0.1}, "validation"),
        (4, {"test": 0.1}, "test"),
        (3, {"validation": 0.45, "test": 0.5}, "validation"),
        (1, {"test": 0.5}, "test"),
        (0, {"test": 0.5}, "test"),
    ],
)
@pytest.mark.parametrize("by", ["random", "stratified"])
def test_shares_that_leave_a_split_empty_are_refused(by, examples, split, place):
    with pytest.raises(UserError) as caught:
        assign(examples, by=by, labels=np.zeros(examples, np.int64), **split)
    assert caught.value.place == f"data.split.{place}"


# Stratified


@given(
    counts=st.lists(st.integers(3, 60), min_size=1, max_size=6),
    shares=SHARES,
    replicate=st.integers(0, 3),
    seed=st.integers(0, 3),
)
def test_every_class_gives_its_share_within_one(counts, shares, replicate, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    try:
        found = assign(len(labels), replicate, seed, labels=labels, by="stratified",
                       validation=shares[0], test=shares[1])  # fmt: skip
    except UserError:  # a split of no example
        assert min(shares) * len(labels) < 0.5
        return
    assert_partition(found, len(labels))
    for rows in (found.validation, found.test):
        expected = np.array(counts) * len(rows) / len(labels)
        got = np.bincount(labels[rows], minlength=len(counts))
        roomy = np.array(counts) > 8  # a small class must leave an example for each split
        assert (np.abs(got - expected)[roomy] < 1.5).all()
    assert (np.bincount(labels[found.train], minlength=len(counts)) > 0).all()


def test_stratified_counts_are_scikit_learns():
    labels = np.repeat([0, 1, 2], [500, 93, 47])
    found = assign(len(labels), labels=labels, by="stratified", test=0.2)
    _, theirs = next(StratifiedShuffleSplit(1, test_size=0.2, random_state=0).split(labels, labels))
    np.testing.assert_array_equal(np.bincount(labels[found.test]), np.bincount(labels[theirs]))


@pytest.mark.parametrize(
    ("labels", "split", "words"),
    [
        ([0, 0, 0, 0, 0, 1], {"by": "stratified", "test": 0.3}, "class b has 1 example"),
        ([0, 0, 0, 0, 1, 1], {"by": "stratified", "test": 0.2, "validation": 0.2}, "class b has 2 examples"),
        ([0, 0, 0, 0, 0, 1], {"by": "folds", "folds": 3}, "class b has 1 example"),
    ],
)
def test_a_class_that_is_too_small_to_be_stratified_is_refused(labels, split, words):
    with pytest.raises(UserError, match=words):
        assign(6, labels=np.array(labels), classes=("a", "b"), **split)


def test_stratified_needs_classes():
    with pytest.raises(UserError, match="these data have none"):
        assign(10, by="stratified", test=0.2)


# Groups


@given(sizes=st.lists(st.integers(1, 20), min_size=3, max_size=15), shares=SHARES, replicate=st.integers(0, 3))
def test_a_group_is_never_in_two_splits(sizes, shares, replicate):
    who = np.random.default_rng(1).permutation(np.repeat([f"p{i}" for i in range(len(sizes))], sizes))
    try:
        found = assign(len(who), replicate, values=who, by="group", column="who",
                       validation=shares[0], test=shares[1])  # fmt: skip
    except UserError:
        assert min(shares) * len(who) < 0.5
        return
    assert_partition(found, len(who))
    parts = [set(who[rows]) for rows in (found.train, found.validation, found.test)]
    assert all(parts)
    assert sum(map(len, parts)) == len(sizes)


def test_groups_have_nearly_the_share_of_examples():
    who = np.repeat(np.arange(100), 5)
    found = assign(500, values=who, by="group", column="who", validation=0.2, test=0.3)
    assert (len(found.validation), len(found.test)) == (100, 150)


@pytest.mark.parametrize(
    "values",
    [np.array(["a"] * 10), np.array(["a", "b"] * 5), np.array(["a", "b", ""] * 4)[:10],
     np.array([1.0, 2.0, np.nan, 4.0, 5.0] * 2), np.array(["a", None, "c", "d", "e"] * 2, object)],
)  # fmt: skip
def test_too_few_groups_and_missing_groups_are_refused(values):
    with pytest.raises(UserError) as caught:
        assign(10, values=values, by="group", column="who", validation=0.2, test=0.2)
    assert caught.value.place == "data.split.column"
    assert "who" in str(caught.value)


# Time


@given(
    times=st.lists(st.integers(0, 40), min_size=10, max_size=80),
    shares=SHARES,
    replicate=st.integers(0, 3),
)
def test_time_runs_from_training_to_test(times, shares, replicate):
    values = np.array(times)
    try:
        found = assign(len(times), replicate, values=values, by="time", column="when",
                       validation=shares[0], test=shares[1])  # fmt: skip
    except UserError:
        assert len(set(times)) < 3
        return
    assert_partition(found, len(times))
    assert values[found.train].max() < values[found.validation].min()
    assert values[found.validation].max() < values[found.test].min()


def test_different_times_give_the_exact_shares():
    values = np.random.default_rng(0).permutation(100)
    found = assign(100, values=values, by="time", column="when", validation=0.2, test=0.1)
    np.testing.assert_array_equal(np.sort(values[found.test]), np.arange(90, 100))
    np.testing.assert_array_equal(np.sort(values[found.validation]), np.arange(70, 90))


def test_equal_times_stay_together():
    values = np.repeat([1, 2, 3], [10, 9, 2])
    found = assign(21, values=values, by="time", column="when", test=0.3)
    np.testing.assert_array_equal(np.unique(values[found.test]), [3])  # 2 is nearer to 6 than 11 is
    with pytest.raises(UserError, match="different times"):
        assign(10, values=np.ones(10), by="time", column="when", test=0.3)


@pytest.mark.parametrize(
    "values",
    [["2024-03-01", "2023-12-31", "2024-02-29"], ["2024-03-01T10:00", "2024-03-01T09:59", "2024-03-01T09:59:30"],
     ["2024-03-01T10:00+00:00", "2024-03-01T10:30+01:00", "2024-03-01T09:45Z"], ["10", "-3", "2.5"], ["1e3", "7", "8"]],
)  # fmt: skip
def test_times_may_be_dates_or_numbers_as_text(values):
    found = times_of(Split(by="time", column="when", test=0.1), np.array(values))
    np.testing.assert_array_equal(np.argsort(found), [1, 2, 0])


def test_dates_are_read_as_numpy_reads_them():
    texts = ["1969-12-31T23:00", "2024-02-29", "2026-11-25T08:30:15.5"]
    split = Split(by="time", column="when", test=0.1)
    np.testing.assert_array_equal(
        times_of(split, np.array(texts)), np.array(texts, "datetime64[us]").astype(np.int64) / 1e6
    )
    np.testing.assert_array_equal(times_of(split, np.array(texts, "datetime64[ms]")), times_of(split, np.array(texts)))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array(["2024-01-01", "", "2024-01-03"]), "a time in every row, got nothing in row 1 of column when"),
        (np.array([1.0, 2.0, np.nan]), "nothing in row 2"),
        (np.array(["2024-01-01", "31/12/2023", "x"]), "'31/12/2023' in row 1"),
        (np.array(["2024-01-01T00:00", "2024-01-01T00:00Z"]), "time zone in all of its times or in none"),
        (np.array([1.0, np.inf]), "finite"),
        (np.array(["1", "inf"]), "finite"),
    ],
)
def test_times_that_cannot_be_compared_are_refused(values, words):
    with pytest.raises(UserError, match=words) as caught:
        times_of(Split(by="time", column="when", test=0.1), values)
    assert str(caught.value).isprintable()


def test_what_is_missing():
    for values, expected in (
        (np.array([1, 2]), [False, False]),
        (np.array(["a", " "]), [False, True]),
        (np.array(["a", None, float("nan")], object), [False, True, True]),
        (np.array(["2024-01-01", "NaT"], "datetime64[D]"), [False, True]),
        (np.array([True, False]), [False, False]),
    ):
        np.testing.assert_array_equal(is_missing(values), expected)


# Folds


@pytest.mark.parametrize("folds", [2, 5, 7])
@pytest.mark.parametrize("labelled", [True, False])
def test_the_test_examples_of_a_round_are_a_partition(folds, labelled):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 37, 20])) if labelled else None
    rounds = []
    for start in (0, folds):
        found = [assign(107, start + r, labels=labels, by="folds", folds=folds, validation=0.2) for r in range(folds)]
        for one in found:
            assert_partition(one, 107)
            assert len(one.validation) == 21
        tested = np.concatenate([one.test for one in found])
        np.testing.assert_array_equal(np.sort(tested), np.arange(107))
        rounds.append({tuple(one.test) for one in found})
        sizes = [len(one.test) for one in found]
        assert max(sizes) - min(sizes) <= 1
    assert not rounds[0] & rounds[1]


def test_folds_have_the_class_counts_of_scikit_learns_stratified_folds():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 37, 20]))
    ours = [np.bincount(labels[assign(107, r, labels=labels, by="folds", folds=5).test]) for r in range(5)]
    theirs = [np.bincount(labels[test]) for _, test in StratifiedKFold(5).split(labels, labels)]
    for of_class in range(3):
        assert sorted(c[of_class] for c in ours) == sorted(c[of_class] for c in theirs)


def test_folds_are_not_stratified_where_a_study_says_so():
    labels = np.repeat([0, 1], 50)
    found = [assign(100, r, labels=labels, by="folds", folds=10, stratify=False) for r in range(10)]
    assert {int((labels[one.test] == 0).sum()) for one in found} != {5}


def test_folds_keep_groups_together_in_scikit_learns_sizes():
    who = np.random.default_rng(0).permutation(np.repeat(np.arange(12), np.arange(3, 15)))
    fields = {"by": "folds", "folds": 4, "column": "who", "validation": 0.2}
    found = [assign(len(who), r, values=who, **fields) for r in range(4)]
    for one in found:
        assert_partition(one, len(who))
        parts = [set(who[rows]) for rows in (one.train, one.validation, one.test)]
        assert sum(map(len, parts)) == 12
        assert all(parts)
    theirs = [len(test) for _, test in GroupKFold(4).split(who, who, who)]
    assert sorted(len(one.test) for one in found) == sorted(theirs)


@pytest.mark.parametrize(
    ("split", "values", "place"),
    [
        ({"folds": 11}, None, "data.split.folds"),
        ({"folds": 10, "validation": 0.95}, None, "data.split.validation"),
        ({"folds": 3, "column": "who"}, np.array(["a", "b"] * 5), "data.split.column"),
        ({"folds": 2, "column": "who", "validation": 0.2}, np.array(["a", "b"] * 5), "data.split.column"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(split, values, place):
    with pytest.raises(UserError) as caught:
        assign(10, values=values, by="folds", **split)
    assert caught.value.place == place


def test_groups_are_numbered_by_value():
    split = Split(by="group", column="who", test=0.1)
    np.testing.assert_array_equal(groups_of(split, np.array(["b", "a", "b"])), [1, 0, 1])
    np.testing.assert_array_equal(groups_of(split, np.array([3, 1, "x"], object)), [1, 0, 2])
