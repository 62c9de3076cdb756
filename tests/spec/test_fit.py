from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paribus.errors import UserError
from paribus.spec.dataset import Dataset
from paribus.spec.fit import refuse_misfit, refuse_unmeasured_claims
from paribus.spec.inspection import EqualRows, Inspection, Overlap
from paribus.spec.study import Study, parse

CLASSES = tuple("abcdefghij")
IMAGES = Dataset("fashion-mnist", 784, (28, 28), CLASSES, train=8000, validation=2000, test=60_000, held_out_of=10_000)


def study(text: str, **overrides: str) -> Study:
    return parse(text, place="mini", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def test_a_recipe_that_fits_its_data_is_accepted(mini: str) -> None:
    for arm in study(mini).arms:
        refuse_misfit(arm, IMAGES)


def test_facts_of_a_data_set_are_restored_from_json() -> None:
    assert Dataset.from_json(IMAGES.to_json()) == IMAGES
    pair = EqualRows("train", 3, "test", 4)
    inspection = Inspection(
        train_counts=(3, 4), overlaps=(Overlap("train", "test", 1, (pair,)),), conflicting=2, conflicts=(pair,),
        constant_features=1, constant=(5,), scale_ratio=2.5, missing=((1, 2), (3, 1)), test_seen=True,
    )  # fmt: skip
    found = Dataset.from_json(json.loads(json.dumps(replace(IMAGES, folds=5, inspection=inspection).to_json())))
    assert (found.inspection, found.folds) == (inspection, 5)


@pytest.mark.parametrize("value", ["standardise", "none"])
def test_targets_are_scaled_where_there_are_numbers_to_be_predicted(mini: str, value: str) -> None:
    with pytest.raises(UserError, match=r"key data\.scale_target: needs numbers to be predicted, .* classification"):
        refuse_misfit(study(mini, data__scale_target=f'"{value}"').arms[0], IMAGES)


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({}, {"classes": ()}, "key data.source: must have labels"),
        ({"loss": "binary-cross-entropy"}, {}, "key loss.kind: binary-cross-entropy needs 2 classes"),
        (
            {"loss": "{ kind = 'cross-entropy', class_weights = [1, 2] }"},
            {},
            "key loss.class_weights: .* each of the 10 classes",
        ),
        ({"training__batch_size": "8001"}, {}, r"key training.batch_size: must be at most .*\(8000\), got 8001"),
        ({"data__limit__validation": "5"}, {"validation": 0}, "key data.limit.validation: needs a validation split"),
        ({"data__limit__test": "5"}, {"test": 0}, "key data.limit.test: needs a test split"),
        ({"test__read_at": '["last"]'}, {"test": 0}, "key test: needs a test split"),
        (
            {"augmentation__shift": "2"},
            {"shape": (784,)},
            "key augmentation.shift: needs images, .* got 2; take it out",
        ),
        ({"augmentation__flip": "horizontal"}, {"shape": (784,)}, "key augmentation.flip: needs images"),
        (
            {"network__batch_norm": "true", "training__batch_size": "127"},
            {"train": 1271},
            "key training.batch_size: must leave no batch of 1 example, .* of 1271 training examples, got 127;",
        ),
        (
            {"network__batch_norm": "true", "training__batch_size": "1"},
            {},
            "key training.batch_size: must leave no batch of 1 example",
        ),
        ({"augmentation__shift": "28"}, {}, "key augmentation.shift: must be below .* 28 x 28 pixels, got 28"),
        ({"augmentation__shift": "9"}, {"shape": (3, 28, 9)}, "key augmentation.shift: .* 28 x 9 pixels, got 9"),
        ({"occlusion__patch": "4"}, {"shape": (784,)}, "key occlusion.patch: needs images, .* got 4; take it out"),
        ({"occlusion__patch": "28"}, {}, "key occlusion.patch: must be below .* 28 x 28 pixels, got 28"),
        (
            {"occlusion": "{ patch = 4, stride = 1 }"},
            {"shape": (3, 96, 96)},
            "key occlusion.stride: must leave at most 4096 positions .* leaves 8649, got 1; make it larger",
        ),
        ({"test__monitor_every": "1"}, {"test": 0}, "key test: needs a test split"),
        ({}, {"validation": 0}, "key selection.rules: must choose by a metric .* got 'max-val-accuracy'"),
        ({"selection__rules": '["max-test-accuracy"]'}, {}, "key selection.rules: must choose by a metric"),
        ({"selection__rules": '["min-train-loss-end"]'}, {}, "key selection.rules: must choose by a metric"),
        (
            {"selection__rules": '["last"]', "training__early_stop": '{ rule = "min-val-loss", patience = 1 }'},
            {"validation": 0},
            "key training.early_stop.rule: must choose by a metric",
        ),
        (
            {"selection__rules": '["last"]', "schedule": "reduce-on-plateau"},
            {"validation": 0},
            "key schedule.metric: must be a metric .* got 'val_loss'",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_its_data_is_refused(
    mini: str, changes: dict[str, str], facts: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=f"arm fixed, {words}"):
        refuse_misfit(study(mini, **changes).arms[0], replace(IMAGES, **facts))


@pytest.mark.parametrize(("batch", "train"), [(127, 1270), (127, 1272), (2, 8000)])
def test_batches_of_two_can_be_normalised(mini: str, batch: int, train: int) -> None:
    normalised = study(mini, network__batch_norm="true", training__batch_size=str(batch)).arms[0]
    refuse_misfit(normalised, replace(IMAGES, train=train))


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (3, 20, 28)])
def test_images_can_be_moved(mini: str, shape: tuple[int, ...]) -> None:
    moving = study(mini, augmentation='{ shift = 19, flip = "horizontal" }').arms[0]
    refuse_misfit(moving, replace(IMAGES, shape=shape))


