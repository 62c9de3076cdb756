import tomllib

import pytest

from paribus.analysis.choice import choices, chosen_arms, rule_in_words
from paribus.analysis.confirmation import confirmation
from paribus.errors import UserError
from paribus.spec.study import parse

CURVES = {"train_loss": [0.3, 0.2, 0.1]}
SWEEP = """
format = 1
name = "sweep"
title = "A sweep"
question = "Which rate?"
replicates = {{ count = 3, first = 10 }}
loss = "mse"
[data]
source = "faces.npy"
split = "all"
[network]
kind = "autoencoder"
hidden = [4]
[optimizer]
kind = "adam"
lr = 1e-3
[training]
epochs = 3
batch_size = 2
[choose]
metric = "mse"
by = "{by}"
within = [{within}]
without = ["collapsed", "dead_units"]
confirm = {{ replicates = 5, first = 1000 }}
{arms}
"""
LISTED = """
[[arms]]
name = "slow"
optimizer = { lr = 1e-4 }
[[arms]]
name = "middle"
[[arms]]
name = "fast"
optimizer = { lr = 1e-2 }
[[claims]]
statement = "Fast is better than slow."
metric = "mse"
better = { arm = "fast" }
than = { arm = "slow" }
by = 0.001
"""
FACTORS = """
[factors]
"network.hidden" = [[4], [8]]
"optimizer.lr" = [1e-3, 1e-2]
"""


@pytest.fixture
def sweep(autoencoders):
    """A maker of a sweep's results from its errors by arm: three each; a number below 0 is a collapsed run."""

    def make(errors, *, by="best", arms=LISTED, within="", dead=(), diverged=()):
        maker = autoencoders()
        maker.study = parse(SWEEP.format(by=by, arms=arms, within=within), place="a sweep")
        for arm, values in errors.items():
            for i, value in enumerate(values):
                measured = {"mse": abs(value), "output_variation": 0.0 if value < 0 else 0.5}
                maker.run(
                    arm,
                    10 + i,
                    curves=CURVES,
                    measured={("last", name): number for name, number in measured.items()},
                    state="diverged" if arm in diverged and i == 0 else "done",
                    artifacts=[maker.units("last", dead=arm in dead, unmoved=0, of=4)],
                )
        return maker.results()

    return make


def test_the_best_mean_is_chosen_of_the_eligible_arms(sweep):
    errors = {"slow": [0.3, 0.31, 0.32], "middle": [0.2, 0.21, 0.22], "fast": [0.1, 0.11, -0.12]}
    (found,) = choices(sweep(errors))
    assert (found.arm, found.best, found.group) == ("middle", "middle", "")
    assert [one.excluded for one in found.candidates] == ["", "", "collapsed networks in 1 of 3"]
    (found,) = choices(sweep(errors, dead=["middle"], diverged=["fast"]))
    assert found.arm == "slow"
    assert "dead units in 3 of 3" in found.candidates[1].excluded
    assert found.candidates[2].excluded.startswith("diverged in 1 of 3")


def test_one_standard_error_takes_the_first_arm_that_is_as_good(sweep):
    """The best mean is 0.10 with sd 0.03 at n = 3: all up to 0.10 + 0.03 / sqrt(3) = 0.1173 count as equal."""
    best = [0.07, 0.10, 0.13]
    for slow, chosen in ((0.117, "slow"), (0.118, "fast")):
        errors = {"slow": [slow] * 3, "middle": [0.2] * 3, "fast": best}
        (found,) = choices(sweep(errors, by="one-standard-error"))
        assert (found.arm, found.best) == (chosen, "fast")
        assert found.limit == pytest.approx(0.10 + 0.03 / 3**0.5)


def test_an_unfinished_arm_is_not_chosen(sweep):
    (found,) = choices(sweep({"slow": [0.1, 0.1], "middle": [0.2] * 3}))
    assert found.arm == "middle"
    assert [one.excluded for one in found.candidates] == ["1 of 3 not finished", "",
        "3 of 3 not finished; no reconstruction error"]  # fmt: skip


def test_one_arm_is_chosen_in_each_group(sweep):
    names = [f"hidden={n}, lr={lr}" for n in (4, 8) for lr in (0.001, 0.01)]
    errors = dict(zip(names, ([0.1, 0.1, 0.11], [0.2, 0.2, 0.2], [0.1, 0.1, -0.1], [-0.1, 0.1, 0.1]), strict=True))
    results = sweep(errors, arms=FACTORS, within='"network.hidden"')
    small, large = choices(results)
    assert (small.group, small.arm) == ("network.hidden = [4]", names[0])
    assert (large.group, large.arm, large.best, large.limit) == ("network.hidden = [8]", None, None, None)
    assert chosen_arms(results) == (names[0],)


def test_the_rule_in_words_names_all_that_it_uses(sweep):
    rule = sweep({}, by="one-standard-error", within='"network.hidden"').study.choose
    assert rule_in_words(rule) == (
        "An arm is eligible if all replicates ended well and none has collapsed networks or dead units. In each "
        "group, the first eligible arm, in the study's order, whose mean is within one standard error of the lowest "
        "mean reconstruction error is chosen."
    )


def test_the_confirmation_trains_the_chosen_arm_on_fresh_replicates(sweep):
    errors = {"slow": [0.3] * 3, "middle": [0.2] * 3, "fast": [0.1, 0.11, 0.12]}
    results = sweep(errors)
    name, text = confirmation(results)
    confirmed = parse(text, place="the confirmation")
    assert name == confirmed.name == "sweep-confirmed"
    assert [arm.name for arm in confirmed.arms] == ["fast"]
    assert confirmed.arms[0].recipe == results.recipe("fast")
    assert list(confirmed.replicates.indices) == [1000, 1001, 1002, 1003, 1004]
    assert not confirmed.claims  # it is about an arm that is not there
    assert confirmed.choose is None


def test_arms_of_factors_are_confirmed_as_they_were(sweep):
    names = [f"hidden={n}, lr={lr}" for n in (4, 8) for lr in (0.001, 0.01)]
    results = sweep({name: [0.1, 0.1, 0.1] for name in names}, arms=FACTORS, within='"network.hidden"')
    confirmed = parse(confirmation(results)[1], place="the confirmation")
    assert [arm.name for arm in confirmed.arms] == [names[0], names[2]]
    assert [arm.recipe for arm in confirmed.arms] == [results.recipe(names[0]), results.recipe(names[2])]
    assert "factors" not in tomllib.loads(confirmed.document)


def test_nothing_is_confirmed_before_there_is_a_choice(sweep):
    with pytest.raises(UserError, match="must be finished before an arm is chosen, got 1 of 9 runs"):
        confirmation(sweep({"slow": [0.1]}))
    collapsed = {arm: [-0.1] * 3 for arm in ("slow", "middle", "fast")}
    with pytest.raises(UserError, match="must have an arm that its rule can choose"):
        confirmation(sweep(collapsed))


def test_a_study_without_a_rule_chooses_nothing(autoencoders):
    results = autoencoders().results()
    assert choices(results) == ()
    with pytest.raises(UserError, match="must say how an arm is chosen"):
        confirmation(results)
