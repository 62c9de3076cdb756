from dataclasses import replace

import pytest
from scipy import stats

from paribus.analysis.score_sentences import contrast_sentence
from paribus.analysis.scores import compare, read_scores
from paribus.analysis.wording import MAX_MORE, more_replicates
from paribus.errors import UserError

BASE, NEW = [0.80, 0.81, 0.79, 0.805], [0.83, 0.835, 0.82, 0.83]
HEADER = "Name,seed,val/accuracy"


def table(*arms: tuple[str, list[float]], header: str = HEADER) -> str:
    lines = [f"{arm},{seed},{value}" for arm, values in arms for seed, value in enumerate(values)]
    return "\n".join([header, *lines])


def read(text: str, **columns: str):
    return read_scores(text, place="s.csv", **columns)


def test_arms_with_the_same_seeds_are_paired() -> None:
    (found,) = compare(read(table(("base", BASE), ("new", NEW))), by=0.005, higher_is_better=True)
    expected = stats.ttest_rel(NEW, BASE).confidence_interval()
    assert found.paired
    assert found.judgement.verdict == "SUPPORTED"
    assert found.judgement.interval is not None
    assert (found.judgement.interval.low, found.judgement.interval.high) == pytest.approx((expected.low, expected.high))


def test_arms_without_seeds_are_independent_samples() -> None:
    text = "\n".join(["Name,score", *(f"base,{v}" for v in BASE), *(f"new,{v}" for v in NEW)])
    (found,) = compare(read(text), by=0.0, higher_is_better=True)
    expected = stats.ttest_ind(NEW, BASE, equal_var=False).confidence_interval()
    assert not found.paired
    assert found.judgement.interval is not None
    assert (found.judgement.interval.low, found.judgement.interval.high) == pytest.approx((expected.low, expected.high))


def test_less_is_better_where_that_is_said() -> None:
    (found,) = compare(read(table(("base", NEW), ("new", BASE))), by=0.005, higher_is_better=False)
    assert found.effect > 0
    assert found.judgement.verdict == "SUPPORTED"


def test_the_order_of_rows_and_values_without_partners_change_nothing() -> None:
    text = table(("base", BASE), ("new", [*NEW, 0.9]))
    lines = text.splitlines()
    (found,), (turned,) = (
        compare(read(one), by=0.0, higher_is_better=True, control="base")
        for one in (text, "\n".join([lines[0], *reversed(lines[1:])]))
    )
    assert found.left_out == turned.left_out == 1
    assert found.judgement.interval is not None
    assert turned.judgement.interval is not None
    assert found.judgement.interval.low == pytest.approx(turned.judgement.interval.low)


def test_the_sentence_says_how_it_was_compared() -> None:
    scores = read(table(("base", BASE), ("new", NEW), ("few", [0.7, 0.9])))
    new, few = compare(scores, by=0.005, higher_is_better=True)
    assert contrast_sentence(new, scores.metric, 0.005) == (
        "val/accuracy of new against base: SUPPORTED, it is better by more than 0.005 (4 pairs of replicates)."
    )
    assert "2 values without a partner left out" in contrast_sentence(few, scores.metric, 0.005)
    for more in (9, MAX_MORE + 1):
        far = replace(new, judgement=replace(new.judgement, verdict="INCONCLUSIVE", needed=new.n + more))
        assert contrast_sentence(far, scores.metric, 0.005).endswith(f"; {more_replicates(more)}.")


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "must be a CSV file with a header and rows of scores, got no header"),
        (HEADER, {}, "0 rows below the header"),
        ("a,a\n1,2", {}, "columns must have different names, got a"),
        ("x,y\n1,2", {}, "needs a column that says which arm each row belongs to, got x, y"),
        ("arm,seed,a,b\nx,0,1,2\ny,0,1,2", {}, "needs one column of numbers beside the arm and the replicate"),
        ("arm,seed,a\nx,0,1\nx,0,2", {}, r"line 3: arm x must have one row for each seed, got 0 again"),
        ("arm,seed,a\nx,0,1\ny,0", {}, "line 3: must have as many cells as the header"),
        ("arm,seed,a\nx,0,1\ny,0,nan", {"metric": "a"}, "column a must have a finite number in each row, got nan"),
        ("arm,seed,a\nx,0,1\ny,0,", {"metric": "a"}, "got nothing"),
        ("arm,seed,a\nx,0,1\ny,0,2", {"metric": "b"}, "--metric must name a column of s.csv, got 'b'"),
        ("arm,seed,a\nx,0,1\ny,0,2", {"arm": "m"}, "--arm must name a column of s.csv"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused(text: str, columns: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(text, **columns)


def test_a_control_that_is_no_arm_and_a_single_arm_are_refused() -> None:
    scores = read(table(("base", BASE), ("new", NEW)))
    with pytest.raises(UserError, match="must be an arm of the table, got 'old'"):
        compare(scores, by=0.0, higher_is_better=True, control="old")
    with pytest.raises(UserError, match="needs at least two arms"):
        compare(read(table(("base", BASE))), by=0.0, higher_is_better=True)