def test_rows_of_a_table_can_have_noise(mini: str) -> None:
    noisy = study(mini, augmentation="{ noise = { gaussian = 0.1 }, zeroed = 0.2 }").arms[0]
    refuse_misfit(noisy, replace(IMAGES, shape=(784,)))


def test_two_classes_can_have_one_output(mini: str) -> None:
    refuse_misfit(study(mini, loss="binary-cross-entropy").arms[0], replace(IMAGES, classes=("no", "yes")))


CLAIM = (
    '[[claims]]\nstatement = "x"\nmetric = "{metric}"\nby = 0.01\n'
    'better = {{ arm = "steps", rule = "{rule}" }}\nthan = {{ arm = "fixed" }}'
)


def test_a_claim_is_about_what_both_arms_measure(mini: str) -> None:
    def check(metric: str, rule: str = "last", **overrides: str) -> None:
        claimed = study(mini + CLAIM.format(metric=metric, rule=rule), **overrides)
        refuse_unmeasured_claims(claimed, {arm.name: IMAGES for arm in claimed.arms})

    check("val_accuracy")
    check("train_loss")
    with pytest.raises(UserError, match=r"must be measured in arm steps at rule last, .*test\.read_at"):
        check("test_accuracy")
    with pytest.raises(UserError, match=r"must be measured in arm fixed at rule last, .*test\.read_at"):
        check("test_accuracy", arms__steps__test__read_at='["last"]')
    check("test_accuracy", test__read_at='["last"]')
    with pytest.raises(UserError, match="must be a selection rule of arm steps, got 'min-val-loss'"):
        check("val_accuracy", rule="min-val-loss")


TABLE = Dataset("t.csv", 4, (4,), (), 100, 50, 50, 150, ("price",), ("a", "b", "c", "d"))
REGRESSION = """
name = "houses"
question = "?"
[data]
source = "t.csv"
split = "given"
task = "regression"
[network]
hidden = [4]
[loss]
kind = "mse"
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = 2
batch_size = 10
[selection]
rules = ["min-val-rmse"]
[[arms]]
name = "steps"
[[arms]]
name = "fixed"
"""


def test_a_regression_needs_numbers_to_be_predicted() -> None:
    arm = study(REGRESSION).arms[0]
    refuse_misfit(arm, TABLE)
    with pytest.raises(UserError, match=r"arm steps, key data\.source: must have numbers to be predicted"):
        refuse_misfit(arm, replace(TABLE, targets=(), classes=("no", "yes")))


