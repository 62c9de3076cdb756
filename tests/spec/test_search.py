"""`[search]` in a study file: what is taken, what is refused, and what it comes to."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from paribus.errors import UserError
from paribus.spec.candidates import Candidate
from paribus.spec.json_schema import study_schema
from paribus.spec.search import Search, corners, holds
from paribus.spec.study import Study, parse

HEAD = """
name = "find"
question = "Which rate?"
replicates = 2
data = { source = "fashion-mnist", split = "scarce" }
network = { hidden = [8] }
optimizer = { kind = "sgd", lr = 0.1 }
training = { epochs = 30, batch_size = 64 }
selection = { rules = ["min-val-loss", "last"] }
test = { read_at = ["min-val-loss"] }
"""
SEARCH = """
[search]
candidates = 7
batch = 2
objective = "min-val-loss"
halving = { grace = 2, factor = 3, brackets = 2, replicates_from = 2 }

[search.space]
"optimizer.kind" = { choice = ["sgd", "adam"] }
"optimizer.lr" = { log_uniform = [1e-4, 1e-1] }
"optimizer.momentum" = { uniform = [0, 0.9], when = { "optimizer.kind" = "sgd" } }
"network.hidden" = { choice = [[8], [8, 8]] }
"training.batch_size" = { integer = [8, 64] }
"""


def search_of(text: str = SEARCH) -> Search:
    found = parse(HEAD + text, place="a search").search
    assert found is not None
    return found


def test_a_search_is_taken_by_paribus_and_by_the_schema() -> None:
    document = tomllib.loads(HEAD + SEARCH)
    assert list(Draft202012Validator(study_schema()).iter_errors(document)) == []
    study = parse(HEAD + SEARCH, place="a search")
    assert study.deploy == "min-val-loss"
    assert parse(study.document, place="again").digest == study.digest
    assert parse(study.document, place="again").search == study.search


def test_candidates_are_arms_that_never_read_test_data() -> None:
    candidates = [
        Candidate(3, {"optimizer.lr": 0.01, "network.hidden": [8, 8]}),
        Candidate(5, {"optimizer.kind": "adam", "optimizer.lr": 0.02}),
    ]
    study = parse(HEAD + SEARCH, place="a search", candidates=candidates)
    assert [arm.name for arm in study.arms] == ["candidate 3", "candidate 5"]
    assert study.arm("candidate 3").recipe.network.hidden == (8, 8)
    assert study.arm("candidate 5").recipe.optimizer.kind == "adam"
    assert all(arm.recipe.test.read_at == () for arm in study.arms)
    assert study.digest == parse(HEAD + SEARCH, place="a search").digest


def test_every_choice_and_both_ends_are_among_the_corners() -> None:
    base = tomllib.loads(HEAD)
    found = corners(search_of(), base)
    for key, dimension in search_of().space.items():
        for value in dimension.values:
            assert any(one.get(key) == value for one in found), (key, value)
    assert all(("optimizer.momentum" in one) == (one["optimizer.kind"] == "sgd") for one in found)


def test_a_condition_may_name_the_studys_own_key_and_several_values() -> None:
    base = tomllib.loads(HEAD)
    assert holds({"optimizer.kind": "sgd"}, {}, base)
    assert holds({"optimizer.kind": ["adam", "sgd"]}, {}, base)
    assert not holds({"optimizer.kind": "sgd"}, {"optimizer.kind": "adam"}, base)


def test_rungs_and_batches_are_stated() -> None:
    search = search_of()
    assert search.rungs(30, 0) == (2, 6, 18, 30)
    assert search.rungs(30, 1) == (6, 18, 30)
    assert search.rungs(18, 0) == (2, 6, 18)
    assert [search.replicates_at(rung, 5) for rung in range(3)] == [1, 5, 5]
    assert [list(batch) for bracket in (0, 1) for batch in search.batches(bracket)] == [[0, 1], [2, 3], [4, 5], [6]]
    plain = search_of(SEARCH.replace("halving", "# halving"))
    assert plain.rungs(30) == (30,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[1e-4, 1e-1]", "[1e-1, 1e-4]"), "key search.space.optimizer.lr: log_uniform must give the lower value"),
        (("[1e-4, 1e-1]", "[0, 1e-1]"), "log_uniform must have values above 0"),
        (("log_uniform", "loguniform"), "did you mean log_uniform?"),
        (('"optimizer.lr"', '"optimizer.lrr"'), "must be a known key, got 'lrr'; did you mean lr?"),
        (('"optimizer.lr"', '"rate.lr"'), "must be a dotted key of the configuration"),
        (('"optimizer.lr"', '"training.epochs"'), "must not vary training.epochs"),
        (("[8, 64]", "[0, 64]"), "key training.batch_size: must be at least 1, got 0"),
        (('"sgd", "adam"', '"sgd", "adem"'), "key optimizer.kind: must be one of"),
        (('objective = "min-val-loss"', 'objective = "last"'), "objective must be a min- or max- rule"),
        (('objective = "min-val-loss"', 'objective = "max-val-accuracy"'), "add it to selection.rules"),
        (("grace = 2", "grace = 10"), "key search.halving.grace: must leave a rung before the end of training"),
        (("replicates_from = 2", "replicates_from = 9"), "must be at most the number of rungs (3)"),
        (("candidates = 7", "candidates = 1"), "candidates must be at least as many as halving.brackets"),
        (("candidates = 7", 'candidates = 7\nsampler = "bayes"'), "must be 'tpe', 'random' or 'sobol'"),
        (("candidates = 7", "candidates = 7\nconfirm = { first = 1 }"), "must be fresh replicates"),
        (("candidates = 7", 'candidates = 7\nwithout = ["ugly"]'), "key search.without[0]"),
        (('= "sgd" }', '= "sgd", "loss.kind" = "mse" }'), "must name a key of the space, or one that the"),
        (
            ('when = { "optimizer.kind" = "sgd" }', 'when = { "network.kind" = "mlp" }'),
            "write network.kind in its table",
        ),
        (("candidates = 7", 'candidates = 7\nsampler = "sobol"'), "must not have when (optimizer.momentum) with sobol"),
        (("candidates = 7", "candidates = 7\nconfirm = { replicates = 1 }"), "must be at least 2"),
        (
            (
                '64 }\nselection = { rules = ["min-val-loss", "last"] }',
                (
                    '64, early_stop = { rule = "max-val-accuracy", patience = 3 } }\n'
                    'selection = { rules = ["min-val-loss", "max-val-accuracy"] }'
                ),
            ),
            "key training.early_stop.rule: must be the objective of the search",
        ),
        (('"training.batch_size" =', '"data.scale_target" ='), "must not vary data.scale_target"),
        (('"training.batch_size" =', '"data.label_noise" ='), "must not vary data.label_noise"),
        (('"optimizer.kind" = { choice', '"loss" = { choice'), "varies loss, so that values of the objective mean"),
        (("[search.space]", '[[arms]]\nname = "a"\n[search.space]'), "a study has either [search] or arms"),
    ],
)
def test_a_wrong_search_is_refused_in_one_line(change: tuple[str, str], message: str) -> None:
    text = (HEAD + SEARCH).replace(*change)
    assert text != HEAD + SEARCH
    with pytest.raises(UserError) as caught:
        parse(text, place="a search")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def changed() -> Callable[[str, str], Study]:
    return lambda old, new: parse((HEAD + SEARCH).replace(old, new), place="a search")


def test_what_a_search_says_is_its_identity(changed: Callable[[str, str], Study]) -> None:
    same = changed("", "")
    digests = {
        same.digest,
        changed("[1e-4, 1e-1]", "[1e-4, 1e-2]").digest,
        changed("batch = 2", "batch = 3").digest,
        changed("epochs = 30", "epochs = 31").digest,
        changed("grace = 2", "grace = 1").digest,
    }
    assert len(digests) == 5


def test_data_may_vary_only_where_they_are_not_the_targets() -> None:
    scales = '"data.scale" = { choice = ["unit", "standardise"] }\n'
    assert parse(HEAD + SEARCH + scales, place="a search").search is not None
    images = (HEAD + SEARCH + scales).replace("network = {", 'loss = "mse"\nnetwork = { kind = "autoencoder",')
    with pytest.raises(UserError, match=r"must not vary where inputs are the targets.*data\.scale"):
        parse(images, place="a search")
