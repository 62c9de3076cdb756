from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from paribus.spec.activations import Elu, Relu, Tanh
from paribus.spec.dataset import Dataset
from paribus.spec.losses import ForwardCorrection
from paribus.spec.network import Autoencoder, Mlp, layer_names, parameter_count, parameter_shapes
from paribus.spec.recipe import Recipe, Training
from paribus.spec.schedules import Cosine
from paribus.spec.study import parse

CLASSES = tuple("abcdefghij")
IMAGES = Dataset("fashion-mnist", 784, (28, 28), CLASSES, train=8000, validation=2000, test=60_000, held_out_of=10_000)
FACES = Dataset("faces", 4096, (64, 64), (), train=400, validation=0, test=0, held_out_of=400)


def of(mini: str, **changes: str) -> Recipe:
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return parse(mini, place="mini", overrides=overrides).arms[0].recipe


def test_the_curves_of_a_recipe_follow_from_what_it_measures(mini: str) -> None:
    plain = ("train_loss", "train_loss_examples", "val_loss", "val_accuracy", "lr")
    assert of(mini).curves(IMAGES) == plain
    assert of(mini, metrics='["train_loss_end"]').curves(IMAGES)[2] == "train_loss_end"
    assert of(mini, test__monitor_every="1").curves(IMAGES)[-3:] == ("test_loss", "test_accuracy", "lr")
    undivided = replace(IMAGES, validation=0)
    assert of(mini).curves(undivided) == ("train_loss", "train_loss_examples", "lr")
    regression = {"data__task": "regression", "loss": "mse"}
    numbers = ("train_loss", "train_loss_examples", "val_loss", "val_rmse", "lr")
    assert of(mini, **regression).curves(IMAGES) == numbers


def test_widths_of_input_and_output_come_from_the_data(mini: str) -> None:
    assert of(mini).widths(IMAGES) == (784, 8, 10)
    assert of(mini, network__hidden="[]").widths(IMAGES) == (784, 10)
    assert of(mini, loss="binary-cross-entropy").widths(replace(IMAGES, classes=("no", "yes"))) == (784, 8, 1)
    with pytest.raises(ValueError, match="needs 2 classes, and the data have 10"):
        of(mini, loss="binary-cross-entropy").widths(IMAGES)
    assert faces().widths(FACES) == (4096, 16, 4096)


def test_each_hidden_layer_has_an_activation(mini: str) -> None:
    assert of(mini, network__hidden="[8, 8]").network.activations == (Relu(), Relu())
    listed = of(mini, network__hidden="[8, 8]", network__activation='["tanh", { kind = "elu" }]')
    assert listed.network.activations == (Tanh(kind="tanh"), Elu(kind="elu"))
    assert of(mini, network__hidden="[]").network.activations == ()


def test_a_state_dict_has_a_weight_and_a_bias_for_each_layer() -> None:
    assert layer_names((784, 8, 10)) == ("fc1", "fc2")
    assert parameter_shapes((784, 8, 10)) == {
        "fc1.weight": (8, 784),
        "fc1.bias": (8,),
        "fc2.weight": (10, 8),
        "fc2.bias": (10,),
    }
    assert (parameter_count((784, 8, 10)), parameter_count((784, 8, 10), biases=False)) == (6370, 6352)


def faces(**changes: Any) -> Recipe:
    content = {
        "data": {"source": "faces", "split": "all"},
        "network": {"kind": "autoencoder", "hidden": [16]},
        "loss": "mse",
        "optimizer": {"kind": "adam", "lr": 1e-4},
        "training": {"epochs": 10, "batch_size": 64},
    }
    return Recipe.model_validate({**content, **changes})


def test_the_task_is_what_the_network_is_for_unless_the_data_say_otherwise(mini: str) -> None:
    assert (of(mini).task, faces().task) == ("classification", "reconstruction")
    assert of(mini, data__task="regression", loss="huber").task == "regression"


