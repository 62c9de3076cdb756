"""Valid configurations of an arm as a study file gives them, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_POSITIVE = st.sampled_from([0.5, 0.1, 1e-3])
_SHARE = st.sampled_from([0.0, 0.1, 0.9])
_ACTIVATION = st.sampled_from([
    "relu", "tanh", "gelu", {"kind": "relu"}, {"kind": "leaky-relu"}, {"kind": "leaky-relu", "slope": 0.2},
    {"kind": "elu", "alpha": 1.0}, {"kind": "elu", "alpha": 0.2},
])  # fmt: skip


def _table(required: dict[str, Any], optional: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=optional)


_OPTIMIZERS = st.one_of(
    _table({"kind": "sgd", "lr": _POSITIVE}, {"momentum": _SHARE, "weight_decay": _SHARE}),
    _table(
        {"kind": "adam", "lr": _POSITIVE}, {"betas": st.just([0.9, 0.99]), "eps": _POSITIVE, "weight_decay": _SHARE}
    ),
    _table({"kind": "adamw", "lr": _POSITIVE}, {"betas": st.just([0.9, 0.999]), "weight_decay": _SHARE}),
    _table({"kind": "rmsprop", "lr": _POSITIVE}, {"momentum": _SHARE, "centered": st.booleans()}),
)
_SCHEDULES = st.one_of(
    st.sampled_from(["constant", "cosine"]),
    _table({"kind": "step", "step_size": st.integers(1, 3)}, {"gamma": _POSITIVE}),
    _table({"kind": "multi-step", "milestones": st.sampled_from([[1], [2], [1, 2]])}, {"gamma": _POSITIVE}),
    _table({"kind": "exponential", "gamma": _POSITIVE}, {}),
    _table({"kind": "cosine"}, {"min_lr": st.sampled_from([0.0, 1e-3]), "warmup_epochs": st.integers(0, 1)}),
    _table({"kind": "cosine-restarts", "first_cycle": st.integers(1, 3)}, {"factor": st.integers(1, 2)}),
    _table({"kind": "one-cycle", "cycle_momentum": False}, {"pct_start": _SHARE, "three_phase": st.booleans()}),
    _table({"kind": "reduce-on-plateau"}, {"patience": st.integers(0, 10), "factor": _SHARE}),
    _table({"kind": "settle"}, {"window": st.integers(1, 10), "gamma": _POSITIVE}),
)
_RULES = st.lists(
    st.sampled_from(["last", "min-val-loss", "min-train-loss", "epoch:0", "epoch:02", "min-test-loss"]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip
_TRAINING = _table(
    {"epochs": st.integers(2, 3), "batch_size": st.sampled_from([8, 16])},
    {
        "early_stop": st.just({"rule": "min-val-loss", "patience": 1}),
        "clip": st.sampled_from([{"norm": 1.0}, {"value": 1.0}, {"value": 1}]),
    },
)
_AUGMENTATION = _table({}, {
    "shift": st.integers(0, 1), "flip": st.sampled_from(["none", "horizontal"]), "zeroed": _SHARE,
    "noise": st.sampled_from([{}, {"gaussian": 0.0}, {"gaussian": 0.1}, {"uniform": 0.1}]),
})  # fmt: skip
_KEPT = {
    "snapshots": _table({}, {"every": st.integers(0, 2), "outputs": st.booleans()}),
    "test": _table({}, {"monitor_every": st.integers(0, 2), "monitor_examples": st.just(100)}),
    "denoising": _table({}, {"uniform": st.just([0.4]), "zeroed": st.just([0.5])}),
    "metrics": st.just(["train_loss_end"]),
}
_SPLIT = st.sampled_from(
    [
        "all",
        {"by": "all"},
        {"by": "all", "validation": 0.1},
        "scarce",
        {"by": "random", "test": 0.1},
        {"by": "random", "validation": 0.1},
        {"by": "stratified", "validation": 0.1},
        {"by": "group", "column": "a", "validation": 0.1},
        {"by": "time", "column": "a", "validation": 0.1},
        {"by": "folds", "folds": 3},
        {"by": "folds", "folds": 3, "stratify": False},
    ]
)
_INIT = st.sampled_from(["linear", "orthogonal", {"kind": "linear"}, {"kind": "linear", "bias": 0.0}])


_NOISE = [0.1, 0.3, {"share": 0.3}, {"kind": "pair", "share": 0.3}, {"kind": "instance", "share": 0.3},
          {"kind": "matrix", "matrix": [[0.9, 0.1], [0.2, 0.8]]}]  # fmt: skip


def _data(*, labels: bool) -> st.SearchStrategy[dict[str, Any]]:
    noise = {"label_noise": st.sampled_from(_NOISE)} if labels else {}
    limit = _table({}, {"train": st.sampled_from([50, 60]), "test": st.just(50)})
    optional = {
        "scale": st.sampled_from(["unit", "centre"]),
        "scale_target": st.sampled_from(["standardise", "none"]),
        "missing": st.sampled_from(["refuse", "mean"]),
        "limit": limit,
        **noise,
    }
    return _table({"source": st.sampled_from(["fashion-mnist", "mine.npz"]), "split": _SPLIT}, optional)


@st.composite
def _networks(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    hidden = draw(st.lists(st.sampled_from([4, 8]), min_size=1, max_size=2))
    per_layer = st.lists(_ACTIVATION, min_size=len(hidden), max_size=len(hidden))
    optional = {"activation": _ACTIVATION | per_layer, "init": _INIT, "dropout": _SHARE, "batch_norm": st.booleans()}
    if kind == "autoencoder" and len(hidden) == 1:
        optional["tied"] = st.booleans()
    return draw(_table({"kind": kind, "hidden": hidden}, optional))


def _document(kind: str, *, labels: bool, loss: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    required = {
        "data": _data(labels=labels),
        "network": _networks(kind),
        "optimizer": _OPTIMIZERS,
        "training": _TRAINING,
    }
    return _table(
        required,
        {
            "augmentation": _AUGMENTATION,
            "schedule": _SCHEDULES,
            "selection": _table({}, {"rules": _RULES}),
            **_KEPT,
            **loss,
        },
    )


_SMOOTHING = _table({"kind": "cross-entropy"}, {"label_smoothing": _SHARE, "class_weights": st.just([1.0, 2.0])})
_ROBUST = st.sampled_from(
    [
        "generalised-cross-entropy",
        {"kind": "generalised-cross-entropy", "q": 0.5},
        {"kind": "symmetric-cross-entropy", "beta": 0.5},
        "soft-bootstrapping",
        {"kind": "hard-bootstrapping", "beta": 0.95},
        {"kind": "early-learning-regularisation"},
        {"kind": "forward-correction", "matrix": [[0.9, 0.1], [0.2, 0.8]]},
    ]
)
_CLASSIFIERS = _document("mlp", labels=True, loss={"loss": st.just("cross-entropy") | _SMOOTHING | _ROBUST})
_AUTOENCODERS = st.builds(
    lambda document, loss: {**document, "loss": loss},
    _document("autoencoder", labels=False, loss={}),
    st.sampled_from(["mse", "l1", {"kind": "mse"}, {"kind": "huber"}, {"kind": "huber", "delta": 2.0}]),
)


def recipes() -> st.SearchStrategy[dict[str, Any]]:
    """The tables of a `Recipe`, with few values for each key, so that two of them are often alike."""
    return _CLASSIFIERS | _AUTOENCODERS


def pairs() -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]]:
    """Two of `recipes` whose tables can take each other's place."""
    return st.tuples(_CLASSIFIERS, _CLASSIFIERS) | st.tuples(_AUTOENCODERS, _AUTOENCODERS)
