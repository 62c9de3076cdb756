from __future__ import annotations

import pytest

from paribus.errors import UserError
from paribus.spec.study import parse

_MISTAKES = [
    ("optimzer.lr", "1", "key optimzer", "did you mean optimizer?"),
    ("optimizer.momentun", "0.5", "key optimizer.momentun", "did you mean momentum?"),
    ("training.epoch", "5", "key training.epoch", "did you mean epochs?"),
    ("schedule", '{ kind = "step", stepsize = 3 }', "key schedule.stepsize", "did you mean step_size?"),
    ("arms.steps.data.spilt", "3", "arms[1] (steps), key data.spilt", "did you mean split?"),
    ("optimizer.kind", "sdg", "key optimizer.kind", "did you mean sgd?"),
    ("schedule", "{ gamma = 0.1 }", "key schedule.kind", "got nothing; add kind"),
    ("schedule", '{ kind = "step" }', "key schedule.step_size", "got nothing; add step_size"),
    ("schedule", "step", "key schedule.step_size", "got nothing; add step_size"),
    ("optimizer.lr", "fast", "key optimizer.lr", "must be a number, got 'fast'"),
    ("optimizer.lr", "true", "key optimizer.lr", "must be a number, got true"),
    ("optimizer.lr", "nan", "key optimizer.lr", "must be a finite number, got nan"),
    ("optimizer.lr", "inf", "key optimizer.lr", "got inf"),
    ("optimizer.lr", "1" + "0" * 400, "key optimizer.lr", "must be a finite number"),
    ("optimizer.lr", "2e6", "key optimizer.lr", "must be at most 1000000, got 2000000.0"),
    ("optimizer.lr", "0", "key optimizer.lr", "must be above 0, got 0;"),
    ("optimizer.lr", "-1e-3", "key optimizer.lr", "must be above 0, got -0.001"),
    ("optimizer.momentum", "1.0", "key optimizer.momentum", "must be below 1, got 1.0"),
    ("optimizer.nesterov", "1", "key optimizer.nesterov", "must be true or false"),
    ("optimizer", '{ kind = "adam", lr = 1, betas = [0.9] }', "key optimizer.betas", "at least 2 entries, got [0.9]"),
    ("optimizer", '{ kind = "adam", lr = 1, betas = [0.9, 0.9, 0.9] }', "key optimizer.betas", "at most 2 entries"),
    ("training.epochs", "2.5", "key training.epochs", "must be a whole number"),
    ("training.epochs", "0", "key training.epochs", "must be at least 1"),
    ("training.epochs", "true", "key training.epochs", "must be a whole number"),
    ("training.batch_size", "1e3", "key training.batch_size", "must be a whole number"),
    ("training.batch_size", "1000000", "key training.batch_size", "must be at most 65536"),
    ("training.batch_size", '"128"', "key training.batch_size", "must be a whole number, got '128'"),
    ("training.clip", "{}", "key training.clip", "needs norm or value"),
    ("training.clip", "{ norm = 1, value = 2 }", "key training.clip", "not both"),
    ("training.clip", "1", "key training.clip", "must be a table, got 1"),
    ("network", "3", "key network:", "must be a name or a table, got 3"),
    ("network", "autoencoder", "key network.hidden", "must be given, got nothing; add hidden"),
    ("network.layers", "[8]", "key network.layers", "use one of hidden"),
    ("network.hidden", "784", "key network.hidden", "must be a list"),
    ("network.hidden", '["784", 8]', "key network.hidden[0]", "must be a whole number"),
    ("network.hidden", "[8, 0]", "key network.hidden[1]", "must be at least 1"),
    ("network.kind", "cnn", "key network.kind", "must be one of mlp, autoencoder, module, got 'cnn'"),
    ("network.init", "ortho", "key network.init:", "did you mean orthogonal?"),
    ("network.init", '{ kind = "orthogonal", bias = "0" }', "key network.init.bias", "must be a number"),
    ("network.activation", "rleu", "key network.activation:", "got 'rleu'; did you mean relu?"),
    ("network.activation", '["relu", "rleu"]', "key network.activation[1]:", "did you mean relu?"),
    ("network.activation", "3", "key network.activation:", "must be a name or a table, got 3"),
    ("network.activation", '{ kind = "elu", alfa = 1 }', "key network.activation.alfa", "did you mean alpha?"),
    ("network.activation", '[{ kind = "elu", alpha = -1 }]', "key network.activation[0].alpha", "must be above 0"),
    ("network.batch_norm", "1", "key network.batch_norm", "must be true or false, got 1"),
    ("network.tied", "true", "key network.tied", "must be a known key"),
    ("network", '{ kind = "autoencoder", hidden = [8, 4], tied = true }', "key network:", "such as [128, 32, 128]"),
    ("network", '{ kind = "autoencoder", hidden = [8, 8], tied = true }', "key network:", "an odd number of hidden"),
    ("network", '{ kind = "autoencoder", hidden = [8, 4, 9], tied = true }', "key network:", "hidden is [8, 4, 9]"),
    ("network.activation", "[]", "key network.activation:", "must have at least 1 entry, got []"),
    ("network.activation", '["relu", "tanh"]', "key network:", "lists 2 activations for 1 hidden layer:"),
    ("augmentation", "3", "key augmentation:", "must be a table, got 3"),
    ("augmentation.shift", "-1", "key augmentation.shift", "must be at least 0"),
    ("augmentation.shift", "1.5", "key augmentation.shift", "must be a whole number"),
    ("augmentation.flip", "vertical", "key augmentation.flip", "must be 'none' or 'horizontal', got 'vertical'"),
    ("augmentation.flips", "1", "key augmentation.flips", "did you mean flip?"),
    ("augmentation.noise", "0.1", "key augmentation.noise", "must be a table, got 0.1"),
    ("augmentation.noise", "{ normal = 1 }", "key augmentation.noise.normal", "must be a known key"),
    ("augmentation.noise", "{ gaussian = 1, uniform = 1 }", "key augmentation.noise", "takes gaussian or uniform"),
    ("augmentation.zeroed", "1", "key augmentation.zeroed", "must be below 1"),
    ("data", "3", "key data", "must be a table"),
    ("data.scale", "unti", "key data.scale", "did you mean unit?"),
    ("data.scale", "bytes", "key data.scale", "must be 'none', 'unit', 'centre' or 'standardise', got 'bytes'; change"),
    ("data.split", "3", "key data.split", "must be a name or a table, got 3"),
    ("data.split", "{ validation = 0.1 }", "key data.split.by", "add by"),
    ("data.label_noise", "1.0", "key data.label_noise:", "must be below 1"),
    ("data.label_noise", '{ kind = "pairs", share = 0.1 }', "key data.label_noise.kind", "did you mean pair?"),
    ("data.label_noise", '{ kind = "pair" }', "key data.label_noise.share", "add share"),
    ("data.label_noise", '{ kind = "matrix", matrix = [[0.5, 0.4], [0, 1]] }', "label_noise.matrix", "adds up to 0.9"),
    ("loss", '{ kind = "generalised-cross-entropy", q = 0 }', "key loss.q", "must be at least 0.01"),
    ("loss", '{ kind = "symmetric-cross-entropy", log_zero = 4 }', "key loss.log_zero", "must be below 0"),
    ("data.label_noise", "much", "key data.label_noise:", "must be a number or a table, got 'much'"),
    ("data.limit.train", "0", "key data.limit.train", "must be at least 1"),
    ("data.source", '""', "key data.source", "must not be empty"),
    ("loss", "mze", "key loss:", "got 'mze'; did you mean mse?"),
    ("loss.kind", "mze", "key loss.kind:", "got 'mze'; did you mean mse?"),
    ("loss", "3", "key loss:", "must be a name or a table, got 3"),
    ("loss", "mse", "arms[0] (fixed):", "does not serve classification"),
    ("loss", '{ kind = "mse", label_smoothing = 0.1 }', "key loss.label_smoothing", "must be a known key"),
    ("loss", '{ kind = "cross-entropy", class_weights = [1] }', "key loss.class_weights", "at least 2 entries"),
    ("selection.rules", "[]", "key selection.rules", "at least 1 entry, got []"),
    ("selection.rules", '["best"]', "key selection.rules[0]", "must be min-train-loss"),
    ("selection.rules", '["max-val-loss"]', "key selection.rules[0]", "chooses the worst"),
    ("selection.rules", '["epoch:3", "epoch:03"]', "key selection.rules", "names epoch:3 2 times"),
    ("selection.rules", '["epoch:4"]', "arms[0]", "selection.rules has epoch:4, but training ends at epoch 3; change"),
    ("selection.rules", '["epoch:-1"]', "key selection.rules[0]", "epoch:N"),
    ("test.read_at", '["min-val-loss"]', "arms[0]", "which selection.rules does not"),
    ("metrics", '["val_loss"]', "key metrics[0]", "must be 'train_loss_end'"),
    ("schedule", '{ kind = "multi-step", milestones = [3, 2] }', "key schedule", "must ascend"),
    ("schedule", '{ kind = "cosine", warmup_epochs = 3 }', "arms[0]", "is 3, and must be below training.epochs, 3"),
    ("schedule", '{ kind = "cosine", warmup_start = 5 }', "key schedule.warmup_start", "must be at most 1, got 5"),
    ("schedule", '{ kind = "cosine", warmup_start = 1.000001 }', "key schedule.warmup_start", "1, got 1.000001"),
    ("schedule", '{ kind = "cosine", min_lr = 1.0000001e-3 }', "arms[0]", "is 0.0010000001, above optimizer.lr, 0.001"),
    ("schedule", '{ kind = "one-cycle", anneal_strategy = "cosine" }', "key schedule.anneal", "did you mean cos?"),
    ("training.early_stop", '{ rule = "last", patience = 3 }', "arms[0]", "min- or max- rule"),
    ("replicates", "0", "key replicates:", "must be at least 1"),
    ("replicates", "100000", "key replicates:", "must be at most 10000"),
    ("replicates", "five", "key replicates:", "must be a whole number or a table"),
    ("replicates.vary", '["splt"]', "key replicates.vary[0]", "did you mean split?"),
    ("replicates.vary", "[]", "key replicates.vary", "at least 1 entry, got []"),
    ("replicates.vary", '["init", "init"]', "key replicates.vary", "must name each once"),
    ("replicates.frist", "3", "key replicates.frist", "did you mean first?"),
    ("seed", "-1", "key seed", "must be at least 0"),
    ("name", "../escape", "key name", "lower-case words"),
    ("name", '"Mini Study"', "key name", "lower-case words"),
    ("title", '"a\\u001b[31mb"', "key title", "printable"),
    ("name.x", "1", "--set name.x", "must lead into a table"),
    ("question", '""', "key question", "must not be empty"),
    ("question", '"\\u0007"', "key question", "printable"),
    ("control", "fixd", "key control", "did you mean fixed?"),
    ("deploy", "min-val-loss", "key deploy", "control's selection rules"),
    ("format", "2", "key format", "must be 1"),
    ("format", "true", "key format", "must be a whole number"),
    ("arms.steps.name", "fixed", "arms[1] (fixed), key name", "arm names must differ"),
    ("arms.steps.name", "5", "arms[1]", "must be text"),
    ("arms.steps.nmae", "x", "arms[1]", "did you mean name?"),
    ("arms.steps.seed", "-1", "arms[1] (steps), key seed", "must be at least 0"),
    ("factors.optimizer.lr", "[1.0]", "mini", "got both"),
    ("claims", '[{ statement = "s" }]', "key claims[0].metric", "add metric"),
    ("published", '[{ arm = "fixed", rule = "last", val_acc = 1.0 }]', "published[0]", "did you mean val_accuracy?"),
    ("published", '[{ arm = "fixed", rule = "last", mse = nan }]', "key published[0]", "mse must be a finite number"),
    ("published", '[{ arm = "fixd", rule = "last" }]', "key published[0].arm", "did you mean fixed?"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "place", "words"), _MISTAKES)
