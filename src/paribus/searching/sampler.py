"""What proposes candidates: Optuna's samplers, asked for a batch at a time and told its values.

Optuna proposes only. A sampler is a function of its seed and of the asks and tells before: it is rebuilt by repeating
these in order, with the same version of Optuna. Nothing of its own is stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any, assert_never, final

from paribus.errors import Shown, UserError
from paribus.seeding import sampler_seed
from paribus.spec.search import Dimension, Search, holds

if TYPE_CHECKING:
    import optuna

DIGITS = 6
"""Significant digits of a proposed number: what a study file shows is what trains."""


def proposer(search: Search) -> str:
    """The sampler and the version of the library that has it, as recorded with each proposal.

    Raises UserError where Optuna is not installed.
    """
    try:
        return f"optuna {metadata.version('optuna')}, {search.sampler}"
    except metadata.PackageNotFoundError:
        rule, remedy = "needs Optuna, which proposes its candidates", "install paribus[search]"
        raise UserError(rule, given=Shown("no Optuna here"), place="a search", remedy=remedy) from None


@final
class Sampler:
    """Proposes the candidates of one bracket. `base` are the study's own tables, for conditions on them."""

    def __init__(self, search: Search, base: Mapping[str, Any], seed: int, bracket: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search, self._base = search, base
        self._study = optuna.create_study(sampler=_sampler(search, sampler_seed(seed, bracket)))
        self._asked: list[optuna.Trial] = []

    def ask(self, count: int) -> list[dict[str, Any]]:
        """`count` proposals: dotted keys to values."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's about what is experimental, and about Sobol's first point
            return [self._proposed() for _ in range(count)]

    def tell(self, values: Sequence[float]) -> None:
        """Take the values of the last `ask`'s candidates, in their order: the lower the better, infinity the worst."""
        for trial, value in zip(self._asked, values, strict=True):
            self._study.tell(trial, value)
        self._asked = []

    def _proposed(self) -> dict[str, Any]:
        trial = self._study.ask()
        self._asked.append(trial)
        found: dict[str, Any] = {}
        for key, dimension in self._search.space.items():
            if holds(dimension.when, found, self._base):
                found[key] = _suggested(trial, key, dimension)
        return found


def _sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        match search.sampler:
            case "random":
                return samplers.RandomSampler(seed=seed)
            case "sobol":
                return samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed)
            case "tpe":
                return samplers.TPESampler(seed=seed, constant_liar=True)
            case _:
                assert_never(search.sampler)  # without a sampler, Optuna takes its own default


def _suggested(trial: optuna.Trial, key: str, dimension: Dimension) -> Any:
    if dimension.choice is not None:  # by position: a choice may be a list or a table
        return dimension.choice[trial.suggest_categorical(key, tuple(range(len(dimension.choice))))]
    if dimension.integer is not None:
        low, high = dimension.integer
        return trial.suggest_int(key, low, high)
    low, high = dimension.log_uniform or dimension.uniform or (0.0, 0.0)
    value = trial.suggest_float(key, low, high, log=dimension.log_uniform is not None)
    return min(max(float(f"{value:.{DIGITS}g}"), float(low)), float(high))
