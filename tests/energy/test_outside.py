"""Other programs' meters: stand-ins that end, hang or lie, and the real ones, each in its child process."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from paribus.energy.meters import Metering
from paribus.energy.outside import OutsideMeter, outside_meter

ANSWERS = """
import json, sys
for joules in {joules}:
    if not sys.stdin.readline():
        break
    if joules is None:
        raise SystemExit(70)
    print(json.dumps({{"meter": "tool", "version": "1", "energy_j": joules, "tag": "{tag}"}}), flush=True)
"""


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def stand_in(joules: str, tag: str = "modelled") -> list[str]:
    return child(ANSWERS.format(joules=joules, tag=tag))


def test_energy_counts_from_the_first_reading():
    with Metering(OutsideMeter("tool", stand_in("[100.0, 104.5, 107.0]"))) as metering:
        assert metering.usage.energy_j == pytest.approx(4.5)
    usage = metering.usage
    assert (usage.energy_j, usage.tag) == (pytest.approx(7.0), "modelled")
    assert (usage.method["meter"], usage.method["version"]) == ("tool", "1")
    assert usage.method["deviations"] == [-0.6, 1.9]


def test_a_measured_figure_has_no_deviations():
    with Metering(OutsideMeter("tool", stand_in("[0.0, 5.0]", "measured"))) as metering:
        pass
    assert metering.usage.tag == "measured"
    assert "deviations" not in metering.usage.method


def test_a_tool_that_ends_its_process_ends_nothing_else():
    with Metering(OutsideMeter("tool", stand_in("[0.0, None]"))) as metering:
        pass
    assert (metering.usage.energy_j, metering.usage.tag) == (None, "unknown")
    assert metering.usage.method["reason"] == "tool ended with exit code 70"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time; time.sleep(60)", "no answer within"),
        ("input(); print('ready')", "no JSON"),
        ("input(); print('[1]')", "no reading"),
    ],
)
def test_a_tool_that_is_silent_or_talks_nonsense_leaves_no_figure(code, reason):
    meter = OutsideMeter("tool", child(code), start_s=2.0, answer_s=0.2)
    if "sleep" in code:
        meter = OutsideMeter("tool", child(code), start_s=0.2)
    with Metering(meter) as metering:
        pass
    assert metering.usage.tag == "unknown"
    assert reason in metering.usage.method["reason"]


def test_a_command_that_cannot_be_started_leaves_no_figure(tmp_path):
    with Metering(OutsideMeter("tool", [str(tmp_path / "none")])) as metering:
        pass
    assert "cannot be started" in metering.usage.method["reason"]


def test_no_child_stays_behind():
    meter = OutsideMeter("tool", stand_in("range(100)"))
    meter.start()
    process = meter._child
    meter.stop()
    assert process.poll() is not None
    meter.stop()


@pytest.mark.parametrize("name", ["codecarbon", "carbontracker"])
def test_the_real_tool_measures_a_second_of_work(name):
    with Metering(outside_meter(name)) as metering:
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            sum(range(1000))
    usage = metering.usage
    assert usage.tag in ("measured", "modelled"), usage.method
    assert 0.1 < usage.energy_j < 2000
    assert usage.method["version"][0].isdigit()
    json.dumps(dict(usage.method))


def test_no_tool_asks_for_a_location():
    """The child's network is closed: a tool that asks where the machine stands would fail or fall silent."""
    code = (
        "import socket\n"
        "def refuse(*_a, **_k): raise SystemExit('the network was asked')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse; socket.create_connection = refuse\n"
        "import sys; sys.argv = ['child', 'carbontracker']\n"
        "from paribus.energy.outside_child import main; main()\n"
    )
    command = child(code)
    done = subprocess.run(command, input=b"read\n", capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout)["meter"] == "carbontracker", done.stderr[-500:]
    assert b"the network was asked" not in done.stderr
