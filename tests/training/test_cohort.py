"""Other runs change nothing: a run has the same bits alone and in any cohort, at any position."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.seeding import Streams
from paribus.spec.identity import RunSpec
from paribus.training.cohort import ActiveRun, Cohort, fresh_state
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.schedules import schedule_of
from tests.training.conftest import AUTOENCODER, CLASSIFIER, active, differing, recipe, train_epoch, trained, without

NETWORKS = {
    "ShallowMLP": [32],
    "DeepMLP": [32, 64, 32],
    "DeepWideMLP": [128, 64, 128],
    "CustomMLP": [256, 128, 64, 128],
    "odd widths": [17, 5],
    "linear": [],
}


def test_shallow_mlp_alone_and_in_a_cohort_of_eight():
    runs = [active(recipe(optimizer={"lr": 0.01 * (1 + i)}), replicate=i % 3) for i in range(8)]
    together = trained(runs)
    for one in runs:
        assert not differing(trained([one]), together)


@pytest.mark.parametrize("hidden", NETWORKS.values(), ids=NETWORKS)
def test_every_network_beside_other_arms(hidden):
    def arm(i):
        return recipe(
            network={"hidden": hidden, "dropout": 0.1 * (i + 1)},
            optimizer={"kind": "adam", "lr": 1e-3 * (i + 1), "weight_decay": 1e-3 * (i % 2)},
            loss={"label_smoothing": 0.1 * (i % 2)},
        )

    runs = [active(arm(i), replicate=i % 2) for i in range(5)]
    together = trained(runs, epochs=1)
    for one in runs:
        assert not differing(trained([one], epochs=1), together)


@pytest.mark.parametrize("units", [16, 64, 21])
def test_autoencoders_beside_others(units):
    runs = [
        active(recipe(AUTOENCODER, network={"hidden": [units]}, optimizer={"lr": 1e-3 / (i + 1)}), replicate=i % 2)
        for i in range(3)
    ]
    together = trained(runs, epochs=1)
    for one in runs:
        assert not differing(trained([one], epochs=1), together)


def test_a_diverging_run_leaves_its_cohort_alone():
    base = without(AUTOENCODER, "optimizer")
    base = {**base, "training": {"epochs": 5, "batch_size": 64}}
    calm = active(recipe({**base, "optimizer": {"kind": "sgd", "lr": 0.1}}))
    wild = active(recipe({**base, "optimizer": {"kind": "sgd", "lr": 1e6}}))
    together = trained([wild, calm], epochs=5)
    for one in (wild, calm):
        assert not differing(trained([one], epochs=5), together)
    assert not math.isfinite(together[wild.spec.id][1][-1][0])


OPTIMIZERS = {
    "sgd": st.fixed_dictionaries({
        "kind": st.just("sgd"),
        "lr": st.floats(1e-4, 0.3),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "weight_decay": st.sampled_from([0.0, 1e-3]),
    }),
    **{
        kind: st.fixed_dictionaries({
            "kind": st.just(kind),
            "lr": st.floats(1e-5, 1e-2),
            "weight_decay": st.sampled_from([0.0, 1e-2]),
        })
        for kind in ("adam", "adamw", "rmsprop")
    },
}  # fmt: skip
ACTIVATIONS = ["relu", "leaky-relu", "elu", "tanh", "sigmoid", "gelu", "silu", "identity"]


@st.composite
def cohorts(draw):
    """Runs that may train together: static parts alike, everything else drawn run by run, in any order."""
    hidden = draw(st.lists(st.integers(1, 70), max_size=3))
    activations = [draw(st.sampled_from(ACTIVATIONS)) for _ in hidden] or "relu"
    batch_size = draw(st.sampled_from([1, 7, 32, 50, 64, 100]))
    dropout = draw(st.booleans())
    optimizers = OPTIMIZERS[draw(st.sampled_from(sorted(OPTIMIZERS)))]
    clip = draw(st.sampled_from([None, "norm", "value"]))
    runs = []
    for _ in range(draw(st.integers(2, 6))):
        one = recipe(
            without(CLASSIFIER, "optimizer"),
            data={"limit": {"train": 101, "validation": 37}},
            network={
                "hidden": hidden,
                "activation": activations,
                "dropout": draw(st.floats(0.05, 0.9)) if dropout else 0.0,
            },
            optimizer=draw(optimizers),
            loss={"label_smoothing": draw(st.sampled_from([0.0, 0.1]))},
            training={"batch_size": batch_size, "clip": clip and {clip: draw(st.sampled_from([0.01, 0.5]))}},
        )
        runs.append(active(one, replicate=draw(st.integers(0, 2))))
    return list({run.spec.id: run for run in runs}.values())


@given(cohorts(), st.randoms())
@settings(max_examples=25)
def test_random_studies(runs, random):
    together = trained(runs)
    chosen = random.choice(runs)
    assert not differing(trained([chosen]), together)
    some = random.sample(runs, random.randint(1, len(runs)))
    assert not differing(trained(some), together)


def test_replicates_that_vary_the_start_alone_share_their_batches():
    of = active(recipe())
    streams = [Streams.of_replicate(7, index, ["init"]) for index in range(3)]
    specs = [RunSpec(of.spec.recipe, of.spec.dataset, one, of.spec.data_fingerprint) for one in streams]
    cohort = Cohort([ActiveRun(spec, of.splits, fresh_state(spec)) for spec in specs], CompiledEngine())
    assert len(cohort.leaders) == 1
    assert len({run.state.tensors["fc1.weight"].tobytes() for run in cohort.runs}) == 3


def test_the_two_means_of_the_training_loss_weigh_the_last_batch_otherwise():
    """61 examples in batches of 60: one example is half of one mean, and a 61st of the other."""
    of = active(recipe(data={"limit": {"train": 61}}, training={"batch_size": 60}, optimizer={"lr": 1e-6}))
    cohort = Cohort([of], CompiledEngine())
    cohort.add_set("train", [of.splits.train])
    before = cohort.evaluate("train").loss[0]
    loss = cohort.train_epoch([schedule_of(of.spec.recipe).rates(0, 2)])
    assert loss.by_example[0] == pytest.approx(before, rel=1e-6)
    assert abs(loss.by_batch[0] - before) > 1e-4


def test_a_run_resumes_from_its_state_bit_for_bit():
    of = active(recipe(optimizer={"kind": "adam", "lr": 1e-3}, network={"dropout": 0.2}))
    whole = Cohort([of], CompiledEngine())
    for _ in range(4):
        train_epoch(whole)
    part = Cohort([of], CompiledEngine())
    for _ in range(2):
        train_epoch(part)
    state = part.state(0)
    copy = type(state)(state.epoch, state.steps, {name: np.array(t) for name, t in state.tensors.items()})
    resumed = Cohort([ActiveRun(of.spec, of.splits, copy)], CompiledEngine())
    for _ in range(2):
        train_epoch(resumed)
    for name, tensor in whole.state(0).tensors.items():
        assert tensor.tobytes() == resumed.state(0).tensors[name].tobytes(), name
