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

from paribus.data.protocols import load_splits
from paribus.errors import UserError
from paribus.execution import foreign, unpickling
from paribus.execution.foreign import weigh_file
from paribus.execution.runner import run_study
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from tests.execution.test_runner import TEXT
from tests.training.plain import network

LAYERS = (784, 16, 10)


def small(**changes: str) -> Study:
    return parse(TEXT, place="a made-up study", overrides=changes)


def weights(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    parts = [nn.Linear(784, 16), nn.Linear(16, 10)]
    return {f"fc{i}.{name}": p.detach() for i, part in enumerate(parts, 1) for name, p in part.named_parameters()}


def saved(content: Any, **more: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **more)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "foreign.pt"


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | Mapping[str, Tensor]], None]:
    """Puts another script in the child's place, or one that says what the child would make of these tensors."""

    def say(what: str | Mapping[str, Tensor]) -> None:
        script = tmp_path / "child.py"
        if not isinstance(what, str):
            (tmp_path / "told").write_bytes(save(dict(what)))
            what = f"import sys; sys.stdout.buffer.write(open({str(tmp_path / 'told')!r}, 'rb').read())"
        script.write_text(what, encoding="utf-8")
        monkeypatch.setattr(unpickling, "__file__", str(script))

    return say


Say = Callable[[str | Mapping[str, Tensor]], None]


def refused(file: Path, content: bytes, says: str) -> str:
    file.write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        weigh_file(file, small(), "slow", 0)
    line = str(caught.value)
    assert line.startswith(f"{file}: must ")
    assert line.isprintable()
    assert "weights_only=False" not in line
    assert "`weights_only` set to `False`" not in line
    return line


def test_the_figures_are_those_of_the_same_network_in_pytorch(file: Path) -> None:
    state = weights()
    file.write_bytes(saved(state))
    weighed = weigh_file(file, small(), "slow", 1)
    splits = load_splits(small().arm("slow").recipe.data, seed=0, replicate=1)
    plain = network(LAYERS, state)
    for split, loss, accuracy in (
        (splits.train, "train_loss_end", "train_accuracy"),
        (splits.validation, "val_loss", "val_accuracy"),
    ):
        with torch.no_grad():
            logits = plain(torch.tensor(split.inputs))
        labels = torch.tensor(split.labels)
        assert weighed.measured[loss] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
        assert weighed.measured[accuracy] == (logits.argmax(1) == labels).double().mean().item()
    hidden = torch.relu(torch.tensor(splits.train.inputs) @ state["fc1.weight"].T + state["fc1.bias"])
    assert weighed.measured["dead_units"] == int((hidden.amax(0) == 0).sum())
    assert weighed.measured["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert not any(name.startswith("test_") for name in weighed.measured)


def test_a_recorded_network_that_comes_back_as_a_file_has_its_recorded_figures(
    file: Path, tmp_path: Path, said: Say
) -> None:
    study = small()
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        run_study(study, workspace, lambda event: None)
        run = next(r for arm, replicate, r in workspace.runs_of(study.id) if (arm, replicate) == ("fast", 0))
        chosen = next(s for s in workspace.selections(run.id) if s.rule == "max-val-accuracy")
        state = {name: torch.tensor(value) for name, value in workspace.tensors.get(chosen.tensors).items()}
        curve = workspace.curves(run.id)["val_loss"]
        recorded = {m.name: m.value for m in workspace.measurements(run.id) if m.rule == "max-val-accuracy"}
    file.write_bytes(saved(state))
    said(state)
    weighed = weigh_file(file, study, "fast", 0)
    assert weighed.run.run_id == run.id
    assert weighed.measured["val_accuracy"] == chosen.value
    assert weighed.measured["val_loss"] == pytest.approx(curve[chosen.epoch - 1], rel=1e-5)
    assert weighed.measured["train_accuracy"] == recorded["train_accuracy"]
    assert weighed.measured["dead_units"] == recorded["dead_units"]


def test_an_autoencoder_is_weighed_by_what_it_makes_of_its_training_images(file: Path, said: Say) -> None:
    text = """
format = 1
name = "small-faces"
question = "Does it?"
[data]
protocol = "faces/all"
train_images = 60
center = true
[network]
kind = "autoencoder"
layers = [4096, 2, 4096]
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
    said(state)
    found = weigh_file(file, study, "n=2", 0).measured
    images = load_splits(study.arm("n=2").recipe.data, seed=0, replicate=0).train.inputs.astype(np.float64)
    assert found["mse"] == pytest.approx(np.mean((images - images.mean(0)) ** 2), rel=1e-4)
    assert found["mean_mse"] == pytest.approx(found["mse"], rel=1e-4)
    assert found["output_variation"] == pytest.approx(0, abs=1e-9)
    assert found["dead_units"] == 2
    assert found["denoise_mse:zeroed-0.5"] == pytest.approx(found["mse"], rel=1e-4)


class Runs:
    """Unpickled, it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_pickle_that_would_run_a_command_does_not(file: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    content = {**weights(), "fc1.weight": Runs(f"touch {told}")}
    refused(file, saved(content), "asks for posix.system;")
    refused(file, saved(content, _use_new_zipfile_serialization=False), "asks for posix.system;")
    assert not told.exists()


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
    assert len(bomb) < foreign._bound(LAYERS)
    start = time.monotonic()
    refused(file, bomb, "must be a state dict")
    assert time.monotonic() - start < foreign.WALL_S


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
        weigh_file(file, small(), "slow", 0)


@pytest.mark.parametrize("cut", [1, -1])
def test_a_truncated_file_is_refused(file: Path, cut: int) -> None:
    refused(file, saved(weights())[:cut], "must be a state dict")


@pytest.mark.parametrize("content", [b"", b"hello, I am weights\n", b"\x93NUMPY\x01\x00", bytes(5000), b"\x80\x02."])
def test_what_is_no_pytorch_file_is_refused(file: Path, content: bytes) -> None:
    refused(file, content, "must be a state dict")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fc1.weight": torch.zeros(16, 783)}, "fc1.weight of shape 16 x 783, not 16 x 784"),
        ({"fc2.bias": torch.zeros(())}, r"fc2.bias of shape \(\), not 10"),
        ({"fc3.weight": torch.zeros(2)}, "784-16-10, and nothing else, got fc3.weight too;"),
        ({"\x1b]0;evil\x07": torch.zeros(2)}, r"\\x1b]0;evil\\x07 too"),
        ({"fc2.weight": torch.full((10, 16), torch.nan)}, "fc2.weight that is not"),
        ({"fc2.bias": torch.full((10,), torch.inf)}, "fc2.bias that is not"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.int64)}, "fc2.bias that is not"),
        ({"fc2.bias": None}, "got no fc2.bias;"),
    ],
)
def test_weights_fit_the_network_to_the_letter(
    file: Path, said: Say, change: dict[str, Tensor | None], says: str
) -> None:
    said({name: value for name, value in {**weights(), **change}.items() if value is not None})
    refused(file, saved(weights()), says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([weights()], "no state dict but a list"),
        ({}, "a dict of 0 entries"),
        ({f"x{i}": torch.zeros(1) for i in range(200)}, "a dict of 200 entries"),
        ({"model_state_dict": weights()}, "a dict under model_state_dict"),
        ({**weights(), "epoch": 240}, "a int under epoch"),
        ({3: torch.zeros(2)}, "a dict whose keys are no names"),
        ({"a" * 101: torch.zeros(2)}, "a dict whose keys are no names"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.int64)}, "a tensor of torch.int64 under fc2.bias"),
        ({"fc2.bias": torch.zeros(10, dtype=torch.complex64)}, "a tensor of torch.complex64 under fc2.bias"),
        ({"fc2.bias": torch.eye(3).to_sparse()}, "a tensor of torch.float32 under fc2.bias"),
        ({"fc2.bias": torch.zeros(3, device="meta")}, "a tensor of torch.float32 under fc2.bias"),
        ({"fc1.weight": torch.zeros(1).expand(2**40)}, f"{2**40} values"),
    ],
)
def test_the_child_hands_on_tensors_only(content: Any, says: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit) as stop:
        unpickling._checked(content, 2**20)
    assert stop.value.code == 1
    assert capsysbinary.readouterr().out.decode() == says


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_kind_of_floating_point_becomes_float32(dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in weights().items()}
    found = load(save(unpickling._checked({**state, "again": state["fc1.bias"][::2]}, 2**20)))
    assert all(torch.equal(found[name], value.float()) for name, value in state.items())
    assert torch.equal(found["again"], state["fc1.bias"][::2].float())


