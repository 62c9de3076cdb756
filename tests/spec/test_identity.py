from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.seeding import Streams
from paribus.spec.claims import Claim
from paribus.spec.dataset import Dataset
from paribus.spec.identity import NUMERICS, RunSpec, claim_text, study_id
from paribus.spec.optimizers import Sgd
from paribus.spec.recipe import Recipe
from paribus.spec.study import Study, parse
from tests.spec.documents import pairs, recipes

CLASSES = tuple("abcdefghij")
IMAGES = Dataset("fashion-mnist", 784, (28, 28), CLASSES, train=8000, validation=2000, test=60_000, held_out_of=10_000)
STREAMS = Streams.of_replicate(0, 0)


def spec(recipe: Recipe, **changes: Any) -> RunSpec:
    return RunSpec(**{"recipe": recipe, "dataset": IMAGES, "streams": STREAMS, "data_fingerprint": "0" * 64, **changes})


def text_of(document: dict[str, Any]) -> str:
    return spec(Recipe.model_validate(document)).text


def changed(mini: str, **overrides: str) -> Study:
    return parse(mini, place="mini", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def first(mini: str, **overrides: str) -> Recipe:
    return changed(mini, **overrides).arms[0].recipe


def test_the_text_of_an_identity_is_as_recorded(mini: str) -> None:
    """A change here makes paribus train again what people have recorded: raise NUMERICS if that is meant."""
    streams = '"streams":{"init":[0,0],"order":[0,0],"split":[0,0]},"task":"classification"}'
    assert spec(first(mini)).text == (
        f'{{"data":"{"0" * 64}","engine":"cpu","numerics":{NUMERICS},"recipe":{{'
        '"data":{"split":{"by":"scarce"}},'
        '"network":{"hidden":[8],"kind":"mlp"},'
        '"optimizer":{"kind":"sgd","lr":0.001,"momentum":0.9},'
        '"selection":{"rules":["last","max-val-accuracy"]},'
        f'"training":{{"batch_size":128,"epochs":3}}}},{streams}'
    )


def test_the_text_of_a_fuller_identity_is_as_recorded(mini: str) -> None:
    recipe = first(
        mini,
        network='{ hidden = [8, 4], activation = ["relu", { kind = "elu", alpha = 2.0 }], dropout = 0.5 }',
        data__label_noise="0.3",
        loss="{ kind = 'cross-entropy', label_smoothing = 0.1 }",
        schedule="cosine",
        training__clip="{ norm = 1 }",
    )
    full = spec(recipe, streams=Streams.of_replicate(7, 2, ("init",)), family="cuda", data_fingerprint="ab")
    assert full.text == (
        f'{{"data":"ab","engine":"cuda","numerics":{NUMERICS},"recipe":{{'
        '"data":{"label_noise":{"kind":"symmetric","share":0.3},"split":{"by":"scarce"}},'
        '"loss":{"kind":"cross-entropy","label_smoothing":0.1},'
        '"network":{"activation":[{"kind":"relu"},{"alpha":2.0,"kind":"elu"}],"dropout":0.5,"hidden":[8,4],"kind":"mlp"},'
        '"optimizer":{"kind":"sgd","lr":0.001,"momentum":0.9},'
        '"schedule":{"kind":"cosine"},'
        '"selection":{"rules":["last","max-val-accuracy"]},'
        '"training":{"batch_size":128,"clip":{"norm":1.0},"epochs":3}},'
        '"streams":{"dropout":[7,0],"init":[7,2],"label_noise":[7,0],"order":[7,0],"split":[7,0]},'
        '"task":"classification"}'
    )


def test_an_id_is_the_hash_of_the_text(mini: str) -> None:
    run = spec(first(mini))
    assert run.id == hashlib.sha256(run.text.encode()).hexdigest()[:32]


def meaning(recipe: Recipe) -> Any:
    """All that a recipe says about training, defaults included, as pydantic writes it out."""
    full = recipe.model_dump(mode="json", exclude={"snapshots", "test", "denoising", "occlusion", "metrics"})
    full["selection"]["rules"].sort()
    full["task"] = recipe.task
    for name in ("source", "task"):
        del full["data"][name]
    if "min-test-loss" in recipe.selection.rules:
        full["test"] = recipe.test.model_dump(mode="json", exclude={"read_at"})
    return full


@settings(max_examples=200)
@given(recipes(), recipes())
def test_recipes_have_one_text_exactly_if_they_train_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    alike = meaning(Recipe.model_validate(one)) == meaning(Recipe.model_validate(other))
    assert (text_of(one) == text_of(other)) == alike


@settings(max_examples=200)
@given(
    pairs(),
    st.sampled_from(
        ["data", "augmentation", "network", "loss", "optimizer", "schedule", "training", "selection", "test"]
    ),
)
def test_recipes_that_differ_in_one_table_have_one_text_exactly_if_they_train_alike(
    pair: tuple[dict[str, Any], dict[str, Any]], table: str
) -> None:
    one, donor = pair
    other = {name: tables for name, tables in one.items() if name != table}
    other |= {table: donor[table]} if table in donor else {}
    alike = meaning(Recipe.model_validate(one)) == meaning(Recipe.model_validate(other))
    assert (text_of(one) == text_of(other)) == alike


@given(recipes())
def test_a_default_that_is_written_out_changes_no_text(document: dict[str, Any]) -> None:
    recipe = Recipe.model_validate(document)
    written_out = recipe.model_dump(mode="json")
    assert Recipe.model_validate(written_out) == recipe
    assert text_of(written_out) == spec(recipe).text


@given(pairs())
def test_what_is_measured_or_kept_changes_no_text(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    document, donor = pair
    if "min-test-loss" in document.get("selection", {}).get("rules", ()):
        return
    kept = {name: donor[name] for name in ("snapshots", "test", "denoising", "metrics") if name in donor}
    assert text_of({**document, **kept}) == text_of(document)


@pytest.mark.parametrize(
    "change",
    [
        {"test__read_at": '["last"]'},
        {"test__monitor_every": "1"},
        {"denoising__uniform": "[0.4]"},
        {"occlusion": "{ patch = 4, stride = 2, examples = 3 }"},
        {"metrics": '["train_loss_end"]'},
        {"snapshots__every": "1"},
        {"snapshots__outputs": "false"},
        {"data__source": "elsewhere/mine.npz"},
        {"data__task": "classification"},
        {"selection__rules": '["max-val-accuracy", "last"]'},
        {"network__activation": '["relu"]'},
        {"augmentation": '{ shift = 0, flip = "none", noise = { gaussian = 0 }, zeroed = 0.0 }'},
        {"network__batch_norm": "false"},
        {"optimizer__nesterov": "false"},
        {"arms__fixed__name": "another", "title": "Another", "replicates": "9"},
    ],
)
def test_names_spelling_and_measurements_change_no_identity(mini: str, change: dict[str, str]) -> None:
    assert spec(first(mini, **change)).id == spec(first(mini)).id


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer__lr": "1.0000000000000002e-3"},
        {"network__hidden": "[9]"},
        {"network__hidden": "[8, 8]"},
        {"network__dropout": "0.1"},
        {"network__batch_norm": "true"},
        {"network__activation": "tanh"},
        {"network__init": "orthogonal"},
        {"training__epochs": "4"},
        {"training__batch_size": "64"},
        {"training__clip": "{ norm = 1 }"},
        {"training__clip": "{ value = 1 }"},
        {"selection__rules": '["last"]'},
        {"data__scale": "standardise"},
        {"data__split": "standard"},
        {"data__split__validation": "0.1"},
        {"data__limit__train": "100"},
        {"data__label_noise": "0.1"},
        {"augmentation__shift": "1"},
        {"augmentation__flip": "horizontal"},
        {"augmentation__noise__gaussian": "0.1"},
        {"augmentation__noise__uniform": "0.1"},
        {"augmentation__zeroed": "0.1"},
        {"loss": "{ kind = 'cross-entropy', class_weights = [1, 2] }"},
    ],
)
def test_what_can_change_a_result_changes_the_identity(mini: str, change: dict[str, str]) -> None:
    assert spec(first(mini, **change)).id != spec(first(mini)).id


