"""The executor contract: what carries out tasks elsewhere than in the thread that records.

The parent plans, records and grants; workers train. An executor begins tasks and carries messages both ways. What
crosses is declared in `execution/messages.py`: plain values, arrays and ids. `execution/threads.py` implements the
contract with threads of this process, for the compiled engine and for one accelerator; `execution/processes.py` with
processes, for a user's own modules; `execution/ray_cluster.py` with actors of a Ray cluster. One test suite
(`tests/execution/test_executors.py`) holds for all.

What every executor promises:

- **Order.** Messages of one task arrive in the order in which its worker sent them; the last is `Finished`, exactly
  once, whatever happens to the worker. Messages of different tasks may come in any order.
- **Nothing else crosses.** A worker sees its task and the replies to what it asked. It never sees the workspace, and no
  example of the test set before a `Grant` brings it.
- **Bits.** A run's results do not depend on the executor, on the number of workers, or on how often a worker was lost.
- **A lost worker is told.** Where a worker can be lost alone (it died, it lacked memory, or it was silent), `Finished`
  has a `Failure`, which says in a few words what happened. The executor does not begin the task again: the parent
  does, from the last checkpoint.
- **Nothing stays behind.** After `close`, and after the parent was killed, no worker and no shared memory is left.

Executors deliver from threads of their own, so `deliver` must be quick and may be called from any thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from paribus.energy.meters import NodeLoad
from paribus.execution.messages import FromWorker, Task, ToWorker

Deliver = Callable[[str, FromWorker], None]
"""Takes a message of the task with this id."""


class Executor(ABC):
    """Begins tasks, and carries messages between their workers and the parent.

    Only the parent's thread calls its methods.
    """

    @abstractmethod
    def start(self, task: Task) -> None:
        """Begin a task. The caller begins no more tasks at once than the device has workers.

        Raises OSError where no worker can be started.
        """

    @abstractmethod
    def send(self, task_id: str, message: ToWorker) -> None:
        """Bring a message to the worker of a task; where the task is over, nothing happens."""

    @abstractmethod
    def close(self) -> None:
        """End every worker, also one whose task is not over."""

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be on other machines, whose energy this one's counters do not see."""
        return False

    @property
    def cpu_s(self) -> float:
        """Processor time of all workers so far, beyond that of this process, in seconds."""
        return 0.0

    @property
    def memory_gib(self) -> float:
        """The most memory that all workers together have held, beyond that of this process."""
        return 0.0

    @property
    def nodes(self) -> Mapping[str, NodeLoad]:
        """What the workers on each node of a cluster have taken so far, by the node's id; empty without a cluster."""
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
