"""Remedies against wrong labels that need more of an engine than a loss: mixed labels, a memory of each example, and
runs that choose for each other. Both engines, against plain PyTorch loops; and whole runs, resumed and among others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.spec.losses import CrossEntropy, EarlyLearningRegularisation
from paribus.spec.optimizers import Sgd
from paribus.training.cohort import Cohort, architecture
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.engine import MixedTargets
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.conftest import CLASSIFIER, active, differing, recipe, train_epoch, trained, without
from tests.training.oracle import Network
from tests.training.problems import largest_difference, parameters, problem, settings
from tests.training.torch.conftest import one_thread  # noqa: F401 - for every test here

ENGINES = {"compiled": CompiledEngine(), "stacked": StackedTensorEngine(torch.device("cpu"))}
EARLY = EarlyLearningRegularisation(kind="early-learning-regularisation")
SMOOTH = CrossEntropy(label_smoothing=0.1)
MOMENTUM = Sgd(kind="sgd", lr=0.05, momentum=0.9)
CLASSES, STREAMS = 5, (0, 0, 1, 1)


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


class Plain:
    """A network and its optimizer as anybody would write them; `step` takes one step by a loss of its outputs."""

    def __init__(self, of, run):
        self.net = Network(of.architecture, of.states[run], torch.float64)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.rates, self.inputs = of.rates[:, :, run], torch.tensor(of.seen(of.streams[run])).double()

    def step(self, loss, epoch, batch):
        self.optimizer.param_groups[0]["lr"] = float(self.rates[epoch, batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @property
    def state(self):
        return {name: parameter.detach().numpy() for name, parameter in self.net.named().items()}


def batches(of, stream, epoch):
    """The rows of each batch, and its places in the epoch's order."""
    order = torch.tensor(of.orders[epoch, stream])
    return enumerate(zip(order.split(of.batch_size), torch.arange(len(order)).split(of.batch_size), strict=True))


def trained_by(engine, of, more):
    """States (run) and losses (epoch, batch, run) after epochs to which `more(epoch)` adds arrays."""
    session = of.session(engine)
    losses = [session.train_epoch(replace(epoch, **more(number))) for number, epoch in enumerate(of.epochs())]
    return [dict(session.state(run)) for run in range(len(of.runs))], np.array(losses)


def assert_equal(states, losses, run, plain, expected):
    np.testing.assert_allclose(losses[:, :, run], expected, rtol=2e-6)
    assert largest_difference(parameters(states[run]), plain.state) < 2e-6


@torch.enable_grad()
def test_mixed_labels(engine):
    of = problem(*[settings(SMOOTH, MOMENTUM)] * 4, streams=STREAMS, widths=(20, 24, CLASSES))
    random = np.random.default_rng(3)
    shape = of.orders.shape
    others, shares = random.integers(0, CLASSES, shape), random.random(shape, dtype=np.float32)
    states, losses = trained_by(engine, of, lambda epoch: {"mixed": MixedTargets(others[epoch], shares[epoch])})
    for run, stream in enumerate(STREAMS):
        plain, found = Plain(of, run), []
        for epoch in range(len(of.orders)):
            found.append([])
            for batch, (rows, places) in batches(of, stream, epoch):
                outputs, share = plain.net(plain.inputs[rows]), torch.tensor(shares[epoch, stream][places]).double()
                goals = torch.tensor(of.targets[stream])[rows], torch.tensor(others[epoch, stream][places])
                own, other = (functional.one_hot(goal, CLASSES) for goal in goals)
                target = share[:, None] * own + (1 - share[:, None]) * other
                loss = functional.cross_entropy(outputs, target, label_smoothing=0.1)
                found[-1].append(plain.step(loss, epoch, batch))
        assert_equal(states, losses, run, plain, found)


@torch.enable_grad()
def test_a_memory_of_each_example(engine):
    of = problem(*[settings(EARLY, MOMENTUM)] * 4, streams=STREAMS, widths=(20, 24, CLASSES))
    count, rows_in_all = of.orders.shape[2], of.orders.max() + 1
    kept = np.zeros((4, rows_in_all, CLASSES), np.float32)
    given = []

    def more(epoch):
        if epoch:
            for run, stream in enumerate(STREAMS):
                kept[run, of.orders[epoch - 1, stream]] = given[-1][run]
        given.append(np.stack([kept[run, of.orders[epoch, stream]] for run, stream in enumerate(STREAMS)]))
        return {"memory": given[-1]}

    states, losses = trained_by(engine, of, more)
    assert given[-1].shape == (4, count, CLASSES)
    for run, stream in enumerate(STREAMS):
        plain, found, memory = Plain(of, run), [], torch.zeros(rows_in_all, CLASSES, dtype=torch.float64)
        for epoch in range(len(of.orders)):
            found.append([])
            for batch, (rows, _) in batches(of, stream, epoch):
                outputs = plain.net(plain.inputs[rows])
                p = functional.softmax(outputs, 1).clamp(1e-4, 1 - 1e-4)
                fixed = p.detach()
                memory[rows] = 0.7 * memory[rows] + 0.3 * fixed / fixed.sum(1, keepdim=True)
                loss = functional.cross_entropy(outputs, torch.tensor(of.targets[stream])[rows])
                loss = loss + 3.0 * (1 - (memory[rows] * p).sum(1)).log().mean()
                found[-1].append(plain.step(loss, epoch, batch))
        assert_equal(states, losses, run, plain, found)
        np.testing.assert_allclose(given[-1][run], memory[of.orders[-1, stream]], rtol=1e-5, atol=1e-6)


