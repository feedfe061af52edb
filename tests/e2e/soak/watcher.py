"""Somebody who lists all jobs once and then watches: what they believe must be what is, however often they were thrown
off. Asks a node for its list and its stream both, another one when that does not answer."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.e2e import kit
from tests.e2e.soak.clients import Person

SILENCE = 12.0  # seconds; a living stream says something every five


class Watcher(Person):
    """`believed`: the state of each job, as told. `since`: the last message that was read."""

    since = ""

    def __post_init__(self) -> None:
        self.believed: dict[int, str] = {}

    def turn(self) -> None:
        node = self.rng.choice(list(self.array.nodes))
        try:
            if not self.since:
                self._list(node)
            self._watch(node)
        except (OSError, http.client.HTTPException, kit.Failed, ValueError) as error:
            self.book.note(self.name, f"thrown off by {node.name}: {error!r}")
        self.rest(0.1, 0.5)

    def _list(self, node: kit.Node) -> None:
        """Page by page, the newest first; the first page says where to watch from."""
        believed: dict[int, str] = {}
        page = node.get("/v1/jobs?limit=500")
        since = page["seq"]
        while True:
            believed |= {job["id"]: job["state"] for job in page["items"] if job["id"] not in believed}
            if not page["next"]:
                break
            page = node.get(f"/v1/jobs?limit=500&after={page['next']}")
        self.believed, self.since = believed, since
        self.book.count("lists")

    def _watch(self, node: kit.Node) -> None:
        connection = node.connect(SILENCE)
        try:
            headers = {"Accept": "application/x-ndjson", "Last-Event-ID": self.since}
            connection.request("GET", "/v1/stream?topics=job", headers=headers)
            answer = connection.getresponse()
            if answer.status == 410:
                self.since = ""
            if answer.status >= 500 and answer.status != 503:
                self.book.bad(f"stream at {node.name}: {answer.status} {answer.read()!r}")
            if answer.status != 200:
                return
            while not self.stop.is_set() and (line := answer.readline()):
                self._hear(json.loads(line))
        finally:
            connection.close()

    def _hear(self, message: Any) -> None:
        if message["topic"] == "job":
            data = message["data"]
            for job in range(data.get("first", data["id"]), data["id"] + 1):
                self.believed[job] = data["state"]
            self.since = message["id"]
            self.book.count("messages")
        elif message["topic"] in ("overflow", "moved"):
            self.since = ""

    def wrong(self, node: kit.Node) -> list[str]:
        """What they believe and is not so; asked once all is at rest, and they have heard all."""
        there = {job["id"]: job["state"] for job in node.jobs()}
        believed = self.believed if self.since else there  # thrown off at the end: they would list again
        return [
            f"{self.name} was told that job {job} is {believed.get(job)}; it is {there.get(job)}"
            for job in sorted(there.keys() | believed.keys())
            if there.get(job) != believed.get(job)
        ][:20]
