import logging

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from paribus.data import fashion_mnist, loading
from paribus.data.loading import load_splits
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.data import Data
from paribus.spec.dataset import Dataset

SORTED = 30


@pytest.fixture
def sorted_file(tmp_path):
    """30 training and 30 test images of 16 pixels in three classes, sorted by class."""
    images = np.arange(SORTED * 16).reshape(SORTED, 16).T % 256
    labels = np.arange(SORTED) // 10
    np.savez(tmp_path / "sorted.npz", images, labels, images, labels)


def in_source_order(split):
    return np.array_equal(split.rows, np.sort(split.rows))


# Splits of the sources


def test_scarce_trains_on_8000_and_validates_on_2000_of_the_small_file(splits):
    found = splits("fashion-mnist", "scarce")
    assert found.train.pool.name == "fashion-mnist/t10k"
    together = np.concatenate([found.train.rows, found.validation.rows])
    np.testing.assert_array_equal(np.sort(together), np.arange(10_000))
    np.testing.assert_array_equal(found.train.labels, found.train.pool.labels[found.train.rows])
    assert not in_source_order(found.train)
    assert found.test.examples == 60_000
    assert found.dataset == Dataset(
        "fashion-mnist", 784, (28, 28), fashion_mnist.CLASSES, train=8_000, validation=2_000, test=60_000,
        held_out_of=10_000,
    )  # fmt: skip


def test_standard_splits_the_large_file_and_tests_on_the_small_one(splits):
    found = splits("fashion-mnist", "standard")
    assert (len(found.train), len(found.validation), found.test.examples) == (50_000, 10_000, 10_000)
    assert found.train.pool.name == "fashion-mnist/train"
    test = found.test.open("selected snapshot")
    assert test.pool.name == "fashion-mnist/t10k"
    assert in_source_order(test)


def test_noisy_labels_trains_on_all_of_the_small_file_and_tests_on_clean_labels(splits):
    found = splits("fashion-mnist", "noisy-labels", label_noise=0.3)
    assert (len(found.train), found.validation, found.test.examples) == (10_000, None, 60_000)
    assert (found.dataset.validation, found.dataset.held_out_of) == (0, 10_000)
    assert 0.25 < (found.train.labels != found.train.true_labels).mean() < 0.29
    test = found.test.open("selected snapshot")
    np.testing.assert_array_equal(test.labels, fashion_mnist.pool("train").labels)


def test_validation_labels_are_as_noisy_as_the_rest_where_the_study_says_so(splits):
    clean, noisy = (
        splits("fashion-mnist", "scarce", label_noise={"share": 0.5, "validation": asked}) for asked in (False, True)
    )
    np.testing.assert_array_equal(clean.validation.labels, clean.validation.true_labels)
    assert 0.4 < (noisy.validation.labels != noisy.validation.true_labels).mean() < 0.5
    np.testing.assert_array_equal(noisy.train.labels, clean.train.labels)
    np.testing.assert_array_equal(noisy.validation.rows, clean.validation.rows)
    held_out = splits("fashion-mnist", {"by": "noisy-labels", "validation": 0.1}, label_noise=0.5).validation
    assert 0.4 < (held_out.labels != held_out.true_labels).mean() < 0.5


def test_faces_are_all_for_training(splits):
    found = splits("faces", "all")
    assert found.dataset == Dataset("faces", 4096, (64, 64), (), train=400, validation=0, test=0, held_out_of=400)
    assert (found.train.labels, found.validation, found.test) == (None, None, None)