@torch.enable_grad()
def test_pairs_choose_examples_for_each_other(engine):
    of = problem(*[settings(SMOOTH, MOMENTUM)] * 4, streams=STREAMS, widths=(20, 24, CLASSES))
    kept = [0.9, 0.6, 0.5]
    states, losses = trained_by(engine, of, lambda epoch: {"kept_share": np.full(4, kept[epoch])})
    for pair, stream in ((0, 0), (2, 1)):
        two = [Plain(of, pair), Plain(of, pair + 1)]
        found = [[], []]
        for epoch in range(len(of.orders)):
            for own in found:
                own.append([])
            for batch, (rows, _) in batches(of, stream, epoch):
                goals = torch.tensor(of.targets[stream])[rows]
                each = [
                    functional.cross_entropy(one.net(one.inputs[rows]), goals, reduction="none", label_smoothing=0.1)
                    for one in two
                ]
                chosen = [own.argsort()[: max(1, int(kept[epoch] * len(rows)))] for own in each]
                for one in range(2):
                    found[one][-1].append(two[one].step(each[one][chosen[1 - one]].mean(), epoch, batch))
        for one in range(2):
            assert_equal(states, losses, pair + one, two[one], found[one])


NOISY = {**without(CLASSIFIER, "data"), "data": {**CLASSIFIER["data"], "label_noise": 0.4}}
TEACHING = {"co_teaching": {"forget": 0.3, "epochs": 2}}
REMEDIES = {
    "generalised cross-entropy": {"loss": {"kind": "generalised-cross-entropy"}},
    "forward correction": {"loss": {"kind": "forward-correction"}},
    "early learning": {"loss": {"kind": "early-learning-regularisation"}},
    "mixup": {"augmentation": {"mixup": 1.0}},
    "co-teaching": {"training": TEACHING, "network": {"dropout": 0.2}},
}


@pytest.mark.parametrize("change", REMEDIES.values(), ids=REMEDIES)
def test_a_run_is_the_same_alone_and_beside_others_and_resumed(change):
    runs = [active(recipe(NOISY, optimizer={"lr": 0.03 * (1 + i)}, **change), replicate=i % 2) for i in range(3)]
    together = trained(runs)
    for one in runs:
        assert not differing(trained([one]), together)
    once, twice = Cohort(runs, CompiledEngine()), Cohort(runs, CompiledEngine())
    for cohort in (once, twice):
        train_epoch(cohort)
    again = [replace(run, state=twice.state(i)) for i, run in enumerate(twice.runs)]
    resumed = Cohort(again, CompiledEngine())
    for cohort in (once, resumed):
        train_epoch(cohort)
    for i in range(len(runs)):
        before, after = once.state(i).tensors, resumed.state(i).tensors
        assert before.keys() == after.keys()
        assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_what_is_remembered_belongs_to_an_example_and_not_to_its_place_in_an_epoch():
    """With a momentum of 0, the memory after an epoch is near to what the network then predicts for each example."""
    loss = {"kind": "early-learning-regularisation", "momentum": 0.0}
    run = active(recipe(NOISY, loss=loss, optimizer={"lr": 1e-5}))
    cohort = Cohort([run], CompiledEngine())
    train_epoch(cohort)
    memory = cohort.state(0).tensors["memory/predictions"]
    outputs = (
        CompiledEngine()
        .networks(architecture(run.spec), [cohort.weights(0)])
        .forward(cohort.inputs_of(run.splits.train), run.splits.train.rows)
        .outputs[0]
    )
    p = functional.softmax(torch.tensor(outputs), 1).numpy()
    assert np.abs(memory - memory[np.random.default_rng(0).permutation(len(p))]).max() > 0.03
    np.testing.assert_allclose(memory, p, atol=0.002)


def test_peers_start_from_other_weights_and_the_first_is_the_run():
    plain, taught = active(recipe(NOISY)), active(recipe(NOISY, training=TEACHING))
    own = taught.state.tensors
    assert (own["fc1.weight"] == plain.state.tensors["fc1.weight"]).all()
    assert not (own["fc1.weight"] == own["peer/fc1.weight"]).any()


def test_shares_of_correct_and_of_wrong_labels():
    """From the network's own outputs, class by class."""
    names = ("train_accuracy_clean", "train_accuracy_wrong", "train_accuracy_true")
    runs = [active(recipe(NOISY, metrics=list(names)), replicate) for replicate in range(2)]
    cohort = Cohort(runs, CompiledEngine())
    cohort.add_set("train", [run.splits.train for run in cohort.leaders], predictions=True)
    train_epoch(cohort)
    found = cohort.metrics("train")
    assert tuple(found) == names
    for i, run in enumerate(cohort.runs):
        train = run.splits.train
        networks = CompiledEngine().networks(architecture(run.spec), [cohort.weights(i)])
        predicted = networks.forward(cohort.inputs_of(train), train.rows).outputs[0].argmax(1)
        wrong = train.labels != train.true_labels
        assert 0.2 < wrong.mean() < 0.5
        assert found[names[0]][i] == (predicted == train.labels)[~wrong].mean()
        assert found[names[1]][i] == (predicted == train.labels)[wrong].mean()
        assert found[names[2]][i] == (predicted == train.true_labels)[wrong].mean()


def test_engines_give_the_class_of_each_example(engine):
    of = problem(*[settings()] * 3, streams=(0, 0, 1), scaled=True)
    session, rows = of.session(engine), np.arange(60)
    targets = [own[rows] for own in of.targets]
    found = session.networks.evaluator(of.inputs, [rows] * 2, targets, of.runs[0].loss, predictions=True)()
    for run, stream in enumerate((0, 0, 1)):
        outputs = Network(of.architecture, session.networks.state(run), torch.float64)(
            torch.tensor(of.seen(stream)).double()
        )
        np.testing.assert_array_equal(found.predicted[run], outputs.argmax(1))
        assert found.correct[run] == (found.predicted[run] == targets[stream]).sum()
