"""Networks of the user's own: how a study names them, and what of them is a part of an identity."""

from __future__ import annotations

import json

import pytest

from paribus.errors import UserError
from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec, trained
from paribus.spec.modules import LayerSize, ModuleSize, SourceFile, UserModule
from paribus.spec.recipe import Recipe
from paribus.spec.study import parse

DATASET = Dataset("images.npz", 784, (28, 28), ("a", "b", "c"), train=60, validation=30, test=40, held_out_of=90)
STUDY = """
name = "own"
question = "Does it work?"

[data]
source = "images.npz"
split = "given"

[network]
kind = "module"
module = "nets.py:LeNet"
arguments = { width = 16 }

[optimizer]
kind = "sgd"
lr = 0.1

[training]
epochs = 2
batch_size = 8

[[arms]]
name = "only"
"""

SIZE = ModuleSize(10, 12, 30, 60, 400, (LayerSize("conv1", "Conv2d", (4, 2, 2), 10, 30),))


def study(**changes: str):
    return parse(STUDY, place="own.toml", overrides={key.replace("__", "."): value for key, value in changes.items()})


def module(*files: tuple[str, str]) -> UserModule:
    return UserModule("/home/me/nets.py", "/home/me", tuple(SourceFile(*file) for file in files), SIZE)


def spec(recipe: Recipe, own: UserModule | None) -> RunSpec:
    streams = study().streams(study().arms[0], 0)
    return RunSpec(recipe, DATASET, streams, "0" * 64, "module" if own else "cpu", own)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("network__module", '"nets.py"', "FILE.py:NAME"),
        ("network__module", '"nets.py:Le Net"', "FILE.py:NAME"),
        ("network__module", '"nets:LeNet"', "FILE.py:NAME"),
        ("network__module", "3", "text"),
        ("network__arguments", "{ width = nan }", "finite numbers"),
        ("network__arguments", '{ "a b" = 1 }', "names of arguments"),
        ("network__arguments", "{ day = 2026-11-25 }", "something else"),
        ("network__arguments", "{ many = 99999999999999999999 }", "64 bits"),
        ("network__arguments", "[1]", "table"),
        ("network__init", '"orthogonal"', "must be a known key"),
        ("network__hidden", "[3]", "must be a known key"),
        ("network__dropout", "0.5", "must be a known key"),
        ("snapshots__first_layer_every", "1", "first layer is known"),
        ("denoising__zeroed", "[0.5]", "no module"),
        ("loss", "nets.py:", "FILE.py:NAME"),
        ("loss", "nets:focal", "must be one of cross-entropy"),
        ("loss", "other.py:focal", "write nets.py:focal, and import it there"),
        ("loss", '{ kind = "function", function = "nets.py:focal", arguments = { gamma = inf } }', "finite numbers"),
    ],
)
def test_what_is_wrong_is_told(key, value, words):
    with pytest.raises(UserError, match=words) as caught:
        study(**{key: value})
    assert "\n" not in str(caught.value)


def test_arguments_may_nest_and_stay_as_they_are():
    given = study(network__arguments='{ widths = [8, 16], act = { name = "relu", slope = 0.5 }, bias = false }')
    arguments = given.arms[0].recipe.network.arguments
    assert arguments == {"widths": [8, 16], "act": {"name": "relu", "slope": 0.5}, "bias": False}
    again = Recipe.model_validate(json.loads(json.dumps(given.arms[0].recipe.model_dump(mode="json"))))
    assert again == given.arms[0].recipe


def test_a_module_may_classify_predict_and_reconstruct():
    assert study().arms[0].recipe.task == "classification"
    assert study(data__task='"reconstruction"', loss='"mse"').arms[0].recipe.task == "reconstruction"
    assert study(data__task='"regression"', loss='"mse"').arms[0].recipe.task == "regression"


