from __future__ import annotations

import re
import socket
from pathlib import Path
from threading import Thread

import pytest

from paribus.errors import UserError
from paribus.store.workspace import Workspace
from paribus.web import gate
from paribus.web.gate import MAX_CONNECTIONS, MAX_HEAD_BYTES
from paribus.web.library import Library
from paribus.web.server import Viewer
from tests.web.conftest import SCRIPT, Client, Serve


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def links(page: str) -> list[str]:
    return [link for link in re.findall(r'href="([^"]*)"', page) if not link.startswith("#")]


def test_every_link_leads_somewhere(client: Client, identity: str) -> None:
    for page in (client.report(identity), client.get("/")):
        found = links(page.text)
        assert found
        for link in found:
            assert client.get(link).status in (200, 202), link
    assert any(link.endswith(".csv") for link in links(client.report(identity).text))


def test_a_study_is_found_by_its_identity_or_its_exact_name(client: Client, identity: str) -> None:
    page = client.report(identity)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert client.get("/study/done").body == page.body
    assert client.get("/study/don").status == client.get("/study/Done").status == 404


def test_only_the_named_studies_are_shown(serve: Serve, folder: Path, identity: str) -> None:
    client = serve(folder, identity)
    assert client.report("done").status == 200
    for target in ("/study/open", "/study/open/events", "/table/open.json", "/table/open.csv"):
        assert client.get(target).status == 404
    assert "/study/" + identity in client.get("/").text
    assert client.get("/").text.count("<article") == 1


STRANGE = [
    "/../workspace.sqlite", "/..%2fworkspace.sqlite", "/%2e%2e/workspace.sqlite", "/..%5cworkspace.sqlite", "/lock",
    "/workspace.sqlite", "/study", "/study/", "/study/..", "/study/../..", "/study/%2e%2e", "/study//etc/passwd",
    "//etc/passwd", "///", "/etc/passwd", "/study//", "/study/done/", "/study/done/..", "/study/done/../../lock",
    "/study/done%00", "/study/done\x00", "/study/done\x0b", "/study/done%0d%0aX:1", "/study/done.toml", "/study/done?x",
    "/study/done;x", "/study/done#x", "/study/DONE", "/study/done/tables/../../../workspace.sqlite",
    "/study/done/tables/..%2f..%2fworkspace.sqlite", "/study/done/tables/.csv", "/study/done/tables/%2e%2e.csv",
    "/study/done/tables/done-table.csv/", "/table/done", "/table/done.html", "/table/../done.csv",
    "/table/..%2f..%2fetc%2fpasswd.csv", "/tables/", "/?", "/index.html", "/favicon.ico", "*", "done", "/study/\xff",
    "http://127.0.0.1/study/done", "file:///etc/passwd", "/study/" + "a" * 61, "/study/" + "0" * 32, "/" + "a" * 9000,
    "/study/" + "../" * 1000 + "etc/passwd", "/study/done/version", "/study/done/events/", "/events/", "/events?x=1",
    "/study/done/events?x", "/study/done/tables/", "/study/done/tables/done-table", "/docs",
    "/openapi.json", "/static/style.css", "/study/'--", "/study/*",
]  # fmt: skip


@pytest.mark.parametrize("target", STRANGE)
def test_an_unknown_target_is_not_found(client: Client, target: str) -> None:
    answer = client.get(target)
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("line", ["GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/\tHTTP/1.1"])
def test_a_request_line_has_three_words(client: Client, line: str) -> None:
    host = f"Host: 127.0.0.1:{client.port}"
    assert client.raw(f"{line}\r\n{host}\r\n\r\n".encode()).status == 400


def test_a_request_is_short(client: Client) -> None:
    assert client.get("/" + "a" * MAX_HEAD_BYTES).status == 431
    assert client.get("/", Cookie="a" * MAX_HEAD_BYTES).status == 431
    assert client.raw(b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n").status == 431


def test_a_request_must_arrive_in_time(serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_HEAD_S", 0.2)
    client = serve(folder)
    for request in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
            connection.sendall(request)
            assert connection.recv(100) == b""


def test_the_number_of_connections_is_limited(client: Client) -> None:
    address = ("127.0.0.1", client.port)
    idle = [socket.create_connection(address, timeout=30) for _ in range(MAX_CONNECTIONS)]
    try:
        with socket.create_connection(address, timeout=30) as further:
            assert further.recv(100) == b""
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "",
             "127.0.0.1:{port}@evil.example", "[::1]:{port}", "0.0.0.0:{port}"],
)  # fmt: skip
def test_dns_rebinding_is_refused(client: Client, host: str) -> None:
    assert client.get("/", Host=host.format(port=client.port)).status == 403


def test_there_is_one_host_header(client: Client) -> None:
    own = f"Host: 127.0.0.1:{client.port}\r\n".encode()
    assert client.raw(b"GET / HTTP/1.1\r\n\r\n").status == 403
    assert client.raw(b"GET / HTTP/1.1\r\n" + own + b"Host: evil.example\r\n\r\n").status == 403
    assert client.raw(b"GET / HTTP/1.1\r\n" + own + own + b"\r\n").status == 403
    assert client.raw(b"GET / HTTP/1.1\r\n" + own + b"\r\n").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "https://127.0.0.1:{port}"),
     ("Origin", "http://127.0.0.1:1"), ("Sec_Fetch_Site", "cross-site"), ("Sec_Fetch_Site", "same-site"),
     ("Sec_Fetch_Site", "whatever")],
)  # fmt: skip
def test_other_sites_are_refused(client: Client, name: str, value: str) -> None:
    for target in ("/", "/table/done.json"):
        answer = client.get(target, **{name: value.format(port=client.port)})
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_viewers_own_pages_are_allowed(client: Client) -> None:
    own = f"http://localhost:{client.port}"
    assert client.get("/", Host=f"localhost:{client.port}", Origin=own, Sec_Fetch_Site="same-origin").status == 200
    assert client.get("/", Sec_Fetch_Site="none").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"])
