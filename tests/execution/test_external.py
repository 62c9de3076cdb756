from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from paribus.data.loading import load_splits
from paribus.data.pool import Splits
from paribus.errors import UserError
from paribus.execution import external, unpickling
from paribus.execution.evaluation import evaluate_file
from paribus.execution.external import read_weights
from paribus.spec.activations import Relu
from paribus.spec.network import parameter_shapes
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training.engine import Architecture
from tests.execution.conftest import runs_in, small, trained
from tests.training.oracle import plain_outputs

WIDTHS = (784, 16, 10)


def weights(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    parts = [nn.Linear(784, 16), nn.Linear(16, 10)]
    return {f"fc{i}.{name}": p.detach() for i, part in enumerate(parts, 1) for name, p in part.named_parameters()}


def splits_of(study: Study, arm: str, replicate: int) -> Splits:
    chosen = study.arm(arm)
    return load_splits(chosen.recipe.data, study.folder, study.streams(chosen, replicate))


def saved(content: Any, **more: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **more)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "external.pt"


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | Mapping[str, Tensor]], None]:
    """Replaces the child by another script, or by one that answers with these tensors."""

    def replace(by: str | Mapping[str, Tensor]) -> None:
        script = tmp_path / "child.py"
        if not isinstance(by, str):
            (tmp_path / "answer").write_bytes(save(dict(by)))
            by = f"import sys; sys.stdout.buffer.write(open({str(tmp_path / 'answer')!r}, 'rb').read())"
        script.write_text(by, encoding="utf-8")
        monkeypatch.setattr(external, "_CHILD", script)

    return replace


Answer = Callable[[str | Mapping[str, Tensor]], None]


def refused(file: Path, content: bytes, match: str) -> str:
    file.write_bytes(content)
    with pytest.raises(UserError, match=match) as caught:
        evaluate_file(file, small(), "slow", 0)
    line = str(caught.value)
    assert line.startswith(f"{file}: must ")
    assert line.isprintable()
    assert "weights_only=False" not in line
    assert "`weights_only` set to `False`" not in line
    return line


