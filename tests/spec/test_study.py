from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import UserError
from paribus.seeding import Stream, Streams
from paribus.spec.recipe import Recipe
from paribus.spec.study import MAX_FILE_BYTES, Study, load, parse
from tests.spec.documents import pairs


def changed(text: str, **overrides: str) -> Study:
    return parse(text, place="mini", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def test_a_study_says_what_its_file_says(mini: str) -> None:
    study = parse(mini, place="mini")
    assert (study.name, list(study.replicates.indices), study.seed) == ("mini", [0, 1], 0)
    assert [arm.name for arm in study.arms] == ["fixed", "steps"]
    assert study.arm("fixed").recipe.network.hidden == (8,)
    assert study.arm("fixed").recipe.data.source == "fashion-mnist"
    assert study.arm("fixed").recipe.schedule.kind == "constant"
    assert study.arm("steps").recipe.schedule.kind == "multi-step"


def test_what_a_file_does_not_give_follows_from_its_first_arm(mini: str) -> None:
    study = parse(mini, place="mini")
    assert (study.title, study.control, study.deploy) == ("mini", "fixed", "last")


def test_every_arm_has_every_replicate(mini: str) -> None:
    members = [(arm.name, replicate) for arm, replicate in parse(mini, place="mini").members()]
    assert members == [("fixed", 0), ("fixed", 1), ("steps", 0), ("steps", 1)]


def test_the_document_of_a_study_gives_the_study_again(mini: str) -> None:
    study = changed(mini, optimizer__lr="3e-5", arms__steps__training__epochs="7", title='"Ünïcode 測試"')
    assert parse(study.document, place="elsewhere") == study


@given(pairs(), st.integers(0, 2**53), st.integers(1, 3))
def test_the_document_of_any_study_gives_its_digest_again(
    pair: tuple[dict[str, Any], dict[str, Any]], seed: int, count: int
) -> None:
    base, over = pair
    document = {**base, "name": "any", "question": "Which?", "seed": seed, "replicates": count,
                "arms": [{"name": "a"}, {"name": "b", "optimizer": over["optimizer"], "seed": 0}]}  # fmt: skip
    study = parse(tomli_w.dumps(document), place="any")
    again = parse(study.document, place="elsewhere")
    assert again == study
    assert again.digest == study.digest
    assert [Recipe.model_validate_json(arm.recipe.model_dump_json()) for arm in study.arms] == [
        arm.recipe for arm in study.arms
    ]


def test_the_document_of_crossed_factors_gives_the_study_again(mini: str) -> None:
    text = mini[: mini.index("[[arms]]")] + '[factors]\n"optimizer.lr" = [1e-3, 1e-2]\n"network.dropout" = [0.0, 0.5]\n'
    study = parse(text, place="mini")
    assert len(study.arms) == 4
    assert parse(study.document, place="elsewhere") == study


def test_a_study_cannot_be_changed(mini: str) -> None:
    study = parse(mini, place="mini")
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 5  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        study.arms[0].recipe.training.epochs = 5  # type: ignore[misc]


def test_a_digest_follows_content_and_not_layout(mini: str) -> None:
    study = parse(mini, place="mini")
    assert parse(f"# a remark\n{mini}\n", place="elsewhere").digest == study.digest
    assert parse(mini, place="mini", folder=Path("elsewhere")).digest == study.digest
    assert changed(mini, optimizer__lr="1e-3").digest == study.digest
    assert changed(mini, optimizer__nesterov="false", replicates__first="0").digest == study.digest
    for key, value in {
        "optimizer.lr": "2e-3",
        "replicates": "3",
        "replicates.first": "1000",
        "question": "Why?",
        "arms.steps.seed": "1",
        "test.read_at": '["last"]',
        "published": '[{ arm = "fixed", rule = "last", val_loss = 0.5 }]',
    }.items():
        assert parse(mini, place="mini", overrides={key: value}).digest != study.digest


def test_published_figures_are_part_of_a_digest(mini: str) -> None:
    row = '[[published]]\narm = "fixed"\nrule = "last"\nval_loss = {}\n'
    one, other = (parse(mini + row.format(figure), place="mini").digest for figure in (0.5, 0.6))
    assert one != other


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("replicates = 5", "replicates = { count = 5 }"),
        ("replicates = 5", 'replicates = { count = 5, first = 0, vary = ["split", "init", "order"] }'),
        ('loss = "mse"', 'loss = { kind = "mse" }'),
        ('schedule = "cosine"', 'schedule = { kind = "cosine" }'),
        ('network.activation = "tanh"', 'network.activation = { kind = "tanh" }'),
        ('network.activation = "tanh"', 'network.activation = ["tanh"]'),
        ('network.activation = "tanh"', 'network.activation = ["tanh", "tanh"]'),
        ('network.activation = ["relu", "gelu"]', 'network.activation = [{ kind = "relu" }, { kind = "gelu" }]'),
        ("", 'network.activation = "relu"'),
        ("", 'network.kind = "mlp"'),
        ('network.init = "orthogonal"', 'network.init = { kind = "orthogonal" }'),
        ("", 'network.init = "linear"'),
        ('data.split = "all"', 'data.split = { by = "all" }'),
        ("data.label_noise = 0.3", 'data.label_noise = { kind = "symmetric", share = 0.3 }'),
        ("", 'data.scale = "unit"'),
        ('selection.rules = ["epoch:2"]', 'selection.rules = ["epoch:02"]'),
    ],
)
def test_a_short_form_says_the_same_as_the_long_one(short: str, long: str) -> None:
    def study(line: str) -> Study:
        head = 'name = "forms"\nquestion = "Which?"\narms = [{ name = "a" }]\n'
        data = 'data.source = "fashion-mnist"\n' + ("" if "data.split" in line else 'data.split = "scarce"\n')
        task = 'data.task = "regression"\n' if "mse" in line else ""
        rest = 'optimizer = { kind = "sgd", lr = 0.1 }\ntraining = { epochs = 3, batch_size = 8 }\n'
        return parse(f"{head}{data}{task}{rest}network.hidden = [8, 8]\n{line}", place="forms")

    assert study(short).digest == study(long).digest
    assert study(short).arms == study(long).arms


