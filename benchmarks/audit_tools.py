"""What finds wrong labels in the label audits' benchmark: paribus, and cleanlab with models that users give it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.audit_data import Array


@dataclass(frozen=True, eq=False)
class Answer:
    """A tool's ranking (example,), higher for more suspicious, and whether each example is on its list.

    `training_s` is the time of training alone, and `expected_precision` the share of the list that the tool itself
    expects to be wrong.
    """

    ranking: Array
    listed: Array
    training_s: float | None = None
    estimated_rate: float | None = None
    expected_precision: float | None = None


def by_paribus(inputs: Array, labels: Array) -> dict[str, Answer]:
    """paribus, and cleanlab's rule on the out-of-fold probabilities of the same networks, which takes no training."""
    import paribus
    from paribus.analysis.results import load
    from paribus.store.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        audit = paribus.audit(paribus.source("bench", X=inputs, y=labels), workspace=folder, progress=False)
        with Workspace.open(Path(folder)) as workspace:
            usage = workspace.usage([run.id for *_, run in workspace.runs_of(audit.found.study_id)])
            outside = _outside(load(workspace, audit.found.study_id), len(labels), len(audit.found.classes))
    found = audit.found
    listed = np.nan_to_num(found.probabilities) >= 0.5
    expected = float(found.probabilities[listed].mean()) if listed.any() else None
    trained = sum(used.wall_s for used in usage)
    return {
        "paribus": Answer(found.suspicion, listed, trained, found.noise.rate, expected),
        "cleanlab, same networks": _cleanlab(labels, outside),
    }


def _outside(results: Any, examples: int, classes: int) -> Array:
    """The out-of-fold probabilities (example, class) of the arm with the labels as given."""
    from paribus.analysis.outputs import log_probabilities

    found = np.full((examples, classes), np.nan)
    for run in results.finished("given"):
        outputs = run.artifact(results.deploy("given"), "outputs/test")
        rows = np.asarray(run.artifact("", "targets/test")["rows"], np.int64)
        found[rows] = np.exp(log_probabilities(outputs["outputs"]))
    return found / found.sum(axis=1, keepdims=True)


def by_network(inputs: Array, labels: Array) -> dict[str, Answer]:
    """scikit-learn's multilayer perceptron of as many hidden units, five folds, stopped early by its own rule."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((128,), early_stopping=True, n_iter_no_change=5, max_iter=25, random_state=0)
    return {"cleanlab, own network": _with_folds(model, inputs, labels)}


def by_logistic(inputs: Array, labels: Array) -> dict[str, Answer]:
    """scikit-learn's logistic regression, five folds: the first example of cleanlab's documentation."""
    from sklearn.linear_model import LogisticRegression

    return {"cleanlab, logistic": _with_folds(LogisticRegression(max_iter=200), inputs, labels)}


def _with_folds(model: Any, inputs: Array, labels: Array) -> Answer:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    images = inputs.ndim == 3
    pipeline = make_pipeline(model) if images else make_pipeline(StandardScaler(), model)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are bounded on purpose
        outside = cross_val_predict(pipeline, flat / 255 if images else flat, labels, cv=5, method="predict_proba")
    return _cleanlab(labels, np.asarray(outside), time.perf_counter() - started)


def _cleanlab(labels: Array, outside: Array, trained: float | None = None) -> Answer:
    import cleanlab

    quality = cleanlab.rank.get_label_quality_scores(labels, outside)
    listed = cleanlab.filter.find_label_issues(labels, outside, n_jobs=1)
    joint = cleanlab.count.estimate_joint(labels, outside)
    return Answer(-quality, listed, trained, float(1 - np.trace(joint)))
