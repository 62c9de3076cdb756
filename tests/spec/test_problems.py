from __future__ import annotations

import pytest

from paribus.errors import UserError
from paribus.spec.study import parse

_MISTAKES = [
    ("optimzer.lr", "1", "key optimzer", "did you mean optimizer?"),
    ("optimizer.momentun", "0.5", "optimizer.momentun", "did you mean momentum?"),
    ("training.epoch", "5", "training.epoch", "did you mean epochs?"),
    ("schedule", '{ kind = "step", stepsize = 3 }', "schedule.stepsize", "did you mean step_size?"),
    ("arms.steps.data.protocl", "3", "data.protocl", "did you mean protocol?"),
    ("optimizer.kind", "sdg", "optimizer.kind", "did you mean sgd?"),
    ("schedule", "{ gamma = 0.1 }", "schedule.kind", "got nothing"),
    ("schedule", '{ kind = "step" }', "schedule.step_size", "add step_size"),
    ("optimizer.lr", "fast", "optimizer.lr", "must be a number, got 'fast'"),
    ("optimizer.lr", "true", "optimizer.lr", "must be a number, got True"),
    ("optimizer.lr", "nan", "optimizer.lr", "must be a finite number, got nan"),
    ("optimizer.lr", "inf", "optimizer.lr", "got inf"),
    ("optimizer.lr", "0", "optimizer.lr", "must be above 0"),
    ("optimizer.lr", "-1e-3", "optimizer.lr", "must be above 0"),
    ("optimizer.momentum", "1.0", "optimizer.momentum", "must be below 1"),
    ("optimizer.nesterov", "1", "optimizer.nesterov", "must be true or false"),
    ("training.epochs", "2.5", "training.epochs", "must be a whole number"),
    ("training.epochs", "0", "training.epochs", "must be at least 1"),
    ("training.epochs", "true", "training.epochs", "must be a whole number"),
    ("training.batch_size", "1e3", "training.batch_size", "must be a whole number"),
    ("training.batch_size", "1000000", "training.batch_size", "must be at most 65536"),
    ("training.batch_size", '"128"', "training.batch_size", "must be a whole number, got '128'"),
    ("network.layers", "784", "network.layers", "must be a list"),
    ("network.layers", '["784", 8, 10]', "network.layers[0]", "must be a whole number"),
    ("network.layers", "[784, 0, 10]", "network.layers[1]", "must be at least 1"),
    ("network.layers", "[784, 8, 11]", "arms[0]", "has 10 classes, but network.layers ends with 11"),
    ("network.layers", "[4096, 8, 10]", "arms[0]", "has images of 784 pixels"),
    ("network.kind", "cnn", "network.kind", "got 'cnn'"),
    ("network.kind", "autoencoder", "network", "as wide as its first"),
    ("data", "3", "key data", "must be a table"),
    ("data.protocol", "mnist", "data.protocol", "fashion-mnist/scarce"),
    ("data.protocol", "file/faces", "key data", "needs `file`"),
    ("data.file", "faces.npy", "key data", "takes no `file`"),
    ("data.label_noise", "1.0", "data.label_noise", "must be below 1"),
    ("data.validation_fraction", "0.2", "arms[0]", "has its own validation split"),
    ("data.protocol", "faces/all", "arms[0]", "no labels"),
    ("loss.kind", "mse", "arms[0]", "an mlp needs"),
    ("loss", '{ kind = "mse", label_smoothing = 0.1 }', "key loss", "cross-entropy only"),
    ("selection.rules", "[]", "selection.rules", "at least 1"),
    ("selection.rules", '["best"]', "selection.rules[0]", "must be min-train-loss"),
    ("selection.rules", '["max-val-loss"]', "selection.rules[0]", "chooses the worst"),
    ("selection.rules", '["max-test-accuracy"]', "arms[0]", "is not measured in this arm"),
    ("selection.rules", '["epoch:4"]', "arms[0]", "training ends at epoch 3"),
    ("selection.rules", '["epoch:-1"]', "selection.rules[0]", "epoch:N"),
    ("test.read_at", '["min-val-loss"]', "arms[0]", "which selection.rules does not"),
    ("schedule", '{ kind = "multi-step", milestones = [3, 2] }', "schedule", "must ascend"),
    ("schedule", '{ kind = "cosine", warmup_epochs = 3 }', "arms[0]", "must be below training.epochs"),
    ("training.early_stop", '{ rule = "last", patience = 3 }', "arms[0]", "min- or max- rule"),
    ("replicates", "0", "key replicates", "must be at least 1"),
    ("replicates", "100000", "key replicates", "must be at most 10000"),
    ("seed", "-1", "key seed", "must be at least 0"),
    ("name", "../escape", "key name", "lower-case words"),
    ("name", '"Mini Study"', "key name", "lower-case words"),
    ("title", '"a\\u001b[31mb"', "key title", "printable"),
    ("question", '""', "key question", "must not be empty"),
    ("question", '"\\u0007"', "key question", "printable"),
    ("control", "fixd", "key control", "did you mean fixed?"),
    ("deploy", "min-val-loss", "key deploy", "control's selection rules"),
    ("format", "2", "key format", "must be 1"),
    ("format", "true", "key format", "must be a whole number"),
    ("arms.steps.name", "fixed", "key arms", "arm names must differ"),
    ("arms.steps.name", "5", "arms[1]", "must be text"),
    ("arms.steps.nmae", "x", "arms[1]", "did you mean name?"),
    ("factors.optimizer.lr", "[1.0]", "mini", "got both"),
    ("claims", '[{ statement = "s" }]', "claims[0].metric", "add metric"),
    ("published", '[{ arm = "fixed", rule = "last", val_acc = 1.0 }]', "published[0]", "val_acc is no metric"),
    ("published", '[{ arm = "fixed", rule = "last", mse = nan }]', "published[0]", "finite number"),
]


@pytest.mark.parametrize(("key", "value", "place", "words"), _MISTAKES)
def test_a_mistake_is_told_by_place_rule_value_and_remedy(
    mini: str, key: str, value: str, place: str, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        parse(mini, place="mini.toml", overrides={key: value})
    line = str(caught.value)
    assert place in line
    assert words in line
    assert "\n" not in line
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize("key", ["format", "name", "question"])
def test_what_must_be_given_is_asked_for(mini: str, key: str) -> None:
    text = "\n".join(line for line in mini.splitlines() if not line.startswith(f"{key} ="))
    if key == "name":
        text = text.replace("[[arms]]", '[[arms]]\nname = "a"', 1).replace(
            "[[arms]]\nschedule", '[[arms]]\nname = "b"\nschedule'
        )
    with pytest.raises(UserError, match=f"key {key}: must be given, got nothing; add {key}"):
        parse(text, place="mini.toml")


def test_a_key_of_the_wrong_optimizer_is_refused_with_those_it_has(mini: str) -> None:
    with pytest.raises(UserError, match="use one of kind, lr, momentum, nesterov, weight_decay"):
        parse(mini, place="mini.toml", overrides={"optimizer.betas": "[0.9, 0.99]"})