def test_the_numbers_are_those_of_the_same_network_in_pytorch(file: Path) -> None:
    state = weights()
    file.write_bytes(saved(state))
    found = evaluate_file(file, small(), "slow", 1)
    splits = splits_of(small(), "slow", 1)
    of_numpy = {name: value.numpy() for name, value in state.items()}
    for split, loss, accuracy in (
        (splits.train, "train_loss_end", "train_accuracy"),
        (splits.validation, "val_loss", "val_accuracy"),
    ):
        assert split is not None
        outputs, hidden = plain_outputs(Architecture(WIDTHS, (Relu(),)), of_numpy, split.inputs)
        logits, labels = torch.tensor(outputs), torch.tensor(split.labels)
        assert found.measured[loss] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
        assert found.measured[accuracy] == (logits.argmax(1) == labels).double().mean().item()
        if split is splits.train:
            np.testing.assert_allclose(found.units["fc1.active"], (hidden[0] > 0).mean(0), atol=0.01)
    assert found.measured["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert not any(name.startswith("test_") for name in found.measured)
    assert found.overflowing == ()


def test_a_network_with_batch_normalisation_is_evaluated_by_its_running_statistics(file: Path) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))
    study = small(network="{ hidden = [16], batch_norm = true }")
    validation = splits_of(study, "slow", 0).validation
    assert validation is not None
    net(torch.tensor(validation.inputs))  # moves the running statistics
    file.write_bytes(saved(net.state_dict()))
    found = evaluate_file(file, study, "slow", 0)
    with torch.no_grad():
        logits = net.eval()(torch.tensor(validation.inputs))
    loss = nn.functional.cross_entropy(logits, torch.tensor(validation.labels)).item()
    assert found.measured["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert found.measured["parameters"] == sum(p.numel() for p in net.parameters())
    state = {name: value for name, value in net.state_dict().items() if "running" not in name}
    file.write_bytes(saved(state))
    with pytest.raises(UserError, match="must hold the weights of the network 784-16-10"):
        evaluate_file(file, study, "slow", 0)


@pytest.mark.parametrize("network", ["{ hidden = [16] }", "{ hidden = [16, 8], batch_norm = true }"])
def test_a_recorded_network_that_comes_back_as_a_file_has_its_recorded_numbers(
    file: Path, tmp_path: Path, network: str
) -> None:
    study = small(network=network)
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        trained(study, workspace)
        run = runs_in(workspace, study)["fast", 0]
        chosen = next(s for s in workspace.selections(run.id) if s.rule == "max-val-accuracy")
        assert chosen.epoch is not None
        assert chosen.tensors is not None
        curves = workspace.curves(run.id)
        measured = {m.name: m.value for m in workspace.measurements(run.id) if m.rule == "max-val-accuracy"}
        units = next(a for a in workspace.artifacts(run.id) if (a.rule, a.name) == ("max-val-accuracy", "units"))
        arrays = workspace.tensors.get(units.tensors)
        found = evaluate_file(workspace.tensors.path(chosen.tensors), study, "fast", 0)
    assert found.run.id == run.id
    assert found.measured["val_accuracy"] == chosen.value
    assert found.measured["val_loss"] == curves["val_loss"][chosen.epoch - 1]
    assert found.measured["train_accuracy"] == measured["train_accuracy"]
    assert {name: values.tobytes() for name, values in found.units.items()} == {
        name: values.tobytes() for name, values in arrays.items()
    }


def test_an_autoencoder_is_evaluated_by_its_reconstructions_of_the_training_images(file: Path, answer: Answer) -> None:
    text = """
format = 1
name = "small-faces"
question = "Does it?"
[data]
source = "faces"
split = "all"
scale = "centre"
limit = { train = 60 }
[network]
kind = "autoencoder"
hidden = [2]
[loss]
kind = "mse"
[optimizer]
kind = "adam"
lr = 1e-3
[training]
epochs = 2
batch_size = 20
[denoising]
zeroed = [0.5]
[[arms]]
name = "n=2"
"""
    study = parse(text, place="a made-up study")
    state = {
        "fc1.weight": torch.zeros(2, 4096),
        "fc1.bias": torch.zeros(2),
        "fc2.weight": torch.zeros(4096, 2),
        "fc2.bias": torch.zeros(4096),
    }
    file.write_bytes(saved(state))
    answer(state)
    evaluated = evaluate_file(file, study, "n=2", 0)
    found, images = evaluated.measured, splits_of(study, "n=2", 0).train.inputs.astype(np.float64)
    assert found["mse"] == pytest.approx(np.mean((images - images.mean(0)) ** 2), rel=1e-4)
    assert found["mean_mse"] == pytest.approx(found["mse"], rel=1e-4)
    assert found["output_variation"] == pytest.approx(0, abs=1e-9)
    assert found["denoise_mse:zeroed-0.5"] == pytest.approx(found["mse"], rel=1e-4)
    assert evaluated.units["fc1.variance"].tolist() == [0, 0]


NAMES = {
    "nn.Sequential": "{}.{}",
    "DataParallel": "module.fc{}.{}",
    "torch.compile": "_orig_mod.fc{}.{}",
    "both": "_orig_mod.module.layers.{}.linear.{}",
    "Lightning": "model.net.{}.{}",
}


@pytest.mark.parametrize("pattern", NAMES.values(), ids=NAMES)
def test_layers_are_found_under_the_names_of_other_programs(file: Path, pattern: str) -> None:
    state = weights()
    renamed = {
        pattern.format(9 if name.startswith("fc1") else 10, name.rpartition(".")[2]): value
        for name, value in sorted(state.items(), reverse=True)
    }
    file.write_bytes(save(renamed))
    expected = file.with_name("plain.safetensors")
    expected.write_bytes(save(state))
    assert evaluate_file(file, small(), "slow", 0).measured == evaluate_file(expected, small(), "slow", 0).measured


def test_the_order_of_a_state_dict_comes_through_the_child(file: Path) -> None:
    """safetensors sorts tensors by their names; a state dict has them in the order of the network."""
    state = weights()
    names = {"fc1": "z_in", "fc2": "a_out"}
    content = {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": value for key, value in state.items()}
    file.write_bytes(saved({"state_dict": content, "epoch": 3}))
    expected = file.with_name("plain.safetensors")
    expected.write_bytes(save(state))
    assert evaluate_file(file, small(), "slow", 0).measured == evaluate_file(expected, small(), "slow", 0).measured


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_safetensors_in_half_precision_are_read(file: Path, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in weights().items()}
    file.write_bytes(save(state))
    found = read_weights(file, parameter_shapes(WIDTHS), "the network")
    for name, value in state.items():
        np.testing.assert_array_equal(found.weights[name], value.float().numpy())


def test_buffers_of_a_batch_normalisation_are_named(file: Path) -> None:
    normalised = nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))
    refused(file, saved(normalised.state_dict()), "no fc1.weight, no fc1.bias")
    state = {**weights(), "bn.running_mean": torch.zeros(16), "bn.num_batches_tracked": torch.tensor(3)}
    line = refused(file, saved(state), "bn.running_mean as well")
    assert "bn.num_batches_tracked as well" in line


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_is_found_inside_a_checkpoint(key: str) -> None:
    checkpoint = {"epoch": 3, key: weights(), "optimizer_states": [{"state": {}}], "hparams": {"lr": 0.1}}
    found = unpickling._checked(checkpoint, 2**20)
    assert all(torch.equal(found[name], value) for name, value in weights().items())


