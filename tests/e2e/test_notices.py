"""Who is told what, over the death of the node that tells it: a webhook of the site gets each notice, signed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fa.node.webhook import signature
from tests.e2e import kit
from tests.e2e.kit import wait_until

SECRET = "s3cret"


class Desk:
    """Takes notices; refuses the first ones while `closed`."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self.forged: list[str] = []
        self.closed = False
        self.refused = 0

    def take(self, headers: Any, body: bytes) -> int:
        if self.closed:
            self.refused += 1
            return 503
        timestamp, notice_id = headers["Fa-Timestamp"], headers["Fa-Notice-Id"]
        if headers["Fa-Signature"] != signature(SECRET, timestamp, notice_id, body):
            self.forged.append(notice_id)
        told = json.loads(body)
        self.notices += told.get("items", [told])
        return 204

    def heard_of_take_over(self, by: str, words: str) -> bool:
        told = [notice for notice in self.notices if notice["kind"] == "take-over"]
        return any(notice["subject"] == f"node/{by}" and words in notice["text"] for notice in told)


@contextmanager
def desk_at_work() -> Iterator[tuple[Desk, str]]:
    """And the URL for `alerts.targets`."""
    desk = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(desk.take(self.headers, body))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield desk, f"webhook+http://:{SECRET}@127.0.0.1:{server.server_address[1]}/fa"
    finally:
        server.shutdown()
        server.server_close()


def tell(node: kit.Node, url: str) -> None:
    """Restart the node with the target in its settings."""
    node.stop()
    with (node.root / "fa.toml").open("a") as file:
        file.write(f'\n[alerts]\ntargets = ["{url}"]\n')
    node.start()


def test_notices_outlive_the_node_that_was_to_send_them(array: kit.Array) -> None:
    with desk_at_work() as (desk, url):
        a = array.found("a", "--witness", "volume:san")
        b = array.join("b")
        array.wait_mirror()
        wait_until("three vote", lambda: len(a.get("/v1/mirror")["voters"]) == 3)
        tell(b, url)
        array.wait_mirror()
        tell(a, url)
        array.wait_mirror()
        first = array.coordinator()
        second = b if first is a else a
        wait_until("all is told", lambda: not first.get("/v1/alerts")["items"])
        desk.closed = True
        desk.notices.clear()
        first.kill()
        wait_until("the other one leads", second.leads)
        wait_until("somebody was to be told, and nobody took it", lambda: desk.refused)
        second.stop()  # what was not sent is in the store
        desk.closed = False
        first.start()
        second.start()
        # Others may come first: of the take-over before, or of the start that follows.
        wait_until("it is told all the same", lambda: desk.heard_of_take_over(second.name, f"after {first.name}"), 240)
        assert not desk.forged
        assert SECRET not in first.tail(10_000) + second.tail(10_000)
