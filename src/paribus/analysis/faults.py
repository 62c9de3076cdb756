"""Faults: what disqualifies a run from being chosen, each by one threshold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import numpy as np

from paribus.analysis.findings import never_learned
from paribus.analysis.run import Run
from paribus.analysis.thresholds import (
    COLLAPSE_ERROR,
    COLLAPSE_VARIATION,
    DEAD_SHARE,
    UNLEARNED_R2,
    UNSTABLE_LOSS,
    UNSTABLE_RISE,
)
from paribus.spec.choice import FAULTS, Fault
from paribus.store.records import Curve


def faults_of(run: Run, rule: str, wanted: Collection[Fault] = FAULTS) -> tuple[Fault, ...]:
    """The faults that a run has at the epoch of `rule`, in the order of `FAULTS`; those that cannot be seen are not
    there.

    A run that has not ended is judged by what it has so far.
    """
    return tuple(fault for fault in FAULTS if fault in wanted and _TESTS[fault](run, rule))


def is_unstable(run: Run) -> bool:
    """Whether a run diverged, or lost in some epoch what it had learned (see `first_unstable`)."""
    losses = run.curves.get("train_loss")
    return run.state == "diverged" or (losses is not None and first_unstable(losses) is not None)


def first_unstable(losses: Curve) -> int | None:
    """The place of the first epoch whose training loss is not finite, or lost what had been learned; None without one.

    It exceeds the lowest loss of the epochs before by the share `UNSTABLE_RISE`, and by at least the share
    `UNSTABLE_LOSS` of what the loss had fallen by since the first epoch.
    """
    if len(losses) < 2:
        return None
    lowest, later = np.minimum.accumulate(losses)[:-1], losses[1:]
    rise = later - lowest
    lost = (rise > UNSTABLE_RISE * lowest) & (rise >= UNSTABLE_LOSS * (losses[0] - lowest))
    found = np.flatnonzero(lost | ~np.isfinite(later))
    return int(found[0]) + 1 if len(found) else None


def _diverged(run: Run, _rule: str) -> bool:
    return run.state == "diverged"


def _collapsed(run: Run, rule: str) -> bool:
    constant, error = bool(run.value(rule, "collapsed")), _error_over_mean(run, rule)
    match run.state:
        case "done":
            return constant or never_learned(run) or (error is not None and error > 1 - UNLEARNED_R2)
        case "diverged":
            return constant
        case _:
            # An autoencoder learns the mean of its inputs first, and until then its outputs are nearly the same. Units
            # that are dead then may come back: weight decay and Adam move their weights, too.
            return constant and (error is None or error <= COLLAPSE_ERROR)


def _error_over_mean(run: Run, rule: str) -> float | None:
    """The error of an autoencoder over that of the mean of its inputs, on the training examples; None of any other."""
    error, of_mean = run.value(rule, "mse"), run.value(rule, "mean_mse")
    return error / of_mean if error is not None and of_mean else None


def _dead(run: Run, rule: str) -> bool:
    dead, hidden = run.value(rule, "dead_units"), run.value(rule, "hidden_units")
    return bool(hidden) and (dead or 0.0) >= DEAD_SHARE * (hidden or 0.0)


def _unstable(run: Run, rule: str) -> bool:
    """Whether a run that has not diverged was unstable up to the epoch of `rule`: later epochs are not kept."""
    losses = run.curves.get("train_loss")
    return run.state != "diverged" and losses is not None and first_unstable(losses[: run.epoch(rule)]) is not None


_TESTS: Final[Mapping[Fault, Callable[[Run, str], bool]]] = {
    "diverged": _diverged,
    "collapsed": _collapsed,
    "dead": _dead,
    "unstable": _unstable,
}

UNSTABLE_IN_WORDS: Final = (
    f"the training loss of some epoch is more than {1 + UNSTABLE_RISE:g} times the lowest loss before it, and "
    f"higher by {100 * UNSTABLE_LOSS:g} % of what it had fallen by"
)
"""What an unstable epoch is."""

IN_WORDS: Final[Mapping[Fault, str]] = {
    "diverged": "the training loss became infinite or undefined",
    "collapsed": (
        f"the output is nearly the same for every input (its variance is below {100 * COLLAPSE_VARIATION:g} % of the "
        "input's), or the network predicts hardly better than a constant; before the end of training this counts only "
        "where the network has learned the constant"
    ),
    "dead": f"at least {100 * DEAD_SHARE:g} % of the hidden units give the same value for every input",
    "unstable": f"up to the chosen epoch, {UNSTABLE_IN_WORDS}",
}
"""What each fault means."""

REMEDIES: Final[Mapping[Fault, str]] = {
    "diverged": "lower learning rates, or clipped gradients",
    "collapsed": "another activation or initialisation, centred inputs, or lower learning rates",
    "dead": "another activation or initialisation, centred inputs, or lower learning rates",
    "unstable": "lower learning rates, or larger batches",
}
"""What to try where many candidates have the fault."""