def test_a_lightning_checkpoint_is_read_as_a_whole(file: Path) -> None:
    state = weights()
    content = {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in state.items()}, "loops": {}}
    file.write_bytes(saved(content))
    assert evaluate_file(file, small(), "slow", 0).measured["parameters"] == 784 * 16 + 16 + 16 * 10 + 10


def test_outputs_that_overflow_are_named(file: Path) -> None:
    state = {name: value * 1e30 for name, value in weights().items()}
    file.write_bytes(save(state))
    found = evaluate_file(file, small(), "slow", 0)
    assert {"train_loss_end", "val_loss"} <= set(found.overflowing)


def test_numbers_beyond_float32_are_refused(file: Path) -> None:
    state = {name: value.double() for name, value in weights().items()}
    refused(file, save({**state, "fc2.bias": state["fc2.bias"] + 1e300}), "fc2.bias that is not")


class Runs:
    """Unpickled, it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_pickle_that_would_run_a_command_does_not(file: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    content = {**weights(), "fc1.weight": Runs(f"touch {made}")}
    refused(file, saved(content), "asks for posix.system;")
    refused(file, saved(content, _use_new_zipfile_serialization=False), "asks for posix.system;")
    assert not made.exists()


def zipped(records: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(f"archive/{name}", content)
    return buffer.getvalue()


def records(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename.partition("/")[2]: archive.read(info) for info in archive.infolist()}


def test_a_file_that_unpacks_to_much_more_than_its_weights_is_stopped(file: Path) -> None:
    parts = records(saved(weights()))
    (largest,) = (name for name in parts if len(parts[name]) == 4 * 784 * 16)
    bomb = zipped({**parts, largest: bytes(2**29)})
    assert len(bomb) < external._max_bytes(parameter_shapes(WIDTHS))
    start = time.monotonic()
    refused(file, bomb, "must be a state dict")
    assert time.monotonic() - start < external.WALL_S


def test_tensors_that_are_larger_than_their_bytes_are_refused(file: Path) -> None:
    small_ = records(saved({"fc1.weight": torch.zeros(3, 5)}))
    pickle = small_["data.pkl"].replace(b"K\x0f", b"J" + struct.pack("<i", 2**30))
    assert pickle != small_["data.pkl"]
    refused(file, zipped({**small_, "data.pkl": pickle}), "must be a state dict")


def test_a_file_has_a_size_that_fits_its_network(file: Path) -> None:
    refused(file, saved({**weights(), "more": torch.zeros(2**19)}), "must be at most")
    with file.open("wb") as large:
        large.truncate(2**40)
    with pytest.raises(UserError, match="must be at most"):
        evaluate_file(file, small(), "slow", 0)


@pytest.mark.parametrize("cut", [1, -1])
def test_a_truncated_file_is_refused(file: Path, cut: int) -> None:
    refused(file, saved(weights())[:cut], "must be a state dict")


@pytest.mark.parametrize("content", [b"", b"hello, I am weights\n", b"\x93NUMPY\x01\x00", bytes(5000), b"\x80\x02."])
def test_files_of_other_kinds_are_refused(file: Path, content: bytes) -> None:
    refused(file, content, "must be a state dict")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"fc1.weight": torch.zeros(16, 783)}, "fc1.weight of shape 16 x 783, not 16 x 784"),
        ({"fc2.bias": torch.zeros(())}, r"fc2.bias of shape \(\), not 10"),
        ({"fc3.weight": torch.zeros(2)}, "784-16-10, and nothing else, got fc3.weight as well;"),
        ({"\x1b]0;evil\x07": torch.zeros(2)}, r"\\x1b]0;evil\\x07 as well"),
        ({"fc2.weight": torch.full((10, 16), torch.nan)}, "fc2.weight that is not"),
        ({"fc2.bias": torch.full((10,), torch.inf)}, "fc2.bias that is not"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.int64)}, "fc2.bias that is not"),
        ({"fc2.bias": None}, "got no fc2.bias;"),
    ],
)
def test_weights_fit_the_network_name_by_name(
    file: Path, answer: Answer, change: dict[str, Tensor | None], match: str
) -> None:
    answer({name: value for name, value in {**weights(), **change}.items() if value is not None})
    refused(file, saved(weights()), match)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([weights()], "a list, which is not a state dict"),
        ({}, "a dict of 0 entries"),
        ({f"x{i}": torch.zeros(1) for i in range(2000)}, "a dict of 2000 entries"),
        ({"weights": weights()}, "a dict under weights"),
        ({**weights(), "epoch": 240}, "an int under epoch"),
        ({3: torch.zeros(2)}, "a dict whose keys are not names"),
        ({"a" * 101: torch.zeros(2)}, "a dict whose keys are not names"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.int64)}, "a tensor of torch.int64 under fc2.bias"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.complex64)}, "a tensor of torch.complex64 under fc2.bias"),
        ({"fc2.bias": torch.eye(3).to_sparse()}, "a tensor of torch.float32 under fc2.bias"),
        ({"fc2.bias": torch.zeros(3, device="meta")}, "a tensor of torch.float32 under fc2.bias"),
        ({"fc1.weight": torch.zeros(1).expand(2**40)}, f"{2**40} values"),
    ],
)
def test_the_child_passes_tensors_on_and_nothing_else(
    content: Any, match: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(SystemExit) as stop:
        unpickling._checked(content, 2**20)
    assert stop.value.code == 1
    assert capsysbinary.readouterr().out.decode() == match


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_kind_of_floating_point_becomes_float32(dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in weights().items()}
    found = load(save(unpickling._checked({**state, "again": state["fc1.bias"][::2]}, 2**20)))
    assert all(torch.equal(found[name], value.float()) for name, value in state.items())
    assert torch.equal(found["again"], state["fc1.bias"][::2].float())


def test_what_a_child_answers_is_checked(file: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "WALL_S", 2.0)
    for script in (
        "import sys; sys.stdout.buffer.write(b'\\xff' * 8 + b'{}')",
        "import sys; sys.stdout.buffer.write(bytes(range(256)))",
        "print(end='')",
        "print('\\x1b[31mred' * 100); raise SystemExit(1)",
        "import os; os.abort()",
        "while True: print('x' * 2**20)",
        "import time; time.sleep(60)",
    ):
        answer(script)
        refused(file, saved(weights()), "must be a state dict")


CONFINED = """
import os, socket, sys, types
for name in ("torch", "safetensors", "safetensors.torch"):
    sys.modules[name] = types.ModuleType(name)  # loading torch takes seconds
