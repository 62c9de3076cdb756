"""What crosses between an `IsolatedEngine` and the process that has the networks: one request, one reply, in turn.

They are plain data, like those of `execution/messages.py`, and `execution/encoding.py` writes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.spec.losses import LossBase
from paribus.training.engine import AnyArchitecture, Evaluation, Forward, Inputs, ModuleArchitecture, State, Targets


@dataclass(frozen=True, eq=False)
class InitialStateRequest:
    """Make a module from random generators seeded with `key`; the reply is `InitialState`."""

    architecture: ModuleArchitecture
    key: int


@dataclass(frozen=True, eq=False)
class NetworksRequest:
    """Keep networks under this number, one for each state; the reply is `Done`."""

    number: int
    architecture: AnyArchitecture
    states: Sequence[State]


@dataclass(frozen=True)
class Dropped:
    """The networks of this number are not used any more; the reply is `Done`."""

    number: int


@dataclass(frozen=True, eq=False)
class ForwardRequest:
    """Outputs for all examples of `inputs`; the reply is `Forward`."""

    number: int
    inputs: Inputs


@dataclass(frozen=True, eq=False)
class EvaluationRequest:
    """The loss on all examples of `inputs`, whose targets are the inputs where they are None; the reply is
    `Evaluation`."""

    number: int
    inputs: Inputs
    targets: Targets | None
    loss: LossBase


@dataclass(frozen=True)
class Done:
    """What was asked for is done, and there is nothing to give back."""


@dataclass(frozen=True, eq=False)
class InitialState:
    """A module's state dict."""

    state: State


@dataclass(frozen=True)
class Refused:
    """What was asked for cannot be done: the parts of a `UserError`, as a message shows them."""

    rule: str
    given: str
    place: str
    remedy: str


EngineRequest = InitialStateRequest | NetworksRequest | Dropped | ForwardRequest | EvaluationRequest
EngineReply = Done | InitialState | Forward | Evaluation | Refused
