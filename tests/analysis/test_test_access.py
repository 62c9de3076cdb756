from paribus.analysis import test_access as access_log
from paribus.store import records

WATCHED = '[[arms]]\nname = "watched"\ntest = { read_at = [], monitor_every = 1 }'


def _read(run_id: str, purpose, epoch=3) -> records.TestRead:
    return records.TestRead(run_id, "max-val-accuracy", epoch, 60_000, purpose, "2024-01-01T00:00:00+00:00")


def test_every_read_is_counted(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0))
    maker.test_reads += [_read("fixed-0", "selected snapshot"), _read("fixed-0", "selected snapshot")]
    access = access_log.test_access(maker.results())
    assert (access.reads, access.runs, access.examples, access.monitors) == (2, 1, 60_000, False)
    assert "No arm was monitored" in access.sentence


def test_a_study_that_monitors_test_data_says_so(classifiers, steady) -> None:
    maker = classifiers(more=WATCHED)
    maker.run("watched", 0, curves=steady(0))
    maker.test_reads += [_read("watched-0", "monitoring", None)]
    access = access_log.test_access(maker.results())
    assert access.monitors
    assert access.monitored_arms == ("watched",)
    assert "In watched, test data were also monitored during training: 4 evaluations." in access.sentence
    assert "optimistically biased" in access.sentence


def test_a_study_without_test_data_says_so(autoencoders) -> None:
    maker = autoencoders()
    maker.run("plain", 0, curves={"train_loss": [0.3, 0.2, 0.1]})
    assert access_log.test_access(maker.results()).sentence == "This study has no test data."


def test_an_unread_test_set_is_called_that(classifiers) -> None:
    assert access_log.test_access(classifiers().results()).sentence == "The test data have not been read."
