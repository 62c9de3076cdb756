"""Reference lines: simple models of scikit-learn, fitted on a run's training split and evaluated as its network is.

They see what the network sees: the scaled inputs, and the training targets with their label noise. Each fit is on one
thread, so that equal splits give equal bits. On n examples of f features and k classes, the inputs take 8 n f bytes; a
linear model takes some hundred passes over them (at most `MAX_ITERATIONS`), gradient boosting 100 trees for each class:
a second on a table of thousands of rows, minutes on tens of thousands of images.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus import seeding
from paribus.data.pool import Split, Splits
from paribus.spec.identity import RunSpec
from paribus.spec.references import Reference, measurement_name
from paribus.training.classification import classification_scores
from paribus.training.engine import Doubles
from paribus.training.regression import regression_scores

MAX_ITERATIONS: Final = 1000
"""Of logistic regression; `converged` says whether it took fewer."""

Evaluated = Sequence[tuple[str, Split]]
"""Splits with the prefix of their metrics, "val" or "test"."""


def missing_references(spec: RunSpec, known: Collection[str]) -> tuple[Reference, ...]:
    """The references that the recipe asks for, and of which not everything is among the `known` measurements."""
    score = "log_loss" if spec.recipe.task == "classification" else "rmse"
    prefixes = [prefix for prefix, is_read in (("val", spec.dataset.validation > 0), ("test", reads_test(spec)))
                if is_read]  # fmt: skip
    return tuple(
        reference
        for reference in spec.recipe.references
        if any(measurement_name(reference, f"{prefix}_{score}") not in known for prefix in prefixes)
    )


def reads_test(spec: RunSpec) -> bool:
    """Whether the run's test data are read at a selected snapshot, and so may be read for its references, too."""
    return spec.dataset.test > 0 and bool(spec.recipe.test.read_at)


def fit_and_evaluate(spec: RunSpec, splits: Splits, reference: Reference, evaluated: Evaluated) -> dict[str, float]:
    """The figures of one reference on some splits, by the names under which they are recorded."""
    from threadpoolctl import threadpool_limits

    seed = seeding.derive(spec.streams.references, "references") % 2**31
    with threadpool_limits(1):
        if spec.recipe.task == "regression":
            found = dict(_regression(spec, splits, reference, evaluated, seed))
        else:
            found = dict(_classification(spec, splits, reference, evaluated, seed))
    return {measurement_name(reference, name): value for name, value in found.items()}


def _classification(
    spec: RunSpec, splits: Splits, reference: Reference, evaluated: Evaluated, seed: int
) -> Iterator[tuple[str, float]]:
    train, classes = splits.train, len(spec.dataset.classes)
    assert train.labels is not None
    one_class = len(np.unique(train.labels)) == 1
    model = _classifier("constant" if one_class else reference, seed)
    converged = _fitted(model, _seen(train, splits), train.labels)
    if reference == "linear":
        yield "converged", float(converged)
    for prefix, split in evaluated:
        assert split.labels is not None
        inputs = _seen(split, splits)
        shares = np.zeros((len(split), classes))
        shares[:, model.classes_] = model.predict_proba(inputs)
        predicted = np.asarray(model.predict(inputs), dtype=np.int64)
        yield f"{prefix}_accuracy", float(np.mean(predicted == split.labels))
        for name, value in classification_scores(shares, split.labels, predicted).items():
            yield f"{prefix}_{name}", value


def _regression(
    spec: RunSpec, splits: Splits, reference: Reference, evaluated: Evaluated, seed: int
) -> Iterator[tuple[str, float]]:
    train = splits.train
    assert train.numbers is not None
    inputs, numbers = _seen(train, splits), train.numbers.astype(np.float64)
    models = [_regressor(reference, seed) for _ in range(numbers.shape[1])]
    for output, model in enumerate(models):
        model.fit(inputs, numbers[:, output])
    for prefix, split in evaluated:
        assert split.numbers is not None
        inputs = _seen(split, splits)
        predicted = np.stack([np.asarray(model.predict(inputs), np.float64) for model in models], axis=1)
        for name, value in regression_scores(predicted, split.numbers, spec.dataset.targets).items():
            yield f"{prefix}_{name}", value


def _fitted(model: Any, inputs: Doubles, labels: npt.NDArray[np.int64]) -> bool:
    """Fit a model; whether it converged."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(inputs, labels)
    return not any(issubclass(one.category, ConvergenceWarning) for one in told)


def _classifier(reference: Reference, seed: int) -> Any:
    match reference:
        case "constant":
            from sklearn.dummy import DummyClassifier

            return DummyClassifier(strategy="prior")
        case "linear":
            from sklearn.linear_model import LogisticRegression

            return LogisticRegression(max_iter=MAX_ITERATIONS)
        case "gradient-boosting":
            from sklearn.ensemble import HistGradientBoostingClassifier

            return HistGradientBoostingClassifier(random_state=seed)


def _regressor(reference: Reference, seed: int) -> Any:
    match reference:
        case "constant":
            from sklearn.dummy import DummyRegressor

            return DummyRegressor(strategy="mean")
        case "linear":
            from sklearn.linear_model import Ridge

            return Ridge()
        case "gradient-boosting":
            from sklearn.ensemble import HistGradientBoostingRegressor

            return HistGradientBoostingRegressor(random_state=seed)


def _seen(split: Split, splits: Splits) -> Doubles:
    """The inputs (example, feature) as networks see them, in float64."""
    inputs = split.inputs
    if splits.scaling.centre is not None:
        inputs = inputs - splits.scaling.centre
    if splits.scaling.factor is not None:
        inputs = inputs * splits.scaling.factor
    return inputs.astype(np.float64)
