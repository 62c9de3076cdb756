from __future__ import annotations

import pytest
from pydantic import ValidationError

from paribus.spec.recipe import Adam, AdamW, Cosine, Network, Recipe, Sgd, Training
from paribus.spec.study import parse


def test_the_defaults_of_optimizers_are_those_of_pytorch() -> None:
    assert Sgd(kind="sgd", lr=0.1).model_dump() == {
        "kind": "sgd",
        "lr": 0.1,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    assert (Adam(kind="adam", lr=0.1).betas, Adam(kind="adam", lr=0.1).eps) == ((0.9, 0.999), 1e-8)
    assert AdamW(kind="adamw", lr=0.1).weight_decay == 0.01


def test_the_curves_of_a_recipe_follow_from_what_it_measures(mini: str) -> None:
    def curves(**changes: str) -> tuple[str, ...]:
        overrides = {key.replace("__", "."): value for key, value in changes.items()}
        return parse(mini, place="mini", overrides=overrides).arms[0].recipe.curves

    assert curves() == ("train_loss", "val_loss", "val_accuracy", "lr")
    assert curves(training__measure_train_loss_end="true")[:2] == ("train_loss", "train_loss_end")
    assert curves(test__monitor_every="1")[-3:] == ("test_loss", "test_accuracy", "lr")
    noisy = {"data__protocol": "fashion-mnist/noisy-labels", "selection__rules": '["last"]'}
    assert curves(**noisy) == ("train_loss", "lr")
    assert curves(**noisy, data__validation_fraction="0.1") == ("train_loss", "val_loss", "val_accuracy", "lr")


def faces(**changes: object) -> Recipe:
    content = {
        "data": {"protocol": "faces/all"},
        "network": {"kind": "autoencoder", "layers": [4096, 16, 4096]},
        "loss": {"kind": "mse"},
        "optimizer": {"kind": "adam", "lr": 1e-4},
        "training": {"epochs": 10, "batch_size": 64},
    }
    return Recipe.model_validate({**content, **changes})


def test_faces_have_neither_labels_nor_validation_nor_test() -> None:
    recipe = faces()
    assert (recipe.has_labels, recipe.has_validation, recipe.has_test) == (False, False, False)
    assert recipe.curves == ("train_loss", "lr")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test": {"monitor_every": 1}}, "no test split"),
        ({"loss": {"kind": "cross-entropy"}}, "needs loss.kind = 'mse'"),
        ({"network": {"kind": "autoencoder", "layers": [784, 16, 784]}}, "4096 pixels"),
        ({"data": {"protocol": "faces/all", "label_noise": 0.3}}, "no labels"),
        ({"data": {"protocol": "faces/all", "test_images": 3}}, "no test split"),
        ({"data": {"protocol": "faces/all", "validation_images": 3}}, "no validation split"),
        ({"schedule": {"kind": "reduce-on-plateau"}}, "not measured"),
        ({"selection": {"rules": ["max-val-accuracy"]}}, "not measured"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        faces(**changes)


def test_an_autoencoder_returns_to_its_input() -> None:
    with pytest.raises(ValidationError, match="as wide as its first"):
        Network(kind="autoencoder", layers=(4096, 16, 784))


def test_numbers_of_the_wrong_type_are_not_converted() -> None:
    with pytest.raises(ValidationError):
        Training.model_validate({"epochs": "3", "batch_size": 8})
    with pytest.raises(ValidationError):
        Training.model_validate({"epochs": 3.0, "batch_size": 8})
    with pytest.raises(ValidationError):
        Cosine.model_validate({"kind": "cosine", "min_lr": True})
