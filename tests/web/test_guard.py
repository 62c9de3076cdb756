from __future__ import annotations

from email.message import Message

import pytest

from paribus.errors import UserError
from paribus.web.guard import check_address, refusal


@pytest.mark.parametrize("host", ["", "0.0.0.0", "192.168.1.5", "10.0.0.1", "::", "localhost", "example.org", "127.1"])
def test_the_viewer_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(UserError, match="loopback"):
        check_address(host)


def test_loopback_addresses_are_fine() -> None:
    check_address("127.0.0.1")
    check_address("127.0.0.2")


def headers(**given: str) -> Message:
    message = Message()
    for name, value in given.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", " localhost:8080 "])
def test_a_browser_on_this_machine_is_allowed(host: str) -> None:
    assert refusal("GET", headers(Host=host), "127.0.0.1", 8080) is None
    more = headers(Host=host, Origin="http://localhost:8080", Sec_Fetch_Site="same-origin")
    assert refusal("HEAD", more, "127.0.0.1", 8080) is None


def test_the_default_port_may_be_left_out() -> None:
    assert refusal("GET", headers(Host="localhost"), "127.0.0.1", 80) is None
    assert refusal("GET", headers(Host="localhost"), "127.0.0.1", 8080) is not None
