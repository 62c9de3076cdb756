"""Company changes nothing: a run has the same bits alone and in any cohort, at any position."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.conftest import AUTOENCODER, CLASSIFIER, differing, member, recipe, trained

NETWORKS = {
    "ShallowMLP": [784, 32, 10],
    "DeepMLP": [784, 32, 64, 32, 10],
    "DeepWideMLP": [784, 128, 64, 128, 10],
    "CustomMLP": [784, 256, 128, 64, 128, 10],
    "odd widths": [784, 17, 5, 10],
}


def test_shallow_mlp_alone_and_in_a_cohort_of_eight():
    members = [member(recipe(optimizer={"lr": 0.01 * (1 + i)}), replicate=i % 3) for i in range(8)]
    together = trained(members)
    for one in members:
        assert not differing(trained([one]), together)


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_every_network_in_company_of_other_arms(layers):
    def arm(i):
        return recipe(
            network={"layers": layers, "dropout": 0.1 * (i + 1)},
            optimizer={"kind": "adam", "lr": 1e-3 * (i + 1), "weight_decay": 1e-3 * (i % 2)},
            loss={"label_smoothing": 0.1 * (i % 2)},
        )

    members = [member(arm(i), replicate=i % 2) for i in range(5)]
    together = trained(members, epochs=1)
    for one in members:
        assert not differing(trained([one], epochs=1), together)


@pytest.mark.parametrize("units", [16, 64, 21])
def test_autoencoders_in_company(units):
    layers = [4096, units, 4096]
    members = [
        member(recipe(AUTOENCODER, network={"layers": layers}, optimizer={"lr": 1e-3 / (i + 1)}), replicate=i % 2)
        for i in range(3)
    ]
    together = trained(members, epochs=1)
    for one in members:
        assert not differing(trained([one], epochs=1), together)


def test_a_diverging_run_leaves_its_cohort_alone():
    sgd = {key: value for key, value in AUTOENCODER.items() if key != "optimizer"}
    calm = member(recipe({**sgd, "optimizer": {"kind": "sgd", "lr": 0.1}}))
    wild = member(recipe({**sgd, "optimizer": {"kind": "sgd", "lr": 1e6}}))
    together = trained([wild, calm], epochs=5)
    for one in (wild, calm):
        assert not differing(trained([one], epochs=5), together)
    assert not math.isfinite(together[wild.run_id][1][-1][0])


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
        for kind in ("adam", "adamw")
    },
}  # fmt: skip


@st.composite
def cohorts(draw):
    """Runs that may train together: static parts alike, everything else drawn run by run, in any order."""
    layers = [784, *draw(st.lists(st.integers(1, 70), min_size=1, max_size=3)), 10]
    batch_size = draw(st.sampled_from([1, 7, 32, 50, 64, 100]))
    dropout = draw(st.booleans())
    optimizers = OPTIMIZERS[draw(st.sampled_from(sorted(OPTIMIZERS)))]
    base = {key: value for key, value in CLASSIFIER.items() if key != "optimizer"}
    members = []
    for _ in range(draw(st.integers(2, 6))):
        one = recipe(
            base,
            data={"train_images": 101, "validation_images": 37},
            network={"layers": layers, "dropout": draw(st.floats(0.05, 0.9)) if dropout else 0.0},
            optimizer=draw(optimizers),
            loss={"label_smoothing": draw(st.sampled_from([0.0, 0.1]))},
            training={"batch_size": batch_size},
        )
        members.append(member(one, replicate=draw(st.integers(0, 2))))
    return list({m.run_id: m for m in members}.values())


@given(cohorts(), st.randoms())
@settings(max_examples=25)
def test_random_studies(members, random):
    together = trained(members)
    chosen = random.choice(members)
    assert not differing(trained([chosen]), together)
    some = random.sample(members, random.randint(1, len(members)))
    assert not differing(trained(some), together)
