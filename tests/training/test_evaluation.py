from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.decomposition import PCA

from paribus.training import inference
from paribus.training.cohort import architecture
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot, missing_of
from paribus.training.inference import half_precision
from paribus.training.principal_components import principal_components
from tests.training.conftest import AUTOENCODER, CLASSIFIER, active, recipe
from tests.training.oracle import plain_outputs


def measured(of, weights=None, open_test=None, known=()):
    """Numbers and arrays at rule `last` of a run with these weights."""
    snapshot = Snapshot("last", 4, weights or of.state.tensors)
    found = measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), open_test, known)
    numbers = {m.name: m.value for m in found.numbers if m.rule == "last"}
    return numbers, {name: arrays for rule, name, arrays in found.artifacts if rule == "last"}


def outputs_of(of, inputs):
    return plain_outputs(architecture(of.spec), of.state.tensors, inputs)[0]


def test_test_accuracy_is_that_of_the_same_network_in_pytorch():
    of = active(recipe(data={"limit": {"test": 700}}, test={"read_at": ["last"]}))
    opened = []

    def open_test(rule, epoch):
        opened.append((rule, epoch))
        return of.splits.test.open("selected snapshot")

    numbers, arrays = measured(of, open_test=open_test)
    assert opened == [("last", 4)]
    test = of.splits.test.open("selected snapshot")
    logits, labels = torch.tensor(outputs_of(of, test.inputs)), torch.tensor(test.labels)
    assert numbers["test_accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert numbers["test_loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert arrays["confusion"]["counts"].sum() == 700
    assert np.trace(arrays["confusion"]["counts"]) == round(numbers["test_accuracy"] * 700)
    kept = arrays["outputs/test"]["outputs"]
    assert kept.dtype == np.float16
    np.testing.assert_allclose(torch.tensor(kept).float().softmax(1), logits.softmax(1), atol=1e-3)
    assert np.mean(kept.argmax(1) == test.labels) == numbers["test_accuracy"]


def test_the_test_set_stays_locked_where_no_read_is_declared():
    def refuse(rule, epoch):
        raise AssertionError("the test set was opened")

    numbers, arrays = measured(active(recipe()), open_test=refuse)
    assert "test_accuracy" not in numbers
    assert "outputs/test" not in arrays


def test_memorised_counts_wrong_labels_that_are_predicted():
    data = {"source": "fashion-mnist", "split": {"by": "noisy-labels"}, "label_noise": 0.5, "limit": {"train": 300}}
    of = active(recipe({**CLASSIFIER, "data": data}))
    weights = {name: np.zeros_like(tensor) for name, tensor in of.state.tensors.items()}
    weights["fc2.bias"][3] = 1.0  # predicts class 3, whatever the input
    numbers, _ = measured(of, weights)
    train = of.splits.train
    wrong = train.labels != train.true_labels
    assert numbers["mislabelled"] == pytest.approx(wrong.mean())
    assert numbers["memorised"] == pytest.approx((train.labels[wrong] == 3).mean())
    assert numbers["train_accuracy"] == pytest.approx((train.labels == 3).mean())


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_units_have_the_mean_variance_active_share_and_cosine_that_pytorch_gives(activation):
    of = active(recipe(network={"hidden": [24, 9], "activation": activation}))
    weights = {name: tensor.copy() for name, tensor in of.state.tensors.items()}
    weights["fc1.weight"][5] = -1.0
    weights["fc1.bias"][5] = -10.0  # zero, or saturated, for every image
    weights["fc1.weight"][6] *= 0.01  # shrunk, and still in its initial direction
    _, arrays = measured(of, weights)
    inputs = of.splits.train.inputs
    _, activations = plain_outputs(architecture(of.spec), weights, inputs)
    for name, theirs in zip(("fc1", "fc2"), activations, strict=True):
        np.testing.assert_allclose(arrays["units"][f"{name}.mean"], theirs.mean(0), atol=1e-6)
        np.testing.assert_allclose(arrays["units"][f"{name}.variance"], theirs.var(0, dtype=np.float64), atol=1e-6)
        np.testing.assert_allclose(arrays["units"][f"{name}.active"], (theirs > 0).mean(0), atol=0.01)
    assert arrays["units"]["fc1.variance"][5] < 1e-12
    cosine = torch.nn.functional.cosine_similarity
    theirs = cosine(torch.tensor(weights["fc1.weight"]), torch.tensor(of.state.tensors["fc1.weight"])).numpy()
    np.testing.assert_allclose(arrays["units"]["fc1.cosine"], theirs, atol=1e-6)


def test_units_of_a_normalised_autoencoder_with_tied_weights():
    of = active(recipe(AUTOENCODER, network={"hidden": [32, 9, 32], "tied": True, "batch_norm": True}))
    weights = {name: tensor.copy() for name, tensor in of.state.tensors.items()}
    weights["fc2.weight"] += np.random.default_rng(0).normal(0, 0.1, (9, 32)).astype(np.float32)
    weights["bn1.running_mean"] += 0.1
    weights["bn2.running_var"] *= 0.5
    numbers, arrays = measured(of, weights)
    inputs = of.splits.train.inputs
    outputs, activations = plain_outputs(architecture(of.spec), weights, inputs)
    assert numbers["mse"] == pytest.approx(np.mean(np.square(outputs - inputs)), rel=1e-5)
    assert numbers["pca_mse"] == pytest.approx(principal_components(of.splits.train).mse_by_rank[9])
    for name, theirs in zip(("fc1", "fc2", "fc3"), activations, strict=True):
        np.testing.assert_allclose(arrays["units"][f"{name}.mean"], theirs.mean(0), atol=1e-6)
    decoder = torch.tensor(weights["fc2.weight"].T), torch.tensor(of.state.tensors["fc2.weight"].T)
    theirs = torch.nn.functional.cosine_similarity(*decoder).numpy()
    np.testing.assert_allclose(arrays["units"]["fc3.cosine"], theirs, atol=1e-6)
    counted = {m.name: m.value for m in measure_run(of.spec, of.splits).numbers}
    trained = [name for name in of.state.tensors if not name.startswith("bn") or name.endswith(("weight", "bias"))]
    assert counted["parameters"] == sum(of.state.tensors[name].size for name in trained)


def test_outputs_need_not_be_kept():
    _, arrays = measured(active(recipe(snapshots={"outputs": False})))
    assert not [name for name in arrays if name.startswith("outputs/")]


def test_what_is_recorded_already_is_not_measured_again():
    of = active(recipe(data={"limit": {"test": 50}}, test={"read_at": ["last"]}))
    figures = ("balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece")
    known = ["epoch", "train_accuracy", *(f"val_{name}" for name in figures), "outputs/train", "outputs/validation"]
    of_test = ("test_loss", "test_accuracy", *(f"test_{name}" for name in figures))
    assert missing_of(of.spec, "last", known) == (*of_test, "outputs/test")
    numbers, arrays = measured(of, open_test=lambda *_: of.splits.test.open("later measurement"), known=known)
    assert set(numbers) == set(of_test)
    assert set(arrays) == {"confusion", "outputs/test", "hardest/test"}


@pytest.mark.parametrize("added", ["train_accuracy", "val_ece", "test_accuracy", "test_macro_f1"])
def test_a_metric_that_a_recorded_run_lacks_is_measured_later(added):
    """So it is with one that is added to the code after they were trained."""
    of = active(recipe(data={"limit": {"test": 50}}, test={"read_at": ["last"]}))
    opened = []

    def open_test(rule, epoch):
        opened.append(rule)
        return of.splits.test.open("later measurement")

    numbers, arrays = measured(of, open_test=open_test)
    known = [name for name in (*numbers, *arrays) if name != added]
    assert missing_of(of.spec, "last", (*known, added)) == ()
    assert missing_of(of.spec, "last", known) == (added,)
    opened.clear()
    again, _ = measured(of, open_test=open_test, known=known)
    assert again[added] == numbers[added]
    assert {name.partition("_")[0] for name in again} == {added.partition("_")[0]}
    assert opened == ["last"] * added.startswith("test")


def autoencoder(**over):
    return active(recipe(AUTOENCODER, **over))


def test_a_collapsed_autoencoder_gives_one_image_for_all():
    of = autoencoder()
    numbers, arrays = measured(of, {name: np.zeros_like(tensor) for name, tensor in of.state.tensors.items()})
    images = of.splits.train.inputs
    assert numbers["output_variation"] == 0
    assert numbers["mse"] == pytest.approx(np.mean(np.square(images, dtype=np.float64)), rel=1e-5)
    assert np.ptp(arrays["reconstructions"]["outputs"], axis=0).max() == 0
    pca = next(a for rule, name, a in measure_run(of.spec, of.splits).artifacts if name == "pca")
    assert numbers["pca_mse"] == pca["mse_by_rank"][16] < numbers["mean_mse"] == pca["mse_by_rank"][0]
    errors = np.square(images, dtype=np.float64).mean(axis=1)
    np.testing.assert_allclose(arrays["outputs/train"]["error"], errors, rtol=1e-5)


@pytest.mark.parametrize("scale", ["unit", "centre", "standardise"])
def test_a_linear_code_of_eigenfaces_reaches_the_bound_of_pca(scale):
    """Rank-8 PCA as an autoencoder of 16 rectified units, +v and -v for each component."""
    of = autoencoder(data={"scale": scale})
    pca, scaling = principal_components(of.splits.train), of.splits.scaling
    basis, mean = pca.components[:8], pca.mean
    centre = np.zeros(4096, np.float32) if scaling.centre is None else scaling.centre
    factor = np.ones(4096, np.float32) if scaling.factor is None else scaling.factor
    encoder = np.concatenate([basis, -basis])
    weights = {
        "fc1.weight": encoder / factor,
        "fc1.bias": encoder @ (centre - mean),
        "fc2.weight": np.ascontiguousarray(encoder.T * factor[:, None]),
        "fc2.bias": (mean - centre) * factor,
    }
    numbers, _ = measured(of, {name: tensor.astype(np.float32) for name, tensor in weights.items()})
    assert numbers["mse"] == pytest.approx(pca.mse_by_rank[8], rel=1e-3)


def test_denoising_is_measured_against_the_clean_images():
    of = autoencoder(denoising={"uniform": [0.4], "zeroed": [0.5]})
    numbers, arrays = measured(of)
    assert numbers["noise_mse:uniform-0.4"] > 0
    assert numbers["pca_denoise_mse:uniform-0.4"] < numbers["noise_mse:uniform-0.4"]
    shown = arrays["denoising/zeroed-0.5"]
    assert {array.shape for array in shown.values()} == {(4, 4096)}
    assert {array.dtype for array in shown.values()} == {np.dtype(np.uint8)}
    assert np.mean(shown["inputs"] == 0) == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(shown["clean"][0], of.splits.train.pool.values[of.splits.train.rows[0]])


def test_psnr_and_ssim_are_means_over_images_as_scikit_image_has_them():
    of = autoencoder(data={"limit": {"train": 4}}, training={"batch_size": 2}, denoising={"block": [0.25]})
    weights = {name: 0.1 * tensor for name, tensor in of.state.tensors.items()}
    weights["fc2.bias"] += 0.4  # outputs within [0, 1], as bytes have them
    numbers, arrays = measured(of, weights)
    shown = {name: array / 255 for name, array in arrays["denoising/block-0.25"].items()}  # all four images
    for name, key in (("noise", "inputs"), ("denoise", "outputs")):
        images = list(zip(shown["clean"].reshape(-1, 64, 64), shown[key].reshape(-1, 64, 64), strict=True))
        ssim = np.mean([structural_similarity(*pair, data_range=1.0) for pair in images])
        psnr = np.mean([peak_signal_noise_ratio(*pair, data_range=1.0) for pair in images])
        assert numbers[f"{name}_ssim:block-0.25"] == pytest.approx(ssim, abs=0.02)
        assert numbers[f"{name}_psnr:block-0.25"] == pytest.approx(psnr, abs=0.2)


def test_a_condition_comes_to_the_same_whichever_others_are_measured():
    both, _ = measured(autoencoder(denoising={"uniform": [0.2, 0.4], "zeroed": [0.5]}))
    alone, arrays = measured(autoencoder(denoising={"uniform": [0.4]}))
    assert {name: both[name] for name in alone} == alone
    asked = autoencoder(denoising={"uniform": [0.4], "zeroed": [0.5]})
    more, more_arrays = measured(asked, known=[*alone, *arrays])
    assert {name: both[name] for name in more} == more
    names = {f"{who}_{what}" for who in ("noise", "denoise", "pca_denoise") for what in ("mse", "psnr", "ssim")}
    assert set(more) == {f"{name}:zeroed-0.5" for name in names}
    assert set(more_arrays) == {"denoising/zeroed-0.5"}


HELD_OUT = {"split": {"by": "group", "column": "person", "validation": 0.2}}


def test_errors_on_people_not_trained_on_are_those_of_scikit_learn_s_pca():
    of = autoencoder(data=HELD_OUT, denoising={"zeroed": [0.5]})
    numbers, arrays = measured(of)
    train, unseen = of.splits.train.inputs, of.splits.validation.inputs
    assert numbers["val_mse"] == pytest.approx(np.mean(np.square(outputs_of(of, unseen) - unseen)), rel=1e-5)
    pca = PCA(16, svd_solver="full").fit(train)
    back = pca.inverse_transform(pca.transform(unseen))
    assert numbers["val_pca_mse"] == pytest.approx(np.mean(np.square(back - unseen)), rel=1e-4)
    assert numbers["val_mean_mse"] == pytest.approx(np.mean(np.square(train.mean(0) - unseen)), rel=1e-5)
    assert len(arrays["val_reconstructions"]["inputs"]) == 16
    assert numbers["val_noise_mse:zeroed-0.5"] != numbers["noise_mse:zeroed-0.5"]
    assert len(arrays["val_denoising/zeroed-0.5"]["clean"]) == 4
    np.testing.assert_allclose(arrays["outputs/validation"]["error"].mean(), numbers["val_mse"], rtol=1e-5)


def test_what_is_missing_of_held_out_images_is_asked_for():
    of = autoencoder(data=HELD_OUT, denoising={"zeroed": [0.5]})
    known = ["epoch", "mse", "pca_mse", "mean_mse", "outputs/train", "outputs/validation", "denoise_mse:zeroed-0.5"]
    assert missing_of(of.spec, "last", known) == (
        *("val_mse", "val_pca_mse", "val_mean_mse"),
        "val_denoise_mse:zeroed-0.5",
    )


def test_the_best_and_the_worst_images_are_kept():
    of = autoencoder()
    _, arrays = measured(of)
    images, errors = of.splits.train.inputs, arrays["outputs/train"]["error"]
    order = np.argsort(errors, kind="stable")
    kept = arrays["extremes"]
    np.testing.assert_allclose(kept["best_error"], errors[order[:6]])
    np.testing.assert_allclose(kept["worst_error"], errors[order[::-1][:6]])
    np.testing.assert_array_equal(kept["worst_row"], of.splits.train.source_rows[order[::-1][:6]])
    np.testing.assert_allclose(kept["worst_inputs"], images[order[::-1][:6]], atol=1e-3)
    np.testing.assert_allclose(kept["best_outputs"], outputs_of(of, images[order[:6]]), atol=2e-3)


@pytest.mark.parametrize("rows", [7, 45])
def test_parts_of_any_size_give_the_same_numbers(rows, monkeypatch):
    of = autoencoder(denoising={"uniform": [0.4], "zeroed": [0.5]})
    expected, arrays = measured(of)
    monkeypatch.setattr(inference, "ROWS", rows)
    numbers, found = measured(of)
    assert numbers == pytest.approx(expected, rel=1e-7)
    for name, kept in arrays.items():
        for key, values in kept.items():
            np.testing.assert_allclose(found[name][key], values, rtol=1e-6, atol=1e-6, err_msg=f"{name}, {key}")


LOGITS = st.floats(-40, 40, width=32) | st.sampled_from([0.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf])


@given(st.lists(st.lists(LOGITS, min_size=3, max_size=3), min_size=1, max_size=20))
def test_half_precision_changes_no_predicted_class(rows):
    logits = np.array(rows, dtype=np.float32)
    half = half_precision(logits)
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half.argmax(1), logits.argmax(1))
    single = logits[:, :1]
    np.testing.assert_array_equal(half_precision(single) > 0, single > 0)