CLASSIFIER = {"kind": "mlp", "hidden": [16]}
SPLIT = {"source": "x", "split": "all"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"loss": "cross-entropy"}, "'cross-entropy' does not serve reconstruction", id="loss-of-classes"),
        pytest.param({"network": CLASSIFIER}, "'mse' does not serve classification: .* such as 'cross-entropy'",
                     id="loss-of-numbers"),
        pytest.param({"network": CLASSIFIER, "data": {**SPLIT, "task": "regression"}, "loss": "cross-entropy"},
                     "does not serve regression", id="loss-of-classes-for-numbers"),
        pytest.param({"network": CLASSIFIER, "data": {**SPLIT, "task": "reconstruction"}}, "goes with network.kind",
                     id="mlp-that-reconstructs"),
        pytest.param({"data": {**SPLIT, "task": "classification"}}, "goes with network.kind",
                     id="autoencoder-that-classifies"),
        pytest.param({"data": {**SPLIT, "label_noise": 0.3}}, "reconstruction has none", id="noisy-labels-of-none"),
        pytest.param({"network": CLASSIFIER, "data": {**SPLIT, "label_noise": 0.3, "task": "regression"}},
                     "regression has none", id="noisy-labels-of-numbers"),
        pytest.param({"occlusion": {"patch": 4}}, "reconstruction has neither", id="hidden-parts-of-no-class"),
        pytest.param({"network": {"kind": "autoencoder", "hidden": []}}, "at least 1 item", id="no-code"),
        pytest.param({"network": {"hidden": [4, 4], "activation": ["relu", "tanh", "relu"]}}, "for 2 hidden layers",
                     id="activations-and-layers"),
        pytest.param({"optimizer": {"kind": "sgd", "lr": 0.1, "nesterov": True}}, "needs a momentum", id="nesterov"),
        pytest.param({"schedule": {"kind": "cosine", "min_lr": 1e-3}}, "min_lr is 0.001, above optimizer.lr, 0.0001",
                     id="cosine-that-rises"),
        pytest.param({"schedule": {"kind": "cosine-restarts", "first_cycle": 2, "min_lr": 1e-3}}, "min_lr is 0.001",
                     id="restarts-that-rise"),
        pytest.param({"schedule": {"kind": "reduce-on-plateau", "min_lr": 1e-3}}, "min_lr is 0.001",
                     id="plateau-that-never-acts"),
        pytest.param({"schedule": {"kind": "cosine", "warmup_epochs": 10}}, "warmup_epochs is 10", id="all-warm-up"),
        pytest.param({"schedule": {"kind": "cosine", "warmup_start": 5.0}}, "or equal to 1", id="warm-up-falls"),
        pytest.param({"schedule": {"kind": "multi-step", "milestones": [2, 2]}}, "must ascend", id="milestones"),
        pytest.param({"optimizer": {"kind": "sgd", "lr": 0.1}, "schedule": "one-cycle"}, "needs an optimizer with",
                     id="one-cycle-of-sgd"),
        pytest.param({"optimizer": {"kind": "rmsprop", "lr": 0.1}, "schedule": "one-cycle"},
                     "needs an optimizer with momentum", id="one-cycle-of-rmsprop"),
        pytest.param({"training": {"epochs": 1, "batch_size": 1, "clip": {}}}, "needs norm or value", id="no-clip"),
        pytest.param({"training": {"epochs": 1, "batch_size": 1, "clip": {"norm": 1, "value": 1}}}, "not both",
                     id="clip-both"),
        pytest.param({"selection": {"rules": ["epoch:11"]}}, "training ends at epoch 10", id="epoch-beyond-the-end"),
        pytest.param({"selection": {"rules": ["epoch:1", "epoch:01"]}}, "names epoch:1 2 times", id="rule-twice"),
        pytest.param({"test": {"read_at": ["epoch:1"]}}, "which selection.rules does not", id="read-at-no-rule"),
        pytest.param({"training": {"epochs": 3, "batch_size": 1, "early_stop": {"rule": "max-test-accuracy",
                     "patience": 1}}}, "not of test data", id="stop-by-test-data"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        faces(**changes)


NOISY = {"source": "fashion-mnist", "split": "scarce", "label_noise": 0.3}
TEACHING = {"epochs": 3, "batch_size": 1, "co_teaching": {"forget": 0.3}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "forward-correction", "data": SPLIT}, "loss.matrix is needed: .* and there is none"),
        ({"loss": "forward-correction", "data": {**NOISY, "label_noise": {"kind": "instance", "share": 0.3}}},
         "instance noise has none"),
        ({"data": SPLIT, "metrics": ["train_accuracy_wrong"]}, "without data.label_noise no label is wrong"),
        ({"data": {**NOISY, "label_noise": {"kind": "matrix", "matrix": [[0.5, 0.5], [1, 0.1]]}}},
         "row 2 adds up to 1.1"),
        ({"data": {**NOISY, "label_noise": {"kind": "matrix", "matrix": [[1, 0, 0], [0, 1, 0]]}}}, "must be square"),
        ({"augmentation": {"mixup": 1.0}, "loss": "generalised-cross-entropy"}, "mixup mixes labels"),
        ({"augmentation": {"mixup": 0.01}}, "must be 0, or from 0.1 on"),
        ({"training": TEACHING, "loss": {"class_weights": [1, 2]}}, "co_teaching goes with loss.kind"),
        ({"training": TEACHING, "augmentation": {"mixup": 1.0}}, "does not go with augmentation.mixup"),
        ({"training": TEACHING, "network": {"hidden": [4], "batch_norm": True}}, "without batch_norm"),
        ({"selection": {"rules": ["min-train-accuracy-wrong"]}}, "must not choose by true labels"),
        ({"selection": {"rules": ["max-train-accuracy-true"]}}, "must not choose by true labels"),
    ],
)  # fmt: skip
def test_what_cannot_help_against_wrong_labels_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        faces(**{"network": CLASSIFIER, "data": NOISY, "loss": "cross-entropy", **changes})


