from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.spec import builtin
from paribus.spec.notices import notices
from paribus.spec.recipe import Recipe
from paribus.spec.study import parse
from paribus.training.schedules import schedule_of


def of(text: str, **overrides: str) -> tuple[str, ...]:
    return notices(parse(text, place="mini", overrides={k.replace("__", "."): v for k, v in overrides.items()}))


@pytest.fixture
def one(mini: str) -> str:
    """The study with its first arm only."""
    return mini[: mini.rindex("[[arms]]")]


def test_a_study_that_is_as_meant_has_no_notices(mini: str) -> None:
    assert of(mini) == ()


@pytest.mark.parametrize("name", builtin.NAMES)
def test_built_in_studies_have_no_notices(name: str) -> None:
    assert of(builtin.text(name)) == ()


SCHEDULES = [
    (
        '{ kind = "multi-step", milestones = [80] }',
        "the learning rate never drops at epoch 80: training ends at epoch 3",
    ),
    (
        '{ kind = "multi-step", milestones = [2, 3] }',
        "the learning rate never drops at epoch 3: training ends at epoch 3",
    ),
    ('{ kind = "multi-step", milestones = [3, 9], gamma = 2 }', "the learning rate never rises at epochs 3 and 9: "),
    (
        '{ kind = "step", step_size = 3 }',
        "the learning rate never changes: schedule.step_size is 3 epochs, and training",
    ),
    ('{ kind = "step", step_size = 1, gamma = 1 }', "the learning rate never changes: schedule.gamma is 1"),
    ('{ kind = "exponential", gamma = 1 }', "the learning rate never changes: schedule.gamma is 1"),
    (
        '{ kind = "settle", window = 2 }',
        "the learning rate never changes: settle compares two windows of 2 epochs, and",
    ),
    (
        '{ kind = "reduce-on-plateau", patience = 1 }',
        "the learning rate never changes: schedule.patience is 1 epoch, and",
    ),
    (
        '{ kind = "reduce-on-plateau", min_lr = 1e-3 }',
        "the learning rate never changes: schedule.min_lr is optimizer.lr",
    ),
    (
        '{ kind = "reduce-on-plateau", patience = 0, factor = 0.0 }',
        "the weights no longer change after the first plateau",
    ),
    ('{ kind = "cosine", min_lr = 1e-3 }', "the learning rate never changes: schedule.min_lr is optimizer.lr"),
    ('{ kind = "cosine", min_lr = 1e-3, warmup_epochs = 1 }', "the learning rate never changes after the warm-up: "),
    ('{ kind = "cosine", warmup_epochs = 2 }', "the learning rate never falls: its cosine is one epoch long"),
    ('{ kind = "cosine", warmup_start = 0.5 }', "schedule.warmup_start has no effect: schedule.warmup_epochs is 0"),
    (
        '{ kind = "cosine", warmup_epochs = 1, warmup_start = 1 }',
        "the warm-up has no effect: schedule.warmup_start is 1",
    ),
    (
        '{ kind = "cosine-restarts", first_cycle = 3 }',
        "the cosine never restarts: schedule.first_cycle is 3 epochs, and",
    ),
    ('{ kind = "one-cycle", cycle_momentum = false, max_momentum = 0.9 }', "schedule.max_momentum has no effect: "),
    ('{ kind = "one-cycle", max_momentum = 0.5 }', "momentum rises while the learning rate rises: "),
]


@pytest.mark.parametrize(("schedule", "words"), SCHEDULES)
def test_a_schedule_without_effect_is_noticed(one: str, schedule: str, words: str) -> None:
    (found,) = of(one, schedule=schedule)
    assert found.startswith(f"arm fixed: {words}")


@pytest.mark.parametrize(
    "schedule",
    [
        '{ kind = "multi-step", milestones = [1, 2] }',
        '{ kind = "step", step_size = 2 }',
        '{ kind = "settle", window = 1 }',
        '{ kind = "reduce-on-plateau", patience = 0 }',
        '{ kind = "cosine", warmup_epochs = 1 }',
        '{ kind = "cosine-restarts", first_cycle = 2 }',
        '{ kind = "one-cycle" }',
        '{ kind = "exponential", gamma = 0.5 }',
    ],
)
def test_a_schedule_that_acts_is_not_noticed(one: str, schedule: str) -> None:
    assert of(one, schedule=schedule) == ()


