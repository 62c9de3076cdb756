"""One tool on one task in a process of its own, so that no other tool's threads or compilers disturb it.

    python -m benchmarks.measure TOOL NETWORK

Requests come as JSON lines on standard input, and each is answered by one on standard output.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from benchmarks.peak import peak
from benchmarks.peers import peer_class
from benchmarks.peers._base import MIN_MEASURED_S, Peer, UnavailableError
from benchmarks.tasks import task


def main() -> None:
    tool, network = sys.argv[1:]
    answers = _redirected_output()
    try:
        cls = peer_class(tool)
        peer = cls(task(network))
        _send(answers, {"versions": cls.versions(), "min_runs": cls.min_runs(), "batched": cls.batched})
    except (UnavailableError, ImportError) as reason:
        _send(answers, {"unavailable": str(reason)})
        return
    for request in _requests():
        _send(answers, answer(peer, request))


def answer(peer: Peer, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "peak":
        return {"peak": peak()}
    runs, epochs = request["runs"], request.get("epochs", peer.task.epochs)
    if request["do"] == "warm up":
        peer.warm_up(runs)
        return {}
    trained = peer.train(runs, epochs)
    seconds = [trained.seconds]
    while sum(seconds) < MIN_MEASURED_S and not request.get("once") and not peer.measures_long_enough:
        trained = peer.train(runs, epochs)
        seconds.append(trained.seconds)
    return {"seconds": statistics.median(seconds), "quality": trained.quality}


def _redirected_output() -> TextIO:
    """Standard output, for answers only: whatever a tool prints goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _send(answers: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=answers, flush=True)


if __name__ == "__main__":
    main()
