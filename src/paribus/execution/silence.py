"""When a worker counts as silent: it has sent no heartbeat for longer than any of its epochs explains."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final, final

LEAST_S: Final = 60.0
"""Seconds of silence that are always allowed."""
EPOCHS: Final = 20
"""Median epochs of silence that are allowed, where they take longer."""
_REMEMBERED: Final = 101
"""Epochs of which the median is taken: the latest."""


@final
class Silence:
    """Follows one worker. Times are seconds of any clock that only goes forward."""

    def __init__(self, now_s: float, least_s: float = LEAST_S) -> None:
        self._heard_s = now_s
        self._least_s = least_s
        self._epochs_s: deque[float] = deque(maxlen=_REMEMBERED)

    def heard(self, now_s: float) -> None:
        """Note that a message came."""
        self._heard_s = now_s

    def epoch_took(self, epoch_s: float) -> None:
        """Note how long an epoch took."""
        self._epochs_s.append(epoch_s)

    @property
    def limit_s(self) -> float:
        """How long the worker may be silent."""
        return max(self._least_s, EPOCHS * median(self._epochs_s)) if self._epochs_s else self._least_s

    def too_long(self, now_s: float) -> bool:
        """Whether the worker has been silent for longer than that."""
        return now_s - self._heard_s > self.limit_s
