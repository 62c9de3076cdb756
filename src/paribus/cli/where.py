"""Where a command trains: on this machine, or on a Ray cluster (`--ray`)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paribus.execution.executor import Executor


@dataclass(frozen=True)
class Where:
    """How many cohorts train at once, None for as many as this machine has cores, and what makes their workers."""

    workers: int | None
    executor: Callable[[Any, Any], Executor]


def add_ray_option(to: argparse.ArgumentParser) -> None:
    """Where to train, if not in this process."""
    to.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="train on a Ray cluster: local starts one on this machine's cores, auto or HOST:PORT joins one",
    )


def where_of(arguments: argparse.Namespace) -> Where:
    """Where the command line says to train. Raises UserError where a cluster does not answer."""
    from paribus.execution.executors import ExecutorsByFamily

    if arguments.ray is None:
        return Where(None, ExecutorsByFamily)
    if arguments.device != "cpu":
        rule, remedy = "must not be given with --device: workers of a cluster train on CPUs", "leave one of them out"
        raise UserError(rule, given=arguments.ray, place="--ray", remedy=remedy)
    from paribus.execution.ray_cluster import RayExecutor, connect

    return Where(connect(arguments.ray), RayExecutor)