_ACTING = st.one_of(
    st.builds(lambda n: {"kind": "step", "step_size": n}, st.integers(1, 8)),
    st.builds(lambda n: {"kind": "multi-step", "milestones": [n]}, st.integers(1, 8)),
    st.builds(lambda n: {"kind": "settle", "window": n}, st.integers(1, 4)),
    st.builds(lambda n, lr: {"kind": "reduce-on-plateau", "patience": n, "min_lr": lr},
              st.integers(0, 7), st.sampled_from([0.0, 0.1])),
    st.builds(lambda n, lr: {"kind": "cosine-restarts", "first_cycle": 2, "min_lr": lr},
              st.integers(1, 2), st.sampled_from([0.0, 0.1])),
    st.builds(lambda n: {"kind": "cosine", "min_lr": n}, st.sampled_from([0.0, 0.1])),
)  # fmt: skip


@given(_ACTING, st.integers(3, 8))
def test_a_rate_is_noticed_exactly_if_constant_curves_never_change_it(schedule: dict[str, Any], epochs: int) -> None:
    """With constant curves, plateaus and settled losses come as early as possible."""
    document = {
        "data": {"source": "x", "split": "all"},
        "network": {"hidden": [4]},
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "schedule": schedule,
        "training": {"epochs": epochs, "batch_size": 1},
    }
    rates = schedule_of(Recipe.model_validate(document))
    seen: list[float] = []
    for epoch in range(epochs):
        seen += rates.rates(epoch, 1).learning_rates.tolist()
        rates.observe({"train_loss": 1.0, "val_loss": 1.0})
    head = 'name = "x"\nquestion = "?"\nnetwork.hidden = [4]\noptimizer = { kind = "sgd", lr = 0.1 }\n'
    found = of(
        head + 'data = { source = "x", split = "all" }\narms = [{ name = "a" }]',
        training=f"{{ epochs = {epochs}, batch_size = 1 }}",
        schedule="{ " + ", ".join(f"{k} = {v!r}" for k, v in schedule.items()) + " }",
    )
    constant = len({round(rate, 12) for rate in seen}) == 1
    assert any("the learning rate never" in sentence for sentence in found) == constant


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            {"training__early_stop": '{ rule = "min-val-loss", patience = 2 }'},
            "early stopping never acts: its patience is 2 epochs, and training ends at epoch 3",
        ),
        (
            {"network__hidden": "[]", "network__activation": "tanh"},
            "network.activation has no effect: the network has no",
        ),
        (
            {"network__hidden": "[]", "network__dropout": "0.5"},
            "network.dropout has no effect: the network has no hidden",
        ),
        (
            {"snapshots__every": "4"},
            "snapshots.every keeps the initial weights only: it is 4 epochs, and training ends",
        ),
        ({"snapshots__first_layer_every": "4"}, "snapshots.first_layer_every keeps the initial weights only"),
        ({"test__monitor_every": "4"}, "the test set is never monitored: test.monitor_every is 4 epochs, and training"),
        ({"test__monitor_examples": "50"}, "test.monitor_examples has no effect: test.monitor_every is 0"),
    ],
)
def test_what_has_no_effect_is_noticed(one: str, overrides: dict[str, str], words: str) -> None:
    (found,) = of(one, **overrides)
    assert found.startswith(f"arm fixed: {words}")


@pytest.mark.parametrize(
    "overrides",
    [
        {"training__early_stop": '{ rule = "min-val-loss", patience = 1 }'},
        {"network__hidden": "[]"},
        {"snapshots__every": "3"},
        {"test__monitor_every": "3", "test__monitor_examples": "50"},
        {"replicates__vary": '["init"]', "data__split": "all"},
        {"replicates__vary": '["order"]', "data__split": "all"},
        {"replicates__vary": '["split"]'},
        {"replicates": "1"},
    ],
)
def test_what_has_an_effect_is_not_noticed(one: str, overrides: dict[str, str]) -> None:
    assert of(one, **overrides) == ()