def test_a_message_gives_place_rule_value_and_remedy(mini: str, key: str, value: str, place: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(mini, place="mini.toml", overrides={key: value})
    line = str(caught.value)
    assert place in line
    assert words in line
    assert "\n" not in line
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize(("key", "value", "place", "words"), _MISTAKES)
def test_a_mistake_in_an_option_is_changed_in_that_option(
    mini: str, key: str, value: str, place: str, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        parse(mini, place="mini.toml", overrides={key: value})
    assert "change it there" not in str(caught.value)
    if key != "factors.optimizer.lr":  # which is right, and beside arms that are
        assert f"--set {key}" in str(caught.value)


@pytest.mark.parametrize("key", ["name", "question"])
def test_what_must_be_given_is_asked_for(mini: str, key: str) -> None:
    text = mini.replace(f"{key} =", "#", 1)
    with pytest.raises(UserError, match=f"mini.toml, key {key}: must be given, got nothing; add {key}$"):
        parse(text, place="mini.toml")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("lr = 1e-3", "lr = 0", "key optimizer.lr: must be above 0, got 0; change it there"),
        ("lr = 1e-3", "", "key optimizer.lr: must be given, got nothing; add lr"),
        ('name = "steps"', 'name = "steps"\nloss = "mze"', "arms[1] (steps), key loss: must be one of"),
        (
            "milestones = [2]",
            "milestones = [2.5]",
            "arms[1] (steps), key schedule.milestones[0]: must be a whole number",
        ),
        ("milestones = [2] ", "gamma = 2 ", "arms[1] (steps), key schedule.milestones: must be given"),
        ("[training]", "[trainin]", "key trainin: must be a known key, got 'trainin'; did you mean training?"),
    ],
)
def test_a_mistake_is_placed_in_the_tables_of_all_arms_or_in_one_arm(mini: str, old: str, new: str, line: str) -> None:
    assert old in mini
    with pytest.raises(UserError) as caught:
        parse(mini.replace(old, new), place="mini.toml")
    assert str(caught.value).startswith(f"mini.toml, {line}")


