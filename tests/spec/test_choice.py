from collections.abc import Callable

import pytest

from paribus.errors import UserError
from paribus.spec.fit import refuse_unmeasured_choice
from paribus.spec.study import Study, parse
from tests.spec.test_fit import IMAGES


@pytest.fixture
def choosing(mini: str) -> Callable[[str], Study]:
    def make(lines: str) -> Study:
        return parse(f"{mini}\n[choose]\n{lines}\n", place="mini.toml")

    return make


def test_a_choice_has_defaults(choosing: Callable[[str], Study]) -> None:
    rule = choosing('metric = "val_accuracy"').choose
    assert (rule.by, rule.within, rule.without) == ("best", (), ())
    assert (rule.confirm.replicates, rule.confirm.first) == (5, 1000)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('metric = "val_acuracy"', "key choose.metric: must be a metric, got 'val_acuracy'; did you mean val_accuracy"),
        ('metric = "lr"', "metric lr has no better or worse"),
        ('metric = "val_accuracy"\nby = "worst"', "key choose.by: "),
        ('metric = "val_accuracy"\nwithin = ["width"]', "must be a dotted key of the configuration"),
        ('metric = "val_accuracy"\nconfirm = { first = 1 }', "must be fresh replicates: the study itself has 0 to 1"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(choosing: Callable[[str], Study], lines: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        choosing(lines)
    assert message in str(caught.value)


def test_a_choice_by_what_is_not_measured_is_refused(choosing: Callable[[str], Study]) -> None:
    study = choosing('metric = "val_accuracy"\nwithout = ["collapsed"]')
    facts = {arm.name: IMAGES for arm in study.arms}
    with pytest.raises(UserError, match=r"key choose.without: must be a metric that arm \w+ measures"):
        refuse_unmeasured_choice(study, facts)
    refuse_unmeasured_choice(choosing('metric = "val_accuracy"'), facts)


def test_the_choice_is_part_of_what_a_study_says(choosing: Callable[[str], Study]) -> None:
    one, other = (choosing(f'metric = "val_accuracy"\nby = "{by}"') for by in ("best", "one-standard-error"))
    assert one.digest != other.digest