def test_logits_that_float16_cannot_tell_apart_stay_apart():
    logits = np.array([[12.001, 12.002, -3.0]], dtype=np.float32)
    assert logits.astype(np.float16).argmax() == 0
    assert half_precision(logits).argmax() == 1


@pytest.mark.parametrize("loss", [{}, {"class_weights": [1, 2, 3, 1, 2, 3, 1, 2, 3, 4]}], ids=["plain", "weighted"])
def test_the_loss_of_known_outputs_is_the_networks_to_the_last_bit(loss):
    of = active(recipe(loss=loss, data={"limit": {"train": 300, "validation": 1300}}))
    network = inference.Inference(of.spec, of.splits, of.state.tensors, CompiledEngine())
    split = of.splits.validation
    assert network.loss_of(network.outputs(split), split) == network.evaluate(split).loss[0]


def test_memory_does_not_grow_with_the_test_set():
    """60,000 images are 188 MB as floats, and pass through the network in parts."""
    of = active(recipe(test={"read_at": ["last"]}))
    test = of.splits.test.open("selected snapshot")
    snapshot = Snapshot("last", 4, of.state.tensors)
    measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), lambda *_: test)  # loads the compiled code
    tracemalloc.start()
    try:
        found = measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), lambda *_: test)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(test) == 60_000
    assert next(arrays for _, name, arrays in found.artifacts if name == "confusion")["counts"].sum() == 60_000
    assert peak < 40e6
