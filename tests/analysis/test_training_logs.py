"""Training logs in the forms that other programs' CSV loggers write."""

from __future__ import annotations

import pytest
from scipy import stats

from paribus.analysis.scores import compare
from paribus.analysis.training_logs import is_log, read_logs, scores_of_logs
from paribus.errors import UserError

KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.0,{a},0.9\n1,0.7,0.6,{b},0.8\n2,0.8,0.5,{c},0.85\n"
LIGHTNING = "epoch,step,train_loss,val_accuracy\n0,9,1.0,\n0,9,,{a}\n1,19,0.8,\n1,19,,{b}\n2,29,0.7,\n2,29,,{c}\n"
LOW, HIGH = (
    [(0.60, 0.70, 0.68), (0.61, 0.72, 0.70), (0.62, 0.71, 0.69)],
    [(0.7, 0.8, 0.79), (0.71, 0.83, 0.8), (0.72, 0.82, 0.81)],
)


def texts(form, name, runs):
    return [(form.format(a=a, b=b, c=c), f"logs/{name}{i}.csv") for i, (a, b, c) in enumerate(runs)]


@pytest.mark.parametrize("form", [KERAS, LIGHTNING])
def test_a_rule_chooses_one_epoch_of_each_run(form):
    logs = read_logs(texts(form, "deep_seed", LOW) + texts(form, "wide-", HIGH))
    assert [(log.arm, log.replicate) for log in logs][:4] == [
        ("deep", "0"),
        ("deep", "1"),
        ("deep", "2"),
        ("wide", "0"),
    ]
    assert list(scores_of_logs(logs, "val_accuracy", "last").arms["deep"].values()) == [run[2] for run in LOW]
    assert list(scores_of_logs(logs, "val_accuracy", "epoch:0").arms["wide"].values()) == [run[0] for run in HIGH]
    best = scores_of_logs(logs, "val_accuracy", "max-val_accuracy")
    assert list(best.arms["wide"].values()) == [run[1] for run in HIGH]
    [found] = compare(best, by=0.0, higher_is_better=True)
    ours = found.judgement.interval
    theirs = stats.ttest_rel([run[1] for run in HIGH], [run[1] for run in LOW]).confidence_interval()
    assert (ours.low, ours.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_another_metric_may_choose_the_epoch():
    [log] = read_logs(texts(KERAS, "net", LOW[:1]))
    assert scores_of_logs([log], "val_accuracy", "min-val_loss").arms == {"net": {"0": 0.70}}


def test_one_file_may_hold_several_runs():
    rows = "".join(f"{arm},{seed},{epoch},{0.5 + epoch / 10}\n" for arm in "ab" for seed in (0, 1) for epoch in (1, 2))
    logs = read_logs([("model,seed,epoch,acc\n" + rows, "all.csv")])
    assert {(log.arm, log.replicate): log.epochs[2]["acc"] for log in logs} == {
        (arm, seed): 0.7 for arm in "ab" for seed in "01"
    }


def test_what_is_a_log():
    assert is_log(KERAS)
    assert not is_log("arm,seed,accuracy\na,0,0.5\n")
    assert is_log("step,loss\n1,2\n2,2\n", "step")
    assert not is_log("arm,seed,epoch,accuracy\na,0,10,0.5\na,1,12,0.6\n")  # a row for each run
    assert not is_log("")


@pytest.mark.parametrize(
    ("files", "metric", "rule", "words"),
    [
        ([("epoch,loss\n", "a.csv")], "loss", "last", "must be a training log"),
        (
            [("epoch,loss\n1,2\n1.5,2\n", "a.csv")],
            "loss",
            "last",
            "line 3: column epoch must have a whole",
        ),
        ([("epoch,loss\n1,2,3\n", "a.csv")], "loss", "last", "line 2: must have as many cells"),
        (
            [("epoch,loss\n1,2\n", "a0.csv"), ("epoch,loss\n1,2\n", "b/a0.csv")],
            "loss",
            "last",
            "one run for each replicate",
        ),
        ([("epoch,loss\n1,2\n", "a.csv")], "los", "last", "did you mean loss?"),
        ([("epoch,loss\n1,2\n", "a.csv")], "loss", "best", "must be last, epoch:N"),
        ([("epoch,loss\n1,2\n", "a.csv")], "loss", "epoch:7", "must have epoch 7"),
        ([("epoch,loss\n1,2\n", "a.csv")], "loss", "max-acc", "must name a column of numbers"),
        ([("epoch,loss,acc\n1,2,\n2,,1\n", "a.csv")], "loss", "last", "must have loss at epoch 2"),
    ],
)
def test_mistakes_are_one_line(files, metric, rule, words):
    with pytest.raises(UserError) as caught:
        scores_of_logs(read_logs(files), metric, rule)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