def test_a_forward_correction_takes_the_matrix_of_the_noise_unless_it_has_its_own() -> None:
    base = {"network": CLASSIFIER, "loss": "forward-correction"}
    two = Dataset("x", 4, (4,), ("a", "b"), train=9, validation=0, test=0, held_out_of=9)
    for noise, matrix in ((0.2, [[0.9, 0.1], [0.1, 0.9]]), ({"kind": "pair", "share": 0.2}, [[0.8, 0.2], [0.2, 0.8]])):
        loss = faces(**base, data={**NOISY, "label_noise": noise}).loss_on(two)
        assert isinstance(loss, ForwardCorrection)
        assert loss.matrix is not None
        assert [pytest.approx(row) for row in loss.matrix] == matrix
    own = {"kind": "forward-correction", "matrix": [[1, 0], [0.5, 0.5]]}
    recipe = faces(**{**base, "loss": own}, data=NOISY)
    assert recipe.loss_on(two) == recipe.loss


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"kind": "cosine", "min_lr": 1e-4}},
        {"schedule": {"kind": "cosine", "warmup_epochs": 9, "warmup_start": 1.0}},
        {"schedule": "one-cycle"},
        {"optimizer": {"kind": "adamw", "lr": 0.1}, "schedule": "one-cycle"},
        {"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.5}, "schedule": "one-cycle"},
        {"optimizer": {"kind": "rmsprop", "lr": 0.1, "momentum": 0.5}, "schedule": "one-cycle"},
        {"optimizer": {"kind": "sgd", "lr": 0.1}, "schedule": {"kind": "one-cycle", "cycle_momentum": False}},
        {"loss": {"kind": "huber", "delta": 0.1}},
        {"network": CLASSIFIER, "data": {**SPLIT, "task": "regression"}, "loss": "l1"},
        {"network": CLASSIFIER, "loss": "binary-cross-entropy"},
        {"network": {"hidden": []}, "loss": "cross-entropy"},
        {"training": {"epochs": 1, "batch_size": 1, "clip": {"norm": 1}}},
        {"training": {"epochs": 1, "batch_size": 1, "clip": {"value": 0.5}}},
        {"selection": {"rules": ["epoch:0", "epoch:10"]}, "test": {"read_at": ["epoch:0"]}},
    ],
)
def test_parts_that_fit_together_are_accepted(changes: dict[str, Any]) -> None:
    assert faces(**changes)


def test_the_kind_decides_which_network_it_is() -> None:
    assert isinstance(faces().network, Autoencoder)
    assert isinstance(faces(network={"hidden": [3]}, loss="cross-entropy").network, Mlp)


def test_numbers_of_the_wrong_type_are_not_converted() -> None:
    with pytest.raises(ValidationError):
        Training.model_validate({"epochs": "3", "batch_size": 8})
    with pytest.raises(ValidationError):
        Training.model_validate({"epochs": 3.0, "batch_size": 8})
    with pytest.raises(ValidationError):
        Cosine.model_validate({"kind": "cosine", "min_lr": True})
