from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import UserError, nearest
from paribus.spec.overrides import Override, apply_override, merged

words = st.text("abcdefgh_-0123456789", min_size=1, max_size=6)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
tables = st.recursive(
    st.dictionaries(words, leaves, max_size=4), lambda inner: st.dictionaries(words, leaves | inner, max_size=4)
)


@given(tables, tables)
def test_a_value_merged_in_wins_and_the_others_stay(base: dict[str, Any], over: dict[str, Any]) -> None:
    result = merged(base, over)
    assert result.keys() == base.keys() | over.keys()
    for key, value in over.items():
        if not isinstance(value, dict):
            assert result[key] == value
    for key in base.keys() - over.keys():
        assert result[key] == base[key]


@given(tables)
def test_merging_a_table_with_itself_or_with_an_empty_one_changes_nothing(table: dict[str, Any]) -> None:
    assert merged(table, {}) == merged({}, table) == merged(table, table) == table


@given(tables, tables)
def test_merging_changes_neither_side(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = repr((base, over))
    merged(base, over)
    assert repr((base, over)) == before


def test_another_kind_replaces_the_table_whole() -> None:
    base = {"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9}}
    assert merged(base, {"optimizer": {"kind": "adam", "lr": 1e-4}}) == {"optimizer": {"kind": "adam", "lr": 1e-4}}
    assert merged(base, {"optimizer": {"kind": "sgd", "lr": 1.0}})["optimizer"]["momentum"] == 0.9
    assert merged(base, {"optimizer": {"lr": 1.0}})["optimizer"] == {"kind": "sgd", "lr": 1.0, "momentum": 0.9}


@pytest.mark.parametrize(
    ("key", "below", "above", "result"),
    [
        ("split", "scarce", {"validation": 0.1}, {"by": "scarce", "validation": 0.1}),
        ("split", {"by": "scarce", "validation": 0.1}, "all", {"by": "all", "validation": 0.1}),
        ("split", "scarce", "all", "all"),
        ("label_noise", 0.3, {"kind": "symmetric"}, {"share": 0.3, "kind": "symmetric"}),
        ("loss", "huber", {"delta": 2.0}, {"kind": "huber", "delta": 2.0}),
        ("loss", {"kind": "huber", "delta": 2.0}, "mse", "mse"),
        ("loss", {"kind": "huber", "delta": 2.0}, "huber", {"kind": "huber", "delta": 2.0}),
        ("activation", ["relu", "tanh"], {"kind": "elu"}, {"kind": "elu"}),
        ("activation", "relu", ["relu", "tanh"], ["relu", "tanh"]),
        ("network", {"hidden": [8]}, {"kind": "mlp", "dropout": 0.5}, {"hidden": [8], "kind": "mlp", "dropout": 0.5}),
        ("network", {"hidden": [8]}, "mlp", {"hidden": [8], "kind": "mlp"}),
        ("loss", {"label_smoothing": 0.1}, "cross-entropy", {"label_smoothing": 0.1, "kind": "cross-entropy"}),
        ("network", {"hidden": [8]}, {"kind": "autoencoder"}, {"kind": "autoencoder"}),
        ("network", {"kind": "autoencoder", "hidden": [8]}, {"kind": "mlp"}, {"kind": "mlp"}),
        ("title", "plain", {"by": "x"}, {"by": "x"}),
    ],
)
def test_a_value_is_merged_as_the_table_that_it_is_short_for(key: str, below: Any, above: Any, result: Any) -> None:
    assert merged({key: below}, {key: above}) == {key: result}


toml_values = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.integers(0, 9), max_size=3)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
)