def test_an_option_is_named_only_where_it_gave_what_is_wrong(mini: str) -> None:
    def line(text: str, overrides: dict[str, str]) -> str:
        with pytest.raises(UserError) as caught:
            parse(text, place="mini.toml", overrides=overrides)
        return str(caught.value)

    own = mini + "optimizer = { lr = 0 }\n"
    assert line(own, {"optimizer.lr": "0.1"}).endswith("got 0; change it there")
    assert line(own, {"optimizer.momentum": "0.5"}).endswith("got 0; change it there")
    assert line(own, {"arms.steps.optimizer.lr": "-1"}).endswith("got -1; change it in --set arms.steps.optimizer.lr")
    beyond = line(mini.replace('["last",', '["epoch:3",'), {"training.epochs": "1", "training.batch_size": "8"})
    assert beyond.endswith("has epoch:3, but training ends at epoch 1; change it there")
    nesterov = line(mini, {"optimizer.nesterov": "true", "optimizer.lr": "1", "optimizer.momentum": "0"})
    assert nesterov.endswith("nesterov needs a momentum above 0; change it in --set optimizer.momentum")
    whole = line(mini, {"arms": '[{ name = "a", seed = -1 }]'})
    assert whole.endswith("arms[0] (a), key seed: must be at least 0, got -1; change it in --set arms")


