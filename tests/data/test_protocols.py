import numpy as np
import pytest

from paribus.data import faces, fashion_mnist, protocols
from paribus.data.protocols import fingerprint, load_splits
from paribus.errors import UserError
from paribus.spec.recipe import Data


def splits(protocol, replicate=0, **fields):
    return load_splits(Data(protocol=protocol, **fields), seed=0, replicate=replicate)


def test_scarce_trains_on_8000_and_validates_on_2000_of_the_small_file():
    found = splits("fashion-mnist/scarce")
    assert (len(found.train), len(found.validation), found.test.images) == (8_000, 2_000, 60_000)
    assert found.train.pool.name == "fashion-mnist/t10k"
    together = np.concatenate([found.train.indices, found.validation.indices])
    np.testing.assert_array_equal(np.sort(together), np.arange(10_000))
    np.testing.assert_array_equal(found.train.labels, found.train.pool.labels[found.train.indices])
    assert (found.classes, found.shape, found.center) == (10, (28, 28), None)


def test_standard_splits_the_large_file_and_tests_on_the_small_one():
    found = splits("fashion-mnist/standard")
    assert (len(found.train), len(found.validation), found.test.images) == (50_000, 10_000, 10_000)
    assert found.train.pool.name == "fashion-mnist/train"
    assert found.test.open("selected snapshot").pool.name == "fashion-mnist/t10k"


def test_noisy_labels_trains_on_all_of_the_small_file_and_tests_on_clean_labels():
    found = splits("fashion-mnist/noisy-labels", label_noise=0.3)
    assert (len(found.train), found.validation, found.test.images) == (10_000, None, 60_000)
    assert 0.25 < (found.train.labels != found.train.true_labels).mean() < 0.29
    test = found.test.open("selected snapshot")
    np.testing.assert_array_equal(test.labels, fashion_mnist.pool("train").labels)


def test_labels_held_out_for_validation_stay_noisy():
    plain = splits("fashion-mnist/noisy-labels", label_noise=0.3)
    found = splits("fashion-mnist/noisy-labels", label_noise=0.3, validation_fraction=0.2)
    assert (len(found.train), len(found.validation)) == (8_000, 2_000)
    assert 0.2 < (found.validation.labels != found.validation.true_labels).mean() < 0.34
    for part in (found.train, found.validation):
        np.testing.assert_array_equal(part.labels, plain.train.labels[part.indices])


def test_a_protocols_own_validation_labels_stay_clean():
    found = splits("fashion-mnist/scarce", label_noise=0.5)
    assert (found.train.labels != found.train.true_labels).mean() > 0.4
    np.testing.assert_array_equal(found.validation.labels, found.validation.true_labels)


def test_arms_of_a_replicate_share_their_split_and_replicates_do_not():
    first, again, other = (splits("fashion-mnist/scarce", replicate) for replicate in (0, 0, 1))
    np.testing.assert_array_equal(first.train.indices, again.train.indices)
    assert (first.train.indices != other.train.indices).any()


def test_caps_take_the_first_of_each_split():
    full = splits("fashion-mnist/scarce", label_noise=0.3)
    capped = splits("fashion-mnist/scarce", label_noise=0.3, train_images=100, validation_images=50, test_images=70)
    np.testing.assert_array_equal(capped.train.indices, full.train.indices[:100])
    np.testing.assert_array_equal(capped.train.labels, full.train.labels[:100])
    np.testing.assert_array_equal(capped.validation.indices, full.validation.indices[:50])
    assert capped.test.images == len(capped.test.open("monitoring")) == 70
    assert len(capped.test.open("monitoring", limit=20)) == 20
    assert len(splits("faces/all", train_images=1_000).train) == 400


def test_the_test_file_is_not_even_read_before_the_drawer_is_opened(monkeypatch):
    parts = []
    pool = fashion_mnist.pool

    def noted(part):
        parts.append(part)
        return pool(part)

    monkeypatch.setattr(protocols.fashion_mnist, "pool", noted)
    found = splits("fashion-mnist/scarce", test_images=10)
    assert parts == ["t10k"]
    found.test.open("selected snapshot")
    assert parts == ["t10k", "train"]


def test_faces_are_all_for_training():
    found = splits("faces/all")
    assert (len(found.train), found.validation, found.test, found.classes) == (400, None, None, 0)
    assert found.train.labels is None
    assert found.shape == (64, 64)


def test_the_center_is_the_mean_of_the_training_images():
    found = splits("faces/all", center=True, train_images=30)
    assert found.center.dtype == np.float32
    expected = found.train.inputs.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(found.center, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("protocol", "fields", "place"),
    [
        ("faces/all", {"label_noise": 0.3}, "data.label_noise"),
        ("fashion-mnist/scarce", {"validation_fraction": 0.1}, "data.validation_fraction"),
        ("faces/all", {"validation_fraction": 0.001}, "data.validation_fraction"),
        ("faces/all", {"validation_fraction": 0.9999}, "data.validation_fraction"),
    ],
)
def test_what_a_protocol_cannot_give_is_refused(protocol, fields, place):
    with pytest.raises(UserError) as caught:
        splits(protocol, **fields)
    assert caught.value.place == place


def test_built_in_sources_are_named_without_being_read(monkeypatch):
    monkeypatch.setattr(protocols.fashion_mnist, "pool", lambda _: pytest.fail("read"))
    monkeypatch.setattr(protocols.faces, "pool", lambda: pytest.fail("read"))
    names = {fingerprint(Data(protocol=p)) for p in ("fashion-mnist/scarce", "fashion-mnist/standard", "faces/all")}
    assert len(names) == 2
    assert all(len(name) == 64 for name in names)


def test_fingerprints_are_those_of_the_pools():
    assert fingerprint(Data(protocol="faces/all")) == faces.pool().fingerprint
    assert fingerprint(Data(protocol="fashion-mnist/scarce")) == fashion_mnist.pool("t10k").fingerprint


def test_the_courses_three_way_file_is_read_as_it_is(course_arrays, tmp_path):
    path = tmp_path / "hw2_Q2_and_Q3_data.npz"
    np.savez(path, *course_arrays)
    found = splits("file/train-val-test", file=str(path))
    assert (len(found.train), len(found.validation), found.test.images, found.classes) == (12, 6, 8, 3)
    np.testing.assert_array_equal(found.train.inputs, course_arrays[0].T.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(found.validation.labels, course_arrays[3])
    np.testing.assert_array_equal(found.test.open("selected snapshot").labels, course_arrays[5])


def test_the_courses_two_way_file_may_hold_out_validation(course_arrays, tmp_path):
    path = tmp_path / "hw2_Q4_data.npz"
    np.savez_compressed(path, *course_arrays[:4])
    found = splits("file/train-test", file=str(path), validation_fraction=0.25)
    assert (len(found.train), len(found.validation), found.test.images) == (9, 3, 6)