def test_it_is_read_only(client: Client, method: str) -> None:
    answer = client.get("/study/done", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_is_get_without_the_content(client: Client) -> None:
    head, get = client.get("/table/done.csv", method="HEAD"), client.get("/table/done.csv")
    assert head.body == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))


def test_every_response_has_security_headers(client: Client) -> None:
    answers = [
        client.get("/"),
        client.get("/study/open"),
        client.report("done"),
        client.get("/study/done/events", method="HEAD"),
        client.get("/table/done.json"),
        client.get("/none"),
        client.get("/", method="POST"),
        client.get("/", Host="evil.example"),
        client.raw(b"GET / HTTP/9.9.9\r\n\r\n"),
        client.raw(b"GET\r\n\r\n"),
        client.get("/" + "a" * MAX_HEAD_BYTES),
    ]
    assert [answer.status for answer in answers] == [200, 202, 200, 200, 200, 404, 405, 403, 400, 400, 431]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        asked = re.findall("connect-src ([^;]*)", policy)
        assert asked == (["'self'"] if answer.headers["Content-Type"].startswith("text/html") else [])
        assert "script-src 'unsafe-inline'" not in policy
        assert answer.headers["Server"] == "paribus"


def test_a_script_in_a_name_stays_a_name(client: Client) -> None:
    for page in (client.get("/").text, client.get("/study/open").text, client.report("done").text):
        assert SCRIPT not in page
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_nothing_is_written(client: Client, folder: Path) -> None:
    before = contents(folder)
    client.report("done")
    for target in ("/", "/study/done", "/study/open", "/table/done.csv", *STRANGE[:9]):
        client.get(target)
        client.get(target, method="POST")
    next(client.events("/study/done/events"))
    assert contents(folder) == before


def test_a_broken_workspace_is_one_line(serve: Serve, tmp_path: Path) -> None:
    with Workspace.open(tmp_path, create=True, write=True) as workspace:
        workspace.log_test_reads([])
    client = serve(tmp_path)
    assert client.get("/").status == 200
    (tmp_path / "workspace.sqlite").write_bytes(b"\x00" * 5000)
    answer = client.get("/")
    assert answer.status == 500
    assert re.fullmatch(rf"500 Internal Server Error: {tmp_path}[^\n]*\n", answer.text)


def test_a_defect_is_one_line_and_the_viewer_goes_on(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(folder)

    def broken(_library: Library) -> None:
        raise RuntimeError("two\nlines")

    with monkeypatch.context() as patched:
        patched.setattr(Library, "listed", broken)
        answer = client.get("/")
    assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
    assert caplog.messages == ["viewer: RuntimeError: two lines; this is a defect of paribus"]
    assert client.get("/").status == 200


def test_a_connection_carries_one_request(client: Client) -> None:
    own = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n"
    answer = client.raw((f"{own}\r\n" + "GET /none HTTP/1.1\r\nHost: evil.example\r\n\r\n").encode())
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    answer = client.raw(f"{own}Content-Length: 5\r\nConnection: keep-alive\r\n\r\nbytes".encode())
    assert (answer.status, answer.headers["Connection"]) == (200, "close")


@pytest.mark.parametrize("line", ["X 1", "X : 1", " X: 1", ": 1", "X\t: 1", "X: \x00"])
def test_a_header_is_a_name_and_a_value(client: Client, line: str) -> None:
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n{line}\r\n\r\n"
    assert client.raw(head.encode()).status == 400


def test_a_head_may_arrive_in_pieces(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        for piece in (b"GET /none HT", b"TP/1.1\r\nHost: localhost:", f"{client.port}\r\n\r".encode(), b"\n"):
            connection.sendall(piece)
        assert connection.recv(30).startswith(b"HTTP/1.1 404 Not Found")


def test_events_are_refused_as_pages_are(client: Client) -> None:
    for target in ("/events", "/study/done/events"):
        assert client.get(target, Host="evil.example").status == 403
        assert client.get(target, Origin="http://evil.example").status == 403
        assert client.get(target, method="POST").status == 405
    assert client.get("/study/none/events").status == 404


def test_the_viewer_ends_while_pages_listen(folder: Path) -> None:
    viewer = Viewer(Library(folder))
    thread = Thread(target=viewer.serve_forever)
    thread.start()
    events = Client(viewer.port).events("/study/done/events")
    next(events)
    viewer.shutdown()
    thread.join(60)
    assert not thread.is_alive()
    list(events)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "192.0.2.1"])
def test_it_binds_to_loopback_only(folder: Path, host: str) -> None:
    with pytest.raises(UserError, match="loopback"):
        Viewer(Library(folder), host=host)


def test_a_port_that_is_taken_is_a_users_mistake(folder: Path, client: Client) -> None:
    with pytest.raises(UserError, match="--port: must be a port that is free"):
        Viewer(Library(folder), client.port)
