from __future__ import annotations

import json

from benchmarks.measure import answer
from benchmarks.peers import peer_class
from benchmarks.tasks import task


def test_answers_can_be_written_as_json() -> None:
    work = task("AE_n16").limited(64)
    peer = peer_class("sequential")(work)
    found = json.loads(json.dumps(answer(peer, {"do": "train", "runs": 2, "epochs": 1, "once": True})))
    assert found["seconds"] > 0
    assert set(found["quality"]) == {"0", "1"}
    assert json.loads(json.dumps(answer(peer, {"do": "peak"})))["peak"] > 1e8