def test_an_arm_reaches_through_a_short_form(mini: str) -> None:
    text = mini + "data.split.validation = 0.1\nloss.label_smoothing = 0.1\n"
    text = text.replace("[optimizer]", '[loss]\nkind = "cross-entropy"\n[optimizer]')
    study = parse(text, place="mini")
    assert (study.arm("steps").recipe.data.split.by, study.arm("steps").recipe.data.split.validation) == ("scarce", 0.1)
    assert study.arm("fixed").recipe.data.split.validation == 0.0


def test_an_arm_has_the_seed_of_its_study_unless_it_has_its_own(mini: str) -> None:
    study = changed(mini, seed="7", arms__steps__seed="8")
    assert [arm.seed for arm in study.arms] == [7, 8]
    assert study.streams(study.arm("fixed"), 1) == Streams.of_replicate(7, 1)
    assert study.streams(study.arm("steps"), 1) == Streams.of_replicate(8, 1)


def test_replicates_begin_at_first_and_vary_what_is_listed(mini: str) -> None:
    study = changed(mini, replicates__first="1000", replicates__vary='["init"]')
    assert list(study.replicates.indices) == [1000, 1001]
    streams = study.streams(study.arms[0], 1001)
    assert (streams.init, streams.split, streams.order) == (Stream(0, 1001), Stream(0, 0), Stream(0, 0))


def test_the_default_rule_to_deploy_is_the_first_of_the_control(mini: str) -> None:
    study = changed(mini, control="steps", arms__steps__selection__rules='["max-val-accuracy"]')
    assert study.deploy == "max-val-accuracy"


def test_rules_have_one_spelling_everywhere(mini: str) -> None:
    claim = (
        '[[claims]]\nstatement = "x"\nmetric = "val_accuracy"\nbetter = { arm = "steps", rule = "epoch:03" }\n'
        'than = { arm = "fixed", rule = "epoch:0" }\nby = 0.01\n[[published]]\narm = "fixed"\nrule = "epoch:03"\n'
    )
    rules = {"selection.rules": '["epoch:03", "epoch:0"]', "test.read_at": '["epoch:3"]', "deploy": "epoch:00"}
    study = parse(mini + claim, place="mini", overrides=rules)
    recipe = study.arms[0].recipe
    assert (recipe.selection.rules, recipe.test.read_at, study.deploy) == (
        ("epoch:3", "epoch:0"),
        ("epoch:3",),
        "epoch:0",
    )
    assert (study.claims[0].better.rule, study.published[0].rule) == ("epoch:3", "epoch:3")


def test_an_override_of_one_arm_leaves_the_others(mini: str) -> None:
    study = changed(mini, arms__steps__optimizer__lr="0.5")
    assert study.arm("steps").recipe.optimizer.lr == 0.5
    assert study.arm("fixed").recipe.optimizer.lr == 1e-3


def test_windows_line_ends_and_byte_order_mark_are_read(mini: str, tmp_path: Path) -> None:
    file = tmp_path / "mini.toml"
    file.write_bytes(b"\xef\xbb\xbf" + mini.replace("\n", "\r\n").encode())
    assert load(file).digest == parse(mini, place="mini").digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"\xff\xfe\x00", "UTF-8", id="not-text"),
        pytest.param(b"format = ", "must be TOML", id="not-toml"),
        pytest.param(b"a = " + b"[" * 5000, "must be TOML", id="nested-beyond-recursion"),
        pytest.param(b"seed = " + b"9" * 5000, "must be TOML", id="endless-number"),
        pytest.param(b"[" + b".".join([b"data"] * 500) + b"]\nx = 1", "nest at most", id="deep-tables"),
        pytest.param(b"#" * (MAX_FILE_BYTES + 1), "at most 1000000 bytes", id="huge"),
        pytest.param(b"", "arms", id="empty"),
    ],
)
def test_a_file_that_is_no_study_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="can be read"):
            load(path)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path / "none.toml")
    start = f"{tmp_path / 'none.toml'}: file not found; check the path"
    assert str(caught.value).startswith(start)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(UserError, match="at most"):
        load(Path("/dev/zero"))


def test_published_figures_are_kept_under_their_metrics(mini: str) -> None:
    row = '[[published]]\narm = "fixed"\nrule = "last"\nval_accuracy = 0.8345\nepoch = 240\nsource = "a report"\n'
    published = parse(mini + row, place="mini").published[0]
    assert published.values == {"val_accuracy": 0.8345, "epoch": 240.0}


def test_arms_by_the_thousand_are_checked_quickly(mini: str) -> None:
    levels = ", ".join(map(str, range(1, 1001)))
    text = mini[: mini.index("[[arms]]")].replace("lr = 1e-3\n", "") + f'[factors]\n"optimizer.lr" = [{levels}]\n'
    assert len(parse(text, place="mini").arms) == 1000