def test_a_child_that_says_something_else_is_not_believed(
    file: Path, said: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "WALL_S", 2.0)
    for script in (
        "import sys; sys.stdout.buffer.write(b'\\xff' * 8 + b'{}')",
        "import sys; sys.stdout.buffer.write(bytes(range(256)))",
        "print(end='')",
        "print('\\x1b[31mred' * 100); raise SystemExit(1)",
        "import os; os.abort()",
        "while True: print('x' * 2**20)",
        "import time; time.sleep(60)",
    ):
        said(script)
        refused(file, saved(weights()), "must be a state dict")


CONFINED = """
import os, socket, sys, types
for name in ("torch", "safetensors", "safetensors.torch"):
    sys.modules[name] = types.ModuleType(name)  # it takes seconds to load, and is not what is tried
sys.modules["safetensors.torch"].save = None
import importlib.util
spec = importlib.util.spec_from_file_location("unpickling", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
told = open(sys.argv[2], "w")
module._confine(2**27)
for attempt in (
    lambda: open(sys.argv[1]),
    lambda: socket.socket(),
    lambda: os.pipe(),
    lambda: bytearray(2**28),
    lambda: (told.write("x"), told.flush()),
    lambda: 1 / (os.system(f"touch {sys.argv[3]}") == 0),
):
    try:
        attempt()
        print("done")
    except Exception as error:
        print(type(error).__name__)
"""


def test_what_ran_in_the_child_all_the_same_could_do_little(tmp_path: Path) -> None:
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
    for path, says in ((pipe, "must be a file,"), (tmp_path, "must be a file"), (tmp_path / "none", "No such file")):
        with pytest.raises(UserError, match=says):
            weigh_file(path, small(), "slow", 0)