@pytest.mark.parametrize("none", ["0", "0.0", "{ share = 0 }"])
def test_a_share_of_no_wrong_labels_is_no_label_noise(mini: str, none: str) -> None:
    recipe = first(mini, data__label_noise=none)
    assert recipe.data.label_noise is None
    assert spec(recipe).text == spec(first(mini)).text


def test_optimizers_with_equal_rates_are_different_recipes(mini: str) -> None:
    kinds = ("sgd", "adam", "adamw", "rmsprop")
    recipes_of = [first(mini, optimizer=f'{{ kind = "{kind}", lr = 0.1, weight_decay = 0.5 }}') for kind in kinds]
    assert len({spec(recipe).id for recipe in recipes_of}) == 4


def test_how_test_data_are_monitored_matters_only_where_they_choose_an_epoch(mini: str) -> None:
    chosen = {"selection__rules": '["max-test-accuracy"]', "test__monitor_every": "1"}
    seldom = {**chosen, "test__monitor_every": "2"}
    assert spec(first(mini, **chosen)).id != spec(first(mini, **seldom)).id
    read = {**chosen, "test__read_at": '["max-test-accuracy"]'}
    assert spec(first(mini, **chosen)).id == spec(first(mini, **read)).id


def test_data_engine_and_streams_are_part_of_the_identity(mini: str) -> None:
    recipe = first(mini)
    runs = [
        spec(recipe),
        spec(recipe, data_fingerprint="1" * 64),
        spec(recipe, family="cuda"),
        spec(recipe, family="module"),
        spec(recipe, streams=Streams.of_replicate(1, 0)),
        spec(recipe, streams=Streams.of_replicate(0, 1)),
        spec(recipe, streams=Streams.of_replicate(0, 1, ("init",))),
        spec(recipe, streams=Streams.of_replicate(0, 1, ("order",))),
        spec(recipe, streams=Streams.of_replicate(0, 1, ("init", "order"))),
    ]
    assert len({run.id for run in runs}) == len(runs)