def test_a_file_of_six_arrays_is_split_as_it_is(course_arrays, tmp_path, splits):
    np.savez(tmp_path / "hw2_Q2_and_Q3_data.npz", *course_arrays)
    found = splits("hw2_Q2_and_Q3_data.npz", "given")
    np.testing.assert_array_equal(found.train.inputs, course_arrays[0].T.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(found.validation.labels, course_arrays[3])
    np.testing.assert_array_equal(found.test.open("selected snapshot").labels, course_arrays[5])
    assert found.dataset == Dataset(
        "hw2_Q2_and_Q3_data.npz", 16, (4, 4), ("0", "1", "2"), train=12, validation=6, test=8, held_out_of=18
    )


def test_a_file_of_four_arrays_may_hold_out_validation(course_arrays, tmp_path, splits):
    np.savez_compressed(tmp_path / "hw2_Q4_data.npz", *course_arrays[:4])
    found = splits("hw2_Q4_data.npz", {"by": "given", "validation": 0.25})
    assert (len(found.train), len(found.validation), found.test.examples) == (9, 3, 6)
    assert found.dataset.held_out_of == 12


@pytest.mark.parametrize(
    ("source", "split", "place", "remedy"),
    [
        ("fashion-mnist", "scarse", "data.split.by", "did you mean scarce?"),
        ("faces", "given", "data.split.by", "add column or index"),
        ("fashion-mnist", {"by": "random", "test": 0.1}, "data.split.by", "use standard or scarce or noisy-labels"),
        ("fashion-mnist", {"by": "given", "column": "part"}, "data.split.by", "it has its own splits"),
        ("fashion-mnist", {"by": "scarce", "validation": 0.1}, "data.split.validation", "scarce of fashion-mnist"),
        ("faces", {"by": "all", "validation": 0.001}, "data.split.validation", "share of 400"),
        ("faces", {"by": "all", "validation": 0.9999}, "data.split.validation", "share of 400"),
    ],
)
def test_a_split_that_the_source_cannot_give_is_refused(source, split, place, remedy, splits):
    with pytest.raises(UserError) as caught:
        splits(source, split)
    assert caught.value.place == place
    assert remedy in caught.value.remedy


# Random numbers


def test_arms_of_a_replicate_share_their_split_and_replicates_do_not(splits):
    first, again, other = (splits("fashion-mnist", "scarce", replicate) for replicate in (0, 0, 1))
    np.testing.assert_array_equal(first.train.rows, again.train.rows)
    assert (first.train.rows != other.train.rows).any()
    assert first.train.pool is other.train.pool


def test_labels_held_out_for_validation_stay_noisy(splits):
    plain = splits("fashion-mnist", "noisy-labels", label_noise=0.3)
    found = splits("fashion-mnist", {"by": "noisy-labels", "validation": 0.2}, label_noise=0.3)
    assert (len(found.train), len(found.validation)) == (8_000, 2_000)
    assert 0.2 < (found.validation.labels != found.validation.true_labels).mean() < 0.34
    for part in (found.train, found.validation):
        np.testing.assert_array_equal(part.labels, plain.train.labels[part.rows])


def test_validation_labels_of_the_splits_own_stay_clean(splits):
    found = splits("fashion-mnist", "scarce", label_noise=0.5)
    assert (found.train.labels != found.train.true_labels).mean() > 0.4
    np.testing.assert_array_equal(found.validation.labels, found.validation.true_labels)


# Limits


def test_a_limit_is_a_random_sample_of_each_split(splits):
    full = splits("fashion-mnist", "scarce", label_noise=0.3)
    found = splits("fashion-mnist", "scarce", label_noise=0.3, limit={"train": 100, "validation": 50, "test": 70})
    for part, all_of_it, examples in ((found.train, full.train, 100), (found.validation, full.validation, 50)):
        assert len(part) == examples
        positions = [int(np.flatnonzero(all_of_it.rows == row)[0]) for row in part.rows]
        np.testing.assert_array_equal(part.labels, all_of_it.labels[positions])
        assert positions == sorted(positions)
        assert positions[-1] > examples
    assert found.test.examples == len(found.test.open("selected snapshot")) == 70
    assert (found.dataset.train, found.dataset.validation, found.dataset.test) == (100, 50, 70)
    assert found.dataset.held_out_of == 10_000


def test_a_limit_of_a_file_that_is_sorted_by_class_has_every_class(sorted_file, splits):
    found = splits("sorted.npz", "given", limit={"train": 12, "test": 12})
    assert set(found.train.labels) == {0, 1, 2}
    assert set(found.test.open("selected snapshot").labels) == {0, 1, 2}
    assert set(splits("sorted.npz", "given").test.open("monitoring", limit=12).labels) == {0, 1, 2}


def test_a_smaller_limit_is_a_part_of_a_larger_one(sorted_file, splits):
    less, more = (splits("sorted.npz", "given", limit={"train": n, "test": n}) for n in (8, 15))
    assert set(less.train.rows) < set(more.train.rows)
    tested = [found.test.open("selected snapshot").rows for found in (less, more)]
    assert set(tested[0]) < set(tested[1])
    monitored = more.test.open("monitoring", limit=8)
    np.testing.assert_array_equal(monitored.rows, tested[0])


def test_all_replicates_are_tested_on_the_same_sample_and_train_on_others(sorted_file, splits):
    first, other = (splits("sorted.npz", "given", replicate, limit={"train": 10, "test": 10}) for replicate in (0, 1))
    np.testing.assert_array_equal(*(found.test.open("selected snapshot").rows for found in (first, other)))
    assert set(first.train.rows) != set(other.train.rows)


def test_a_limit_above_the_number_of_examples_changes_nothing(splits):
    found = splits("faces", "all", limit={"train": 1_000})
    assert len(found.train) == found.dataset.train == 400
    assert in_source_order(found.train)


def test_the_test_file_is_not_read_before_the_test_set_is_opened(splits, monkeypatch):
    parts = []
    pool = fashion_mnist.pool

    def recorded(part):
        parts.append(part)
        return pool(part)

    monkeypatch.setattr(fashion_mnist, "pool", recorded)
    found = splits("fashion-mnist", "scarce", limit={"test": 10})
    assert parts == ["t10k"]
    found.test.open("selected snapshot")
    assert parts == ["t10k", "train"]


# Scaling


def test_scaling_is_fitted_on_the_limited_training_examples_only(splits):
    found = splits("faces", {"by": "all", "validation": 0.1}, scale="standardise", limit={"train": 30})
    assert len(found.train) == 30
    inputs = found.train.inputs.astype(np.float64)
    np.testing.assert_allclose(found.scaling.centre, inputs.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.scaling.factor, 1 / inputs.std(axis=0), rtol=1e-6)


def test_without_scaling_bytes_are_not_divided(course_arrays, tmp_path, splits):
    np.savez(tmp_path / "a.npz", *course_arrays)
    found = splits("a.npz", "given", scale="none")
    for split in (found.train, found.validation, found.test.open("selected snapshot")):
        assert (split.pool.divisor, split.pool.values.dtype) == (1, np.uint8)
    np.testing.assert_array_equal(found.train.inputs, course_arrays[0].T)
    assert (found.scaling.centre, found.scaling.factor) == (None, None)
    assert splits("a.npz", "given", replicate=1, scale="none").train.pool is found.train.pool
    assert splits("a.npz", "given").train.pool.divisor == 255


@pytest.mark.parametrize("scale", ["none", "unit"])
def test_bytes_of_0_and_1_are_divided_with_a_warning(scale, tmp_path, splits, caplog):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 2, (9, 4, 4), dtype=np.uint8))
    with caplog.at_level(logging.WARNING, "paribus.data"):
        for replicate in range(3):
            found = splits("a.npy", "all", replicate, scale=scale)
    if scale == "none":
        assert caplog.records == []
        assert found.train.inputs.max() == 1
    else:
        (message,) = [record.getMessage() for record in caplog.records]
        assert message.startswith("a.npy: its values are 0 and 1 only, and are divided by 255")
        assert 'set data.scale to "none"' in message
        assert found.train.inputs.max() == np.float32(1) / np.float32(255)


