"""Reference lines: what simple models of scikit-learn reach on the same splits, beside a study's networks."""

from __future__ import annotations

from typing import Final, Literal

from paribus.spec.losses import Task

Reference = Literal["constant", "linear", "gradient-boosting"]
"""constant: the most frequent class with the classes' frequencies as probabilities, or the mean of the targets.
linear: logistic or ridge regression on inputs scaled as the study says, regularised as scikit-learn does by default.
gradient-boosting: `HistGradientBoostingClassifier` or `HistGradientBoostingRegressor`, as they are by default."""

REFERENCES: Final[tuple[Reference, ...]] = ("constant", "linear", "gradient-boosting")
LABELS: Final[dict[Reference, str]] = {
    "constant": "constant",
    "linear": "linear model",
    "gradient-boosting": "gradient boosting",
}
_CONSTANTS: Final[dict[Task, str]] = {"classification": "most frequent class", "regression": "mean of the targets"}


def reference_label(reference: Reference, task: Task) -> str:
    """A reference's name for people."""
    return _CONSTANTS.get(task, LABELS[reference]) if reference == "constant" else LABELS[reference]


def measurement_name(reference: Reference, metric: str) -> str:
    """The name under which a metric of a reference is recorded: `reference/linear/test_accuracy`."""
    return f"reference/{reference}/{metric}"