sys.modules["safetensors.torch"].save = None
import importlib.util
spec = importlib.util.spec_from_file_location("unpickling", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
earlier = open(sys.argv[2], "w")
module._confine(2**27)
for attempt in (
    lambda: open(sys.argv[1]),
    lambda: socket.socket(),
    lambda: os.pipe(),
    lambda: bytearray(2**28),
    lambda: (earlier.write("x"), earlier.flush()),
    lambda: 1 / (os.system(f"touch {sys.argv[3]}") == 0),
):
    try:
        attempt()
        print("done")
    except Exception as error:
        print(type(error).__name__)
"""


def test_code_in_the_child_could_do_little(tmp_path: Path) -> None:
    arguments = [unpickling.__file__, str(tmp_path / "open-before"), str(tmp_path / "new")]
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["OSError", "OSError", "OSError", "MemoryError", "OSError", "ZeroDivisionError"]
    assert [path.name for path in tmp_path.iterdir()] == ["open-before"]
    assert (tmp_path / "open-before").read_text(encoding="utf-8") == ""


def test_only_files_are_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, match in ((pipe, "must be a file,"), (tmp_path, "must be a file"), (tmp_path / "none", "file not found")):
        with pytest.raises(UserError, match=match):
            evaluate_file(path, small(), "slow", 0)
