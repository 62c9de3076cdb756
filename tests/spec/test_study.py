from __future__ import annotations

from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.spec.study import MAX_FILE_BYTES, Study, load, parse


def changed(text: str, **overrides: str) -> Study:
    return parse(text, place="mini", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def test_a_study_says_what_its_file_says(mini: str) -> None:
    study = parse(mini, place="mini")
    assert (study.name, study.replicates, study.seed) == ("mini", 2, 0)
    assert [arm.name for arm in study.arms] == ["fixed", "steps"]
    assert study.arm("fixed").recipe.network.layers == (784, 8, 10)
    assert study.arm("fixed").recipe.schedule.kind == "constant"
    assert study.arm("steps").recipe.schedule.kind == "multi-step"


def test_what_a_file_leaves_out_follows_from_its_first_arm(mini: str) -> None:
    study = parse(mini, place="mini")
    assert (study.title, study.control, study.deploy) == ("mini", "fixed", "last")


def test_every_arm_has_every_replicate(mini: str) -> None:
    runs = [(arm.name, replicate) for arm, replicate in parse(mini, place="mini").runs()]
    assert runs == [("fixed", 0), ("fixed", 1), ("steps", 0), ("steps", 1)]


def test_the_document_of_a_study_gives_the_study_again(mini: str) -> None:
    study = changed(mini, optimizer__lr="3e-5", arms__steps__training__epochs="7", title='"Ünïcode 測試"')
    assert parse(study.document, place="elsewhere") == study


def test_the_document_of_crossed_factors_gives_the_study_again(mini: str) -> None:
    text = mini[: mini.index("[[arms]]")] + '[factors]\n"optimizer.lr" = [1e-3, 1e-2]\n"network.dropout" = [0.0, 0.5]\n'
    study = parse(text, place="mini")
    assert len(study.arms) == 4
    assert parse(study.document, place="elsewhere") == study


def test_a_study_cannot_be_changed(mini: str) -> None:
    study = parse(mini, place="mini")
    with pytest.raises(ValueError, match="frozen"):
        study.replicates = 5  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        study.arms[0].recipe.training.epochs = 5  # type: ignore[misc]


def test_identity_follows_content_and_not_layout(mini: str) -> None:
    study = parse(mini, place="mini")
    assert parse(f"# a remark\n{mini}\n", place="elsewhere").id == study.id
    assert changed(mini, optimizer__lr="1e-3").id == study.id
    assert changed(mini, optimizer__lr="2e-3").id != study.id
    assert changed(mini, replicates="3").id != study.id


def test_an_override_of_one_arm_leaves_the_others(mini: str) -> None:
    study = changed(mini, arms__steps__optimizer__lr="0.5")
    assert study.arm("steps").recipe.optimizer.lr == 0.5
    assert study.arm("fixed").recipe.optimizer.lr == 1e-3


def test_windows_line_ends_and_byte_order_mark_are_read(mini: str, tmp_path: Path) -> None:
    file = tmp_path / "mini.toml"
    file.write_bytes(b"\xef\xbb\xbf" + mini.replace("\n", "\r\n").encode())
    assert load(file).id == parse(mini, place="mini").id


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
    for path in (tmp_path, tmp_path / "none.toml", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="can be read"):
            load(path)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(UserError, match="at most"):
        load(Path("/dev/zero"))


def test_claims_must_be_about_what_is_measured(mini: str) -> None:
    claim = (
        '[[claims]]\nstatement = "x"\nmetric = "{metric}"\nby = 0.01\n'
        'better = {{arm = "steps"}}\nthan = {{arm = "fixed"}}'
    )
    assert parse(mini + claim.format(metric="val_accuracy"), place="mini").claims[0].by == 0.01
    with pytest.raises(UserError, match=r"must be measured in arm steps.*test\.read_at"):
        parse(mini + claim.format(metric="test_accuracy"), place="mini")
    read = {"test.read_at": '["last"]'}
    assert parse(mini + claim.format(metric="test_accuracy"), place="mini", overrides=read).claims


def test_a_claim_needs_the_rule_in_both_arms(mini: str) -> None:
    claim = (
        '[[claims]]\nstatement = "x"\nmetric = "val_accuracy"\nbetter = {arm = "steps", rule = "min-val-loss"}\n'
        'than = {arm = "fixed"}\nby = 0.01'
    )
    with pytest.raises(UserError, match="selection rule of arm steps"):
        parse(mini + claim, place="mini")


def test_published_figures_are_kept_under_their_metrics(mini: str) -> None:
    row = '[[published]]\narm = "fixed"\nrule = "last"\nval_accuracy = 0.8345\nepoch = 240\nsource = "a report"\n'
    published = parse(mini + row, place="mini").published[0]
    assert published.values == {"val_accuracy": 0.8345, "epoch": 240.0}


def test_arms_by_the_thousand_are_checked_quickly(mini: str) -> None:
    levels = ", ".join(map(str, range(1, 1001)))
    text = mini[: mini.index("[[arms]]")].replace("lr = 1e-3\n", "") + f'[factors]\n"optimizer.lr" = [{levels}]\n'
    assert len(parse(text, place="mini").arms) == 1000