@given(st.lists(words, min_size=1, max_size=4), toml_values)
def test_an_override_sets_exactly_the_value_that_was_written(path: list[str], value: Any) -> None:
    written = tomli_w.dumps({"v": value}).removeprefix("v = ").strip()
    document: dict[str, Any] = {}
    apply_override(document, ".".join(["data", *path]), written)
    for word in ["data", *path]:
        document = document[word]
    assert document == value


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_sets_one_key_only(text: str) -> None:
    document: dict[str, Any] = {"optimizer": {"lr": 1.0}}
    apply_override(document, "optimizer.kind", text)
    assert document.keys() == {"optimizer"}
    assert document["optimizer"].keys() == {"lr", "kind"}


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        ("replicates", "4", {}, 4),
        ("replicates", "4", {"replicates": 3}, 4),
        ("replicates", "4", {"replicates": {"count": 3, "first": 1000}}, {"count": 4, "first": 1000}),
        ("replicates", "{ count = 4 }", {"replicates": {"count": 3, "first": 1000}}, {"count": 4}),
        ("replicates.first", "1000", {"replicates": 3}, {"count": 3, "first": 1000}),
        ("replicates.vary", '["init"]', {"replicates": 3}, {"count": 3, "vary": ["init"]}),
        ("loss.delta", "2", {"loss": "huber"}, {"kind": "huber", "delta": 2}),
        ("loss", "mse", {"loss": {"kind": "huber", "delta": 2}}, "mse"),
        ("schedule.min_lr", "1e-5", {"schedule": "cosine"}, {"kind": "cosine", "min_lr": 1e-5}),
        ("data.split.validation", "0.1", {"data": {"split": "all"}}, {"split": {"by": "all", "validation": 0.1}}),
        ("data.split", "all", {"data": {"split": {"by": "x", "validation": 0.1}}},
         {"split": {"by": "all", "validation": 0.1}}),
        ("data.label_noise", "0.4", {"data": {"label_noise": 0.3}}, {"label_noise": 0.4}),
        ("data.label_noise.kind", "symmetric", {"data": {"label_noise": 0.3}},
         {"label_noise": {"share": 0.3, "kind": "symmetric"}}),
        ("network.activation.slope", "0.2", {"network": {"activation": "leaky-relu"}},
         {"activation": {"kind": "leaky-relu", "slope": 0.2}}),
        ("network.init.bias", "0.0", {"network": {"init": "linear"}}, {"init": {"kind": "linear", "bias": 0.0}}),
    ],
)  # fmt: skip
def test_an_override_reaches_through_a_short_form(key: str, value: str, before: dict[str, Any], after: Any) -> None:
    apply_override(before, key, value)
    assert before == {key.partition(".")[0]: after}


@pytest.mark.parametrize("text", ["sgd", "fashion-mnist", "1\nseed = 2", "max-val-accuracy", '"open', ""])
def test_bare_words_are_text(text: str) -> None:
    document: dict[str, Any] = {}
    apply_override(document, "title", text)
    assert document == {"title": text}


def test_an_arm_is_reached_by_its_name_even_if_that_contains_dots() -> None:
    document = tomllib.loads('[[arms]]\nname = "lr 0.1"\n[[arms]]\nname = "plain"')
    written = apply_override(document, "arms.lr 0.1.optimizer.lr", "0.2")
    assert written == Override("arms.lr 0.1.optimizer.lr", "arms[0]", ("optimizer", "lr"))
    assert apply_override(document, "arms.plain.note", "first").where == "arms[1]"
    assert document["arms"] == [{"name": "lr 0.1", "optimizer": {"lr": 0.2}}, {"name": "plain", "note": "first"}]


def test_a_factor_is_reached_by_its_dotted_key() -> None:
    document: dict[str, Any] = {"factors": {"optimizer.lr": [0.1]}}
    apply_override(document, "factors.optimizer.lr", "[0.2, 0.3]")
    assert document == {"factors": {"optimizer.lr": [0.2, 0.3]}}


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("", "dotted key"),
        (".lr", "dotted key"),
        ("optimizer..lr", "dotted key"),
        ("arms.plane.optimizer.lr", "did you mean plain"),
        ("arms.plain", "must lead into a table"),
        ("title.x", "must lead into a table"),
        ("replicates.vary.init", "must lead into a table"),
    ],
)
def test_a_key_that_leads_nowhere_is_refused(key: str, rule: str) -> None:
    document: dict[str, Any] = {"title": "t", "arms": [{"name": "plain"}], "replicates": {"vary": ["init"]}}
    with pytest.raises(UserError, match=rule):
        apply_override(document, key, "1")


def test_the_nearest_known_word_is_offered() -> None:
    assert nearest("optimiser", ["optimizer", "schedule"]) == "did you mean optimizer?"
    assert nearest("zzz", ["optimizer", "schedule"]) == "use one of optimizer, schedule"
    assert nearest("zzz", []) == "there is none to choose from"