def test_a_claim_is_about_a_metric_of_its_task(mini: str) -> None:
    def check(text: str, metric: str, rule: str, facts: Dataset, **overrides: str) -> None:
        claimed = study(text + CLAIM.format(metric=metric, rule=rule), **overrides)
        refuse_unmeasured_claims(claimed, {arm.name: facts for arm in claimed.arms})

    rule = "min-val-rmse"
    check(REGRESSION, "val_rmse", rule, TABLE)
    check(REGRESSION, "val_mae", rule, TABLE)
    check(REGRESSION, "train_rmse", rule, TABLE)
    check(REGRESSION, "test_r2", rule, TABLE, test__read_at=f'["{rule}"]')
    with pytest.raises(UserError, match=r"must be a metric of regression, .* got 'val_accuracy'; claim val_rmse or"):
        check(REGRESSION, "val_accuracy", rule, TABLE)
    with pytest.raises(UserError, match=r"must be measured in arm steps at rule min-val-rmse, .*test\.read_at"):
        check(REGRESSION, "test_mae", rule, TABLE)
    with pytest.raises(UserError, match=r"must be measured in arm steps"):
        check(REGRESSION.replace(rule, "last"), "val_r2", "last", replace(TABLE, validation=0))
    check(mini, "val_auroc", "last", IMAGES)
    check(mini, "test_ece", "last", IMAGES, test__read_at='["last"]')
    with pytest.raises(UserError, match=r"must be measured in arm steps at rule last, .*test\.read_at"):
        check(mini, "test_macro_f1", "last", IMAGES)
    with pytest.raises(UserError, match=r"must be a metric of classification, .* got 'test_rmse'"):
        check(mini, "test_rmse", "last", IMAGES)


def test_claims_and_rules_may_be_of_one_of_several_targets() -> None:
    """No claim and no rule could otherwise say which of two prices matters."""
    two = replace(TABLE, targets=("price", "net-price"))
    rule = "min-val-rmse:net-price"

    def check(metric: str, rule: str, facts: Dataset, **overrides: str) -> None:
        text = REGRESSION.replace('["min-val-rmse"]', f'["{rule}"]')
        claimed = study(text + CLAIM.format(metric=metric, rule=rule), **overrides)
        for arm in claimed.arms:
            refuse_misfit(arm, facts)
        refuse_unmeasured_claims(claimed, {arm.name: facts for arm in claimed.arms})

    for metric in ("val_rmse:price", "val_rmse:net-price", "val_mae:price", "val_r2:price"):
        check(metric, rule, two)
    check("test_rmse:price", rule, two, test__read_at=f'["{rule}"]')
    with pytest.raises(UserError, match=r"must be measured in arm steps .*test\.read_at"):
        check("test_rmse:price", rule, two)
    with pytest.raises(UserError, match=r"one of several numbers.* got 'val_rmse:prize'; did you mean price"):
        check("val_rmse:prize", rule, two)
    with pytest.raises(UserError, match=r"got 'val_rmse:price'; leave out what follows the :"):
        check("val_rmse:price", "min-val-rmse", TABLE)
    with pytest.raises(UserError, match=r"got 'min-val-rmse:prize'.* val_rmse:NAME of each of price, net-price"):
        check("val_rmse", "min-val-rmse:prize", two)
    with pytest.raises(UserError, match=r"must be a metric, got 'val_accuracy:price'"):
        check("val_accuracy:price", rule, two)


def test_a_target_has_a_curve_where_a_rule_chooses_by_it() -> None:
    two = replace(TABLE, targets=("price", "rent"))
    chosen = REGRESSION.replace('["min-val-rmse"]', '["min-val-rmse:rent", "last"]')
    assert "val_rmse:rent" in study(chosen).arms[0].recipe.curves(two)
    assert "val_rmse:price" not in study(chosen).arms[0].recipe.curves(two)
    assert "val_rmse:rent" not in study(REGRESSION).arms[0].recipe.curves(two)


def test_no_epoch_is_chosen_by_what_is_measured_at_selected_epochs_only() -> None:
    for metric in ("val-auroc", "val-mae"):
        way = "max" if metric == "val-auroc" else "min"
        with pytest.raises(UserError, match=f"{metric.replace('-', '_')} is measured at selected epochs only"):
            study(REGRESSION, selection__rules=f'["{way}-{metric}"]')
    with pytest.raises(UserError, match="must choose by a metric that this arm measures after each epoch"):
        refuse_misfit(study(REGRESSION, selection__rules='["max-val-accuracy"]').arms[0], TABLE)


def test_references_need_data_that_they_can_be_measured_on(mini: str) -> None:
    arm = study(REGRESSION, references='["linear"]', selection__rules='["last"]').arms[0]
    refuse_misfit(arm, TABLE)
    with pytest.raises(UserError, match="key references: need a validation split, or test data"):
        refuse_misfit(arm, replace(TABLE, validation=0))
    with pytest.raises(UserError, match="must name each reference once"):
        study(mini, references='["linear", "linear"]')
    with pytest.raises(UserError, match="references"):
        study(mini, references='["forest"]')