def test_numerics_is_part_of_the_identity(mini: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spec(first(mini)).id
    monkeypatch.setattr("paribus.spec.identity.NUMERICS", NUMERICS + 1)
    assert spec(first(mini)).id != before


def test_streams_that_a_recipe_does_not_draw_from_are_no_part_of_the_identity(mini: str) -> None:
    others = replace(STREAMS, dropout=Streams.of_replicate(5, 5).dropout, label_noise=Streams.of_replicate(6, 6).init,
                     pixel_noise=Streams.of_replicate(7, 7).init,
                     augmentation=Streams.of_replicate(8, 8).init)  # fmt: skip
    assert spec(first(mini), streams=others).id == spec(first(mini)).id
    for change in ({"network__dropout": "0.5"}, {"data__label_noise": "0.3"}, {"augmentation__shift": "1"}):
        recipe = first(mini, **change)
        assert spec(recipe, streams=others).id != spec(recipe).id


def runs(study: Study) -> list[list[str]]:
    """The ids of each arm's runs."""
    return [
        [spec(arm.recipe, streams=study.streams(arm, replicate)).id for replicate in study.replicates.indices]
        for arm in study.arms
    ]


def test_replicates_by_first_are_other_runs_of_one_scheme(mini: str) -> None:
    some, more, fresh = (runs(changed(mini, **{"replicates": "2", **keys}))[0] for keys in (
        {}, {"replicates": "4"}, {"replicates.first": "2"},
    ))  # fmt: skip
    assert more == some + fresh
    assert len(set(more)) == 4


def test_what_does_not_vary_is_shared_with_replicate_0(mini: str) -> None:
    varied = {vary: runs(changed(mini, replicates__vary=f'["{vary}"]'))[0] for vary in ("split", "init", "order")}
    assert len({ids[0] for ids in varied.values()}) == 1
    assert len({ids[1] for ids in varied.values()}) == 3


def test_an_arm_with_its_own_seed_has_its_own_runs(mini: str) -> None:
    text = mini[: mini.index("[[arms]]")] + '[[arms]]\nname = "a"\n[[arms]]\nname = "again"\n'
    a, again = runs(changed(text))
    assert a == again
    a, again = runs(changed(text, arms__again__seed="1"))
    assert not set(a) & set(again)


class LaterSgd(Sgd):
    dampening: float = 0.0


class LaterRecipe(Recipe):
    curriculum: tuple[str, ...] = ()


class LaterStudy(Study):
    abstract: str = ""


@given(recipes())
def test_a_field_added_with_a_default_changes_no_identity(document: dict[str, Any]) -> None:
    document = {**document, "optimizer": {"kind": "sgd", "lr": 0.1}}
    recipe = Recipe.model_validate(document)
    later = LaterRecipe.model_validate(document)
    later = later.model_copy(update={"optimizer": LaterSgd.model_validate(document["optimizer"])})
    assert spec(later).text == spec(recipe).text
    assert spec(later.model_copy(update={"curriculum": ("easy",)})).text != spec(recipe).text
    dampened = later.model_copy(update={"optimizer": LaterSgd(kind="sgd", lr=0.1, dampening=0.5)})
    assert spec(dampened).text != spec(recipe).text


def test_a_field_added_with_a_default_changes_no_digest_of_a_study(mini: str) -> None:
    study = changed(mini)
    later = LaterStudy(**{name: getattr(study, name) for name in Study.model_fields})
    assert later.digest == study.digest
    assert later.model_copy(update={"abstract": "x"}).digest != study.digest


def test_a_study_is_identified_by_what_it_says_and_its_runs(mini: str) -> None:
    study = changed(mini)
    assert study_id(study, ["a", "b"]) == study_id(changed(mini), ["a", "b"])
    others = [study_id(study, ["a"]), study_id(study, ["a", "c"]), study_id(changed(mini, seed="1"), ["a", "b"])]
    assert len({study_id(study, ["a", "b"]), *others}) == 4


def test_a_claim_has_one_text_however_it_is_written() -> None:
    content = {"statement": "s", "metric": "val_loss", "better": {"arm": "a"}, "than": {"arm": "b"}, "by": 0}
    written = {**content, "because": "", "by": 0.0, "better": {"rule": None, "arm": "a"}}
    assert claim_text(Claim.model_validate(content)) == claim_text(Claim.model_validate(written))
    assert claim_text(Claim.model_validate({**content, "by": 1})) != claim_text(Claim.model_validate(content))


def test_the_path_of_an_index_file_is_no_part_of_an_identity(mini: str) -> None:
    """Its content is: `data.loading.fingerprint` has it."""
    texts = [
        spec(first(mini, data__split=f'{{ by = "given", index = {{ test = "{name}" }} }}')).text
        for name in ("a.txt", "folder/b.txt")
    ]
    assert texts[0] == texts[1]
