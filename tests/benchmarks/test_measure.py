from __future__ import annotations

import json

from benchmarks.measure import answer
from benchmarks.peers import peer_class
from benchmarks.tasks import task


def test_a_request_is_answered_in_what_json_can_say() -> None:
    work = task("AE_n16").cut(64)
    peer = peer_class("sequential")(work)
    told = json.loads(json.dumps(answer(peer, {"do": "train", "runs": 2, "epochs": 1, "once": True})))
    assert told["seconds"] > 0
    assert set(told["quality"]) == {"0", "1"}
    assert json.loads(json.dumps(answer(peer, {"do": "peak"})))["peak"] > 1e8