def test_booleans_and_ordinary_bytes_are_not_warned_of(tmp_path, splits, caplog):
    np.save(tmp_path / "a.npy", np.arange(32).reshape(2, 4, 4) % 2 == 0)
    np.save(tmp_path / "b.npy", np.arange(32, dtype=np.uint8).reshape(2, 4, 4))
    loading._warn_of_zeros_and_ones.cache_clear()
    with caplog.at_level(logging.WARNING, "paribus.data"):
        assert splits("a.npy", "all").train.inputs.max() == 1
        splits("b.npy", "all")
    assert caplog.records == []


# Undivided sources


def test_test_examples_are_in_no_pool_that_training_sees(splits):
    found = splits("sklearn:iris", {"by": "stratified", "validation": 0.2, "test": 0.2})
    test = found.test.open("selected snapshot")
    assert found.train.pool is found.validation.pool is not test.pool
    assert (len(found.train.pool), len(test.pool)) == (120, 30)
    parts = [part.source_rows for part in (found.train, found.validation, test)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(150))
    whole = splits("sklearn:iris", "all").train
    for part in (found.train, found.validation, test):
        np.testing.assert_array_equal(part.inputs, whole.inputs[part.source_rows])
        np.testing.assert_array_equal(part.labels, whole.labels[part.source_rows])
    assert len({found.train.pool.fingerprint, test.pool.fingerprint, whole.pool.fingerprint}) == 3
    dataset = found.dataset
    assert (dataset.train, dataset.validation, dataset.test, dataset.held_out_of, dataset.folds) == (90, 30, 30, 120, 0)
    assert dataset.feature_names[0] == "sepal length (cm)"


