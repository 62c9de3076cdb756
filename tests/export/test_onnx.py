"""Exported networks in onnxruntime give what is recorded, from examples as the source has them."""

from __future__ import annotations

import csv

import numpy as np
import onnx
import onnxruntime
import pytest

from paribus.analysis.results import load
from paribus.errors import UserError
from paribus.execution.runner import prepare, run_study
from paribus.export.formats import export
from paribus.store.workspace import Workspace
from tests.export.conftest import own
from tests.kinds import ACTIVATIONS


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ran(path, values):
    opened = session(path)
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, opened.run(None, {"input": values.astype(np.float32)}), strict=True))


def recorded(workspace, name, arm=None):
    run = load(workspace, name).run(arm or name, 0)
    return run.artifact("last", "outputs/validation"), run.artifact("", "targets/validation"), run


def pictures(trained):
    return np.load(trained / "images.npz")["X"]


def houses(trained, *names):
    with (trained / "houses.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[name] or "nan") for name in names] for row in rows])


def test_a_classifier_gives_the_recorded_classes_from_bytes(workspace, trained, tmp_path):
    export(workspace, workspace.study("classes"), "onnx", tmp_path / "out")
    outputs, targets, run = recorded(workspace, "classes", "narrow")
    found = ran(tmp_path / "out" / "narrow_0003.onnx", pictures(trained)[targets["rows"]])
    logits = found["logits"]
    assert logits.shape == (len(targets["rows"]), 3)
    # Recorded logits are float16 without their greatest.
    np.testing.assert_allclose(logits - logits.max(1, keepdims=True), outputs["outputs"], atol=5e-3, rtol=2e-3)
    np.testing.assert_array_equal(logits.argmax(1), outputs["outputs"].argmax(1))
    np.testing.assert_allclose(found["probabilities"].sum(1), 1, rtol=1e-5)
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "out" / "narrow_0003.onnx").metadata_props}
    assert properties["paribus.run"] == run.id
    assert properties["paribus.arm"] == "narrow"


def test_a_regression_takes_gaps_and_gives_original_units(workspace, trained, tmp_path):
    export(workspace, workspace.study("prices"), "onnx", tmp_path / "out")
    outputs, targets, _ = recorded(workspace, "prices")
    found = ran(tmp_path / "out" / "prices_0003.onnx", houses(trained, "a", "b", "c")[targets["rows"]])
    assert np.isnan(houses(trained, "a", "b", "c")).any()
    np.testing.assert_allclose(found["predicted"], outputs["outputs"], rtol=1e-5)


def test_two_classes_with_one_output_have_two_probabilities(workspace, trained, tmp_path):
    export(workspace, workspace.study("kinds"), "onnx", tmp_path / "out")
    outputs, targets, _ = recorded(workspace, "kinds")
    found = ran(tmp_path / "out" / "kinds_0003.onnx", houses(trained, "a", "b", "c")[targets["rows"]])
    np.testing.assert_allclose(found["logits"], outputs["outputs"], atol=2e-3, rtol=2e-3)
    second = 1 / (1 + np.exp(-found["logits"][:, 0].astype(np.float64)))
    np.testing.assert_allclose(found["probabilities"], np.stack([1 - second, second], axis=1), rtol=1e-5)


def test_an_autoencoder_with_tied_weights_gives_images_back(workspace, trained, tmp_path):
    export(workspace, workspace.study("coder"), "onnx", tmp_path / "out")
    outputs, targets, _ = recorded(workspace, "coder")
    images = pictures(trained)[targets["rows"]]
    found = ran(tmp_path / "out" / "coder_0003.onnx", images)["reconstruction"]
    assert found.shape == images.shape
    errors = np.square(found - images / np.float32(255)).mean(axis=(1, 2))
    np.testing.assert_allclose(errors, outputs["error"], rtol=1e-4)


@pytest.fixture(scope="module")
def own_trained(tmp_path_factory):
    """A folder with a workspace that has a module's run, and the module."""
    folder = tmp_path_factory.mktemp("own")
    with Workspace.open(folder / "w", create=True, write=True) as opened:
        assert not run_study(prepare(own(folder)), opened).failed
    return folder


@pytest.fixture
def own_workspace(own_trained):
    with Workspace.open(own_trained / "w") as opened:
        yield opened


def test_a_module_is_exported_by_pytorch_in_a_process_of_its_own(own_workspace, own_trained, tmp_path):
    export(own_workspace, own_workspace.study("own"), "onnx", tmp_path / "out", code=own_trained)
    outputs, targets, run = recorded(own_workspace, "own")
    path = tmp_path / "out" / f"own_{run.epoch('last'):04d}.onnx"
    found = ran(path, pictures(own_trained)[targets["rows"]])["logits"]
    np.testing.assert_allclose(found - found.max(1, keepdims=True), outputs["outputs"], atol=5e-3, rtol=2e-3)


def test_a_module_whose_file_has_changed_is_not_exported(own_workspace, own_trained, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    with pytest.raises(UserError, match="needs the module's Python file"):
        export(own_workspace, own_workspace.study("own"), "onnx", tmp_path / "out", code=code)
    (code / "nets.py").write_text((own_trained / "nets.py").read_text() + "\nprint('other')\n")
    with pytest.raises(UserError, match="must be the file that the run was trained with"):
        export(own_workspace, own_workspace.study("own"), "onnx", tmp_path / "out", code=code)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_has_the_arithmetic_of_pytorch(kind, tmp_path):
    import torch

    from paribus.export.onnx_graph import network_graph
    from paribus.spec.dataset import Dataset
    from tests.training.conftest import recipe

    functions = {
        "relu": torch.relu,
        "leaky-relu": torch.nn.LeakyReLU(0.01),
        "elu": torch.nn.ELU(),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "gelu": torch.nn.GELU(),
        "silu": torch.nn.SiLU(),
        "identity": torch.nn.Identity(),
    }
    study = recipe(network={"hidden": [7], "activation": kind})
    random = np.random.Generator(np.random.PCG64(3))
    shapes = {"fc1.weight": (7, 784), "fc1.bias": (7,), "fc2.weight": (10, 7), "fc2.bias": (10,)}
    state = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    dataset = Dataset("x", 784, (28, 28), tuple("0123456789"), 10, 10, 0, 20)
    prepared = {"divisor": np.array([255.0], np.float32)}
    model = network_graph(study, dataset, state, prepared, {})
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    values = random.integers(0, 256, (5, 28, 28)).astype(np.float32)
    weights = {name: torch.from_numpy(array) for name, array in state.items()}
    linear, seen = torch.nn.functional.linear, torch.from_numpy(values).flatten(1) / 255
    hidden = functions[kind](linear(seen, weights["fc1.weight"], weights["fc1.bias"]))
    theirs = linear(hidden, weights["fc2.weight"], weights["fc2.bias"])
    np.testing.assert_allclose(ran(tmp_path / "m.onnx", values)["logits"], theirs.numpy(), rtol=2e-4, atol=2e-4)