@pytest.mark.parametrize("split", ["all", "given"])
def test_replicates_that_differ_in_nothing_random_are_noticed(one: str, split: str) -> None:
    same = {"replicates__vary": '["split"]', "data__split": split}
    (found,) = of(one, **same)
    why = f"replicates.vary lists split only, and data.split = '{split}' is not random"
    assert found == f"arm fixed: all 2 replicates are the same run: {why}"
    for random in (
        {"data__split__validation": "0.1"},
        {"data__limit__train": "200"},
        {"data__label_noise": "0.1"},
        {"replicates": "1"},
    ):
        assert of(one, **same, **random) == ()
    assert len(of(one, **same, data__label_noise="0.0")) == 1


TWINS = '[[arms]]\nname = "again"\ntest.read_at = ["last"]\n'


def test_arms_that_are_the_same_runs_are_noticed(one: str) -> None:
    (found,) = of(one + TWINS)
    assert found.startswith("arms fixed and again are the same runs: their recipes and seeds are equal; ")
    assert found.endswith("give one its own seed for an A/A study")
    assert of(one + TWINS, arms__again__seed="1") == ()
    assert of(one + TWINS, arms__again__data__source="mine.npz") == ()
    (triplets,) = of(one + TWINS + TWINS.replace("again", "more"))
    assert triplets.startswith("arms fixed, again and more are the same runs")
    assert triplets.endswith("give each its own seed for an A/A study")


@pytest.mark.parametrize(
    ("data", "noticed"),
    [
        ({}, False),
        ({"data__split": '"standard"'}, False),
        ({"data__limit__train": "50"}, False),
        ({"data__limit__test": "50"}, True),
        ({"data__split": '{ by = "random", validation = 0.1, test = 0.2 }'}, True),
        ({"data__split": '{ by = "random", validation = 0.1 }'}, False),
        ({"data__split": '{ by = "folds", folds = 4, validation = 0.1 }'}, True),
        ({"data__limit__test": "50", "arms__again__seed": "0"}, False),
        ({"data__limit__test": "50", "arms__again__test__read_at": "[]"}, False),
        ({"data__limit__test": "50", "arms__again__data__source": '"mine.npz"'}, False),
    ],
    ids=str,
)
def test_arms_whose_seeds_draw_other_test_examples_are_noticed(one: str, data: dict[str, str], noticed: bool) -> None:
    other = TWINS + "optimizer.lr = 0.5\n"
    read = {"test__read_at": '["last"]', "arms__again__seed": "1"}
    sentences = [text for text in of(one + other, **{**read, **data}) if "tested on the same" in text]
    assert len(sentences) == noticed
    if noticed:
        assert sentences[0].startswith("arms fixed and again are not tested on the same examples: each seed draws")


def test_claims_of_one_replicate_are_noticed(mini: str) -> None:
    claim = (
        '[[claims]]\nstatement = "x"\nmetric = "val_loss"\nby = 0.1\n'
        'better = { arm = "fixed" }\nthan = { arm = "steps" }\n'
    )
    assert of(mini + claim) == ()
    (found,) = of(mini + claim, replicates="1")
    assert found == "the claim gets no verdict: replicates.count is 1, and a verdict needs at least 2 replicates"
    assert of(mini + claim + claim, replicates="1")[0].startswith("claims get no verdict")


def test_a_notice_about_several_arms_is_one_sentence(mini: str) -> None:
    assert of(mini, snapshots__every="4")[0].startswith("every arm: snapshots.every")
    factors = mini[: mini.index("[[arms]]")].replace("lr = 1e-3", "").replace("epochs = 3", "")
    text = factors + '[factors]\n"optimizer.lr" = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n"training.epochs" = [3, 9]\n'
    (found,) = of(text, snapshots__every="4")
    assert found == (
        "arms 'lr=0.1, epochs=3', 'lr=0.2, epochs=3', 'lr=0.3, epochs=3', 'lr=0.4, epochs=3' and 2 more: "
        "snapshots.every keeps the initial weights only: it is 4 epochs, and training ends at epoch 3"
    )