def test_an_identity_has_class_arguments_and_source_and_no_path():
    recipe, other = study().arms[0].recipe, study(network__module='"elsewhere/nets.py:LeNet"').arms[0].recipe
    files = (("nets.py", "class LeNet: ..."), ("blocks.py", "x = 1"))
    one = spec(recipe, module(*files))
    assert one.id == spec(other, UserModule("/tmp/nets.py", "/tmp", module(*files).files, SIZE)).id
    changed = [
        spec(study(network__arguments="{ width = 17 }").arms[0].recipe, module(*files)),
        spec(study(network__arguments="{ width = 16.0 }").arms[0].recipe, module(*files)),
        spec(study(network__module='"nets.py:Other"').arms[0].recipe, module(*files)),
        spec(recipe, module(files[0], ("blocks.py", "x = 2"))),
        spec(recipe, module(files[0], ("block.py", "x = 1"))),
        spec(recipe, module(files[0])),
    ]
    assert len({one.id, *(run.id for run in changed)}) == 7
    assert json.loads(one.text)["engine"] == "module"
    assert "module" in json.loads(one.text)["streams"]


def test_other_networks_have_the_identity_that_they_had():
    recipe = study(network='{ kind = "mlp", hidden = [4] }').arms[0].recipe
    text = json.loads(spec(recipe, None).text)
    assert set(text) == {"numerics", "engine", "task", "recipe", "data", "streams"}
    assert set(text["streams"]) == {"split", "init", "order"}


def test_files_that_could_be_cut_otherwise_have_another_fingerprint():
    assert module(("ab", "c")).fingerprint != module(("a", "bc")).fingerprint
    assert module(("a", "b"), ("c", "d")).fingerprint != module(("c", "d"), ("a", "b")).fingerprint


def test_a_module_survives_json_with_bytes_that_are_no_text():
    own = UserModule("p", "f", (SourceFile.of("a.py", b"# \xff\xfe caf\xc3\xa9"),), SIZE)
    again = UserModule.from_json(json.loads(json.dumps(own.to_json())))
    assert again.fingerprint == own.fingerprint
    assert again.files[0].content == b"# \xff\xfe caf\xc3\xa9"
    assert again.size == SIZE


def test_two_files_of_one_class_are_not_said_to_be_the_same_runs():
    from paribus.spec.notices import notices

    text = STUDY.replace('[[arms]]\nname = "only"', "") + (
        '[[arms]]\nname = "a"\n[[arms]]\nname = "b"\nnetwork = { module = "other.py:LeNet" }\n'
    )
    assert not [notice for notice in notices(parse(text, place="own.toml")) if "same runs" in notice]
    same = text.replace("other.py", "nets.py")
    assert [notice for notice in notices(parse(same, place="own.toml")) if "same runs" in notice]
    assert trained(parse(text, place="own.toml").arms[0].recipe)["network"]["module"] == "LeNet"


def test_a_loss_of_ones_own_goes_with_a_module_of_ones_own():
    text = STUDY.replace('kind = "module"', 'kind = "mlp"').replace('module = "nets.py:LeNet"', "hidden = [8]")
    with pytest.raises(UserError, match=r"goes with network\.kind = 'module'"):
        parse('loss = "nets.py:focal"\n' + text.replace("arguments = { width = 16 }", ""), place="own.toml")


def test_the_name_and_the_arguments_of_an_own_loss_are_part_of_the_identity_and_its_path_is_not():
    def identity(network, loss):
        (arm,) = study(network=network, loss=loss).arms
        return spec(arm.recipe, module(("nets.py", "x = 1"))).id

    here = identity('{ kind = "module", module = "nets.py:LeNet" }', "nets.py:focal")
    assert here == identity('{ kind = "module", module = "a/nets.py:LeNet" }', "a/nets.py:focal")
    assert here != identity('{ kind = "module", module = "nets.py:LeNet" }', "nets.py:other")
    given = '{ kind = "function", function = "nets.py:focal", arguments = { gamma = 1 } }'
    assert here != identity('{ kind = "module", module = "nets.py:LeNet" }', given)


def test_the_arguments_of_an_own_loss_are_those_of_one_function():
    base = 'loss = { kind = "function", function = "nets.py:focal", arguments = { gamma = 1 } }\n'
    arms = "".join(
        f'[[arms]]\nname = "{name}"\nloss = {loss}\n'
        for name, loss in (("same", "{ arguments = { alpha = 2 } }"), ("other", '{ function = "nets.py:hinge" }'))
    )
    text = base + STUDY.replace('[[arms]]\nname = "only"\n', arms)
    same, other = (arm.recipe.loss for arm in parse(text, place="a").arms)
    assert same.arguments == {"gamma": 1, "alpha": 2}
    assert other.arguments == {}