def test_an_option_of_a_factor_is_named(mini: str) -> None:
    text = mini[: mini.index("[[arms]]")] + '[factors]\n"optimizer.lr" = [0.1]\n'
    with pytest.raises(UserError, match=r"lr=0\), key optimizer.lr: .* change it in --set factors.optimizer.lr$"):
        parse(text, place="mini.toml", overrides={"factors.optimizer.lr": "[0]"})
    with pytest.raises(UserError, match=r"key factors: must map .* \(in --set factors.optimizer.lr\)$"):
        parse(text, place="mini.toml", overrides={"factors.optimizer.lr": "0.1"})


def test_a_level_that_is_there_twice_is_to_be_removed(mini: str) -> None:
    text = mini[: mini.index("[[arms]]")] + '[factors]\n"optimizer.lr" = [0.1, 0.1]\n'
    with pytest.raises(UserError, match=r"factors \(lr=0.1\), key name: arm names must differ.*; remove a level"):
        parse(text, place="mini.toml")


def test_a_kind_set_alone_over_keys_of_another_kind_asks_for_the_whole_table(mini: str) -> None:
    with pytest.raises(UserError, match=r"key optimizer.momentum: .* give the whole table: --set optimizer='\{ kind"):
        parse(mini, place="mini.toml", overrides={"optimizer.kind": "adam"})


def test_a_key_of_the_wrong_optimizer_is_refused_with_those_it_has(mini: str) -> None:
    with pytest.raises(UserError, match="use one of kind, lr, weight_decay, momentum, nesterov"):
        parse(mini, place="mini.toml", overrides={"optimizer.betas": "[0.9, 0.99]"})
