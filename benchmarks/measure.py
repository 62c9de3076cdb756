"""One tool on one task in a process of its own, so that neither threads nor compilers of others get in.

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
from benchmarks.peers._base import SHORT_S, Peer, UnavailableError
from benchmarks.tasks import task


def main() -> None:
    tool, network = sys.argv[1:]
    answers = _own_standard_output()
    try:
        cls = peer_class(tool)
        peer = cls(task(network))
        _say(answers, {"versions": cls.versions(), "least_runs": cls.least_runs(), "together": cls.together})
    except (UnavailableError, ImportError) as reason:
        _say(answers, {"unavailable": str(reason)})
        return
    for request in _requests():
        _say(answers, answer(peer, request))


def answer(peer: Peer, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "peak":
        return {"peak": peak()}
    runs, epochs = request["runs"], request.get("epochs", peer.task.epochs)
    if request["do"] == "warm up":
        peer.warm_up(runs)
        return {}
    trained = peer.train(runs, epochs)
    seconds = [trained.seconds]
    while sum(seconds) < SHORT_S and not request.get("once") and not peer.long_enough:
        trained = peer.train(runs, epochs)
        seconds.append(trained.seconds)
    return {"seconds": statistics.median(seconds), "quality": trained.quality}


def _own_standard_output() -> TextIO:
    """Standard output for the answers alone: whatever else a tool prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    print(json.dumps(what), file=answers, flush=True)


if __name__ == "__main__":
    main()
