"""`paribus evaluate` on data that a person names: the figures are PyTorch's and scikit-learn's on the same examples."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from sklearn import metrics
from sklearn.datasets import load_diabetes, load_digits, load_wine
from torch import nn

import paribus as api
from paribus.store.workspace import Workspace
from tests.execution.conftest import save_digits

Paribus = Callable[..., Any]


def saved(network: nn.Module, path: str) -> nn.Module:
    """A network as a safetensors file: opening a pickle takes seconds, and other tests do it."""
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return network


def net(*widths: int, activation: type[nn.Module] = nn.ReLU, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for i in range(len(widths) - 1):
        layers += [nn.Linear(widths[i], widths[i + 1]), activation()]
    return nn.Sequential(*layers[:-1])


def outputs(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.tensor(inputs, dtype=torch.float32)).numpy()


def test_the_figures_are_those_of_pytorch_and_scikit_learn(paribus: Paribus) -> None:
    data = load_wine()
    network = saved(net(13, 8, 3), "net.safetensors")
    result = paribus("evaluate", "net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    logits = outputs(network, data.data)
    guessed = logits.argmax(1)
    expected = {
        "loss": nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(data.target)).item(),
        "accuracy": metrics.accuracy_score(data.target, guessed),
        "balanced_accuracy": metrics.balanced_accuracy_score(data.target, guessed),
        "macro_f1": metrics.f1_score(data.target, guessed, average="macro"),
        "auroc": metrics.roc_auc_score(data.target, torch.softmax(torch.tensor(logits).double(), 1), multi_class="ovr"),
    }
    for name, value in expected.items():
        assert found["measured"][name] == pytest.approx(value, rel=1e-4), name
    assert (found["data"], found["examples"], found["widths"]) == ("sklearn:wine", 178, [13, 8, 3])
    assert not Path("paribus-workspace").exists()


def test_predictions_are_a_row_for_each_example(paribus: Paribus) -> None:
    data = load_digits()
    network = saved(net(64, 16, 10, activation=nn.Tanh), "net.safetensors")
    named = ("--network", "mlp:64-16-10", "--activation", "tanh", "--data", "sklearn:digits")
    result = paribus("evaluate", "net.safetensors", *named, "--predictions", "out.csv", "--metric", "accuracy")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[3:]] == ["metric", "accuracy"]
    with Path("out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row", "label", "predicted", *(f"p({digit})" for digit in range(10))]
    logits = outputs(network, data.data / 16)
    assert [int(row["predicted"]) for row in rows] == logits.argmax(1).tolist()
    assert [int(row["label"]) for row in rows] == data.target.tolist()
    shares = torch.softmax(torch.tensor(logits), 1).numpy()
    np.testing.assert_allclose([[float(row[f"p({d})"]) for d in range(10)] for row in rows], shares, atol=1e-5)
    again = paribus("evaluate", "net.safetensors", *named, "--predictions", "out.csv")
    assert (again.code, len(again.lines)) == (2, 1)
    assert "overwrites nothing" in again.err


def test_numbers_are_predicted_in_their_units(paribus: Paribus) -> None:
    data = load_diabetes()
    network = saved(net(10, 4, 1), "net.safetensors")
    named = ("--network", "mlp:10-4-1", "--data", "sklearn:diabetes", "--task", "regression")
    found = json.loads(paribus("evaluate", "net.safetensors", *named, "--json").out)["measured"]
    predicted = outputs(network, data.data)[:, 0]
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(data.target, predicted), rel=1e-5)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(data.target, predicted), rel=1e-5)
    assert found["r2"] == pytest.approx(metrics.r2_score(data.target, predicted), rel=1e-5)
    scores = api.evaluate("net.safetensors", network="mlp:10-4-1", data="sklearn:diabetes", task="regression")
    np.testing.assert_allclose(scores.outputs()["predicted"], predicted, rtol=1e-5)
    np.testing.assert_array_equal(scores.outputs()["target"], data.target.astype(np.float32))


def test_an_autoencoder_gives_an_error_for_each_example(paribus: Paribus) -> None:
    images = load_digits().data / 16
    network = saved(net(64, 4, 64), "net.safetensors")
    found = api.evaluate("net.safetensors", network="autoencoder:64-4-64", data="sklearn:digits")
    errors = np.square(outputs(network, images) - images).mean(1)
    np.testing.assert_allclose(found.outputs()["error"], errors, rtol=1e-4)
    assert found.measured["mse"] == pytest.approx(errors.mean(), rel=1e-5)


@pytest.fixture
def recorded(paribus: Paribus) -> Path:
    """A recorded study `course` on a file with training, validation and test splits, and another such file."""
    save_digits(Path())
    Path("other").mkdir()
    save_digits(Path("other"), seed=1)
    text = (Path(__file__).parent / "course.toml").read_text(encoding="utf-8")
    Path("course.toml").write_text(text.replace("course.npz", "digits.npz"), encoding="utf-8")
    assert paribus("run", "course.toml").code == 0
    return Path("paribus-workspace")


def run_id(workspace: Path, arm: str, replicate: int) -> str:
    with Workspace.open(workspace) as opened:
        runs = opened.runs_of(opened.study("course").id)
        return next(run.id for a, r, run in runs if (a, r) == (arm, replicate))


def test_a_recorded_network_is_evaluated_by_its_run(paribus: Paribus, recorded: Path) -> None:
    identity = run_id(recorded, "fast", 1)
    found = json.loads(paribus("evaluate", "--run", identity[:12], "--rule", "last", "--json").out)
    assert (found["study"], found["arm"], found["replicate"], found["run"]) == ("course", "fast", 1, identity)
    at_last = found["recorded"]["last"]
    for metric in ("val_accuracy", "train_accuracy", "parameters"):
        assert found["measured"][metric] == at_last[metric]
    named = ("--study", "course", "--arm", "fast", "--replicate", 1, "--rule", "last")
    assert json.loads(paribus("evaluate", *named, "--json").out)["measured"] == found["measured"]


def test_test_data_of_a_study_stay_locked_and_other_data_do_not(paribus: Paribus, recorded: Path) -> None:
    named = ("evaluate", "--run", run_id(recorded, "fast", 0))
    locked = paribus(*named, "--data", "digits.npz:test")
    assert (locked.code, len(locked.lines)) == (2, 1)
    assert "reads them at its declared snapshots only" in locked.err
    own = paribus(*named, "--data", "digits.npz:validation", "--metric", "val_accuracy", "--json")
    expected = json.loads(paribus(*named, "--json").out)["measured"]["val_accuracy"]
    assert json.loads(own.out)["measured"] == {"accuracy": expected}
    assert paribus(*named, "--data", "other/digits.npz:test").code == 0
    before = {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()}
    assert paribus(*named, "--data", "other/digits.npz:test", "--predictions", "p.csv").code == 0
    assert {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()} == before


PATIENTS = """
name = "patients"
question = "Does it?"
replicates = 1
[data]
source = "old.csv"
target = "ill"
missing = "mean"
scale = "standardise"
split = { by = "group", column = "patient", validation = 0.25, test = 0.25 }
[network]
hidden = [4]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = 2
batch_size = 16
[[arms]]
name = "only"
"""


def test_new_rows_are_filled_in_and_scaled_as_the_training_rows_were(paribus: Paribus) -> None:
    random = np.random.default_rng(0)

    def table(rows: int, mean: float) -> pd.DataFrame:
        numbers = random.normal(mean, 2.0, (rows, 3))
        numbers[::5, 1] = np.nan
        frame = pd.DataFrame(numbers, columns=["a", "b", "c"])
        return frame.assign(patient=np.arange(rows) % 20, ill=np.where(numbers[:, 0] > mean, "yes", "no"))

    table(80, 3.0).to_csv("old.csv", index=False)
    new = table(30, 5.0)
    new.assign(note=1).to_csv("new.csv", index=False)  # a column more than the network takes
    Path("patients.toml").write_text(PATIENTS, encoding="utf-8")
    assert paribus("run", "patients.toml").code == 0
    named = ("--study", "patients", "--arm", "only", "--rule", "last")
    result = paribus("evaluate", *named, "--data", "new.csv", "--predictions", "p.csv")
    assert result.code == 0, result.err
    with Workspace.open(Path("paribus-workspace")) as workspace:
        ((_, _, run),) = workspace.runs_of(workspace.study("patients").id)
        weights = workspace.tensors.get(workspace.selections(run.id)[0].tensors or "")
        done = next(a for a in workspace.artifacts(run.id) if a.name == "preprocessing")
        fitted = workspace.tensors.get(done.tensors)
    inputs = new[["a", "b", "c"]].to_numpy(np.float32)
    inputs = (np.where(np.isnan(inputs), fitted["fill"], inputs) - fitted["centre"]) * fitted["factor"]
    network = net(3, 4, 2)
    network.load_state_dict({f"{2 * i}.{end}": torch.tensor(weights[f"fc{i + 1}.{end}"])
                             for i in range(2) for end in ("weight", "bias")})  # fmt: skip
    shares = torch.softmax(torch.tensor(outputs(network, inputs)), 1).numpy()
    found = pd.read_csv("p.csv")
    np.testing.assert_allclose(found["p(yes)"], shares[:, 1], atol=1e-5)
    assert list(found["label"]) == list(new["ill"])
    for words in ("old.csv", "old.csv:test"):
        locked = paribus("evaluate", *named, "--data", words)
        assert (locked.code, len(locked.lines)) == (2, 1)
        assert "declared snapshots only" in locked.err
    assert "on old.csv:train, 40 examples" in paribus("evaluate", *named, "--data", "old.csv:train").out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("net.safetensors",), "must name the network in one way: --network, --study or --run, got none"),
        (("net.safetensors", "--network", "mlp:13-8-3"), "--network needs --data"),
        (("--network", "mlp:13-8-3", "--data", "sklearn:wine"), "--network needs FILE"),
        (("net.safetensors", "--study", "capacity"), "--study needs --arm"),
        (("net.safetensors", "--study", "s", "--arm", "a", "--network", "mlp:1-2"), "got --network and --study"),
        (("net.safetensors", "--study", "s", "--arm", "a", "--activation", "relu"), "--activation goes with --network"),
        (("net.safetensors", "--run", "abcdef", "--rule", "last"), "a weight file or a recorded network"),
        (("--study", "capacity", "--arm", "deep"), "--study needs FILE"),
        (("net.safetensors", "--network", "cnn:3-4", "--data", "sklearn:wine"), "must be mlp or autoencoder"),
        (("net.safetensors", "--network", "mlp:13-9-3", "--data", "sklearn:wine"), "fc1.weight of shape 8 x 13, not"),
        (("net.safetensors", "--network", "mlp:12-8-3", "--data", "sklearn:wine"), "write mlp:13-8-3"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wein"), "did you mean sklearn:wine?"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine:test"), "must name no split: these"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "none.npz:test"), "none.npz"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--activation", "rolu"), "mean relu"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--scale", "big"), "data.scale"),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--set", "x=1"), "key x: must be a"),
        (
            ("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--metric", "acuracy"),
            "mean accuracy",
        ),
        (("net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine", "--target", "y"), "data.target"),
    ],
)
def test_mistakes_are_one_line(paribus: Paribus, argv: tuple[str, ...], says: str) -> None:
    saved(net(13, 8, 3), "net.safetensors")
    result = paribus("evaluate", *argv)
    assert (result.code, result.out) == (2, "")
    assert len(result.lines) == 1
    assert says in result.err
    assert [path.name for path in Path().iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("width", [60, 80])
def test_what_is_printed_fits_the_terminal(paribus: Paribus, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    saved(net(13, 8, 3), "net.safetensors")
    result = paribus("evaluate", "net.safetensors", "--network", "mlp:13-8-3", "--data", "sklearn:wine")
    assert result.out.splitlines()[:2] == ["net.safetensors: 13-8-3", "on sklearn:wine, 178 examples"]
    assert max(map(len, paribus("evaluate", "--help").out.splitlines())) <= width
    assert max(map(len, result.out.splitlines())) <= width