def test_replicates_share_their_pools_and_test_set(splits):
    first, other = (splits("sklearn:iris", {"by": "random", "validation": 0.2, "test": 0.2}, r) for r in (0, 1))
    assert first.train.pool is other.train.pool
    np.testing.assert_array_equal(*(found.test.open("monitoring").source_rows for found in (first, other)))
    assert set(first.validation.source_rows) != set(other.validation.source_rows)


def test_replicates_of_folds_share_the_whole_pool(splits):
    found = [splits("sklearn:iris", {"by": "folds", "folds": 5, "validation": 0.2}, r) for r in range(5)]
    tested = np.concatenate([one.test.open("selected snapshot").source_rows for one in found])
    np.testing.assert_array_equal(np.sort(tested), np.arange(150))
    assert len({one.train.pool for one in found}) == 1
    assert {one.dataset.folds for one in found} == {5}


def test_limits_are_samples_of_undivided_data_too(splits):
    split = {"by": "stratified", "validation": 0.2, "test": 0.2}
    full, found = splits("sklearn:iris", split), splits("sklearn:iris", split, limit={"train": 20, "test": 10})
    assert (found.dataset.train, found.dataset.validation, found.dataset.test) == (20, 30, 10)
    assert set(found.train.source_rows) < set(full.train.source_rows)
    tested = [one.test.open("selected snapshot").source_rows for one in (found, full)]
    assert set(tested[0]) < set(tested[1])


def test_labels_of_validation_and_test_stay_clean(splits):
    found = splits("sklearn:digits", {"by": "stratified", "validation": 0.2, "test": 0.2}, label_noise=0.4)
    assert (found.train.labels != found.train.true_labels).mean() > 0.3
    for part in (found.validation, found.test.open("selected snapshot")):
        np.testing.assert_array_equal(part.labels, part.true_labels)


def test_targets_are_scaled_as_scikit_learn_scales_training_numbers(splits):
    split = {"by": "random", "validation": 0.2, "test": 0.2}
    found = splits("sklearn:diabetes", split, task="regression", limit={"train": 100})
    oracle = StandardScaler().fit(found.train.numbers.astype(np.float64))
    np.testing.assert_allclose(found.target_scaling.centre, oracle.mean_, rtol=1e-6)
    np.testing.assert_allclose(1 / found.target_scaling.factor, oracle.scale_, rtol=1e-6)
    assert found.dataset.targets == ("target",)
    plain = splits("sklearn:diabetes", split, task="regression", scale_target="none")
    assert plain.target_scaling.centre is plain.target_scaling.factor is None


def test_what_is_recorded_gives_what_the_network_sees(splits):
    found = splits("sklearn:diabetes", {"by": "random", "test": 0.2}, task="regression", scale="standardise")
    recorded = found.preprocessing()
    assert set(recorded) == {"divisor", "centre", "factor", "target_centre", "target_factor"}
    seen = (found.train.pool.values / recorded["divisor"] - recorded["centre"]) * recorded["factor"]
    np.testing.assert_allclose(seen, StandardScaler().fit_transform(found.train.inputs), atol=1e-5)
    assert set(splits("faces", "all").preprocessing()) == {"divisor"}


def test_columns_are_needed_where_a_split_names_one(splits):
    with pytest.raises(UserError) as caught:
        splits("sklearn:iris", {"by": "group", "column": "patient", "test": 0.2})
    assert caught.value.place == "data.split.column"


def test_index_files_are_part_of_the_fingerprint(tmp_path):
    data = {"source": "sklearn:iris", "split": {"by": "given", "index": {"test": "test.txt"}}}
    (tmp_path / "test.txt").write_text("1\n2\n")
    data = Data.model_validate(data)
    first = loading.fingerprint(data, tmp_path)
    assert first == loading.fingerprint(data, tmp_path) != loading.find(data.source, tmp_path).fingerprint()
    found = load_splits(data, tmp_path, Streams.of_replicate(0, 0))
    np.testing.assert_array_equal(found.test.open("selected snapshot").source_rows, [1, 2])
    (tmp_path / "test.txt").write_text("1\n3\n")
    assert loading.fingerprint(data, tmp_path) != first
