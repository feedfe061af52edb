"""Clients that submit and look, and an operator who cancels, retries, holds, drains, hands over: all retry what may be
retried, and write down what they were told."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from fa.cli.exits import JOB_FAILED, NOT_FOUND, OK, TIMEOUT, UNREACHABLE
from tests.e2e import kit
from tests.e2e.soak import work
from tests.e2e.soak.book import Book, Told

PATIENCE = 300.0  # seconds for one request, faults and all
ANSWER = (2.0, 14.0)  # seconds until a client gives up an answer and asks another node
DONE = frozenset({200, 404, 409, 410})  # what says for sure whether something was done
READS = (
    "status", "nodes", "alerts?all=true", "events", "mirror", "mirror/history", "factories", "volumes", "monitors",
    "volumes/san/files?path=out", "jobs?limit=20", "jobs?q=state:failed", "jobs?sort=-priority", "me", "tokens",
)  # fmt: skip
BACKLOG = 60  # jobs that are not over, from which clients hold back
NOWHERE = (0, None)  # no answer: it may have happened or not


@dataclass
class Person(ABC):
    """Somebody with a random generator of their own, in a thread of their own."""

    name: str
    array: kit.Array
    book: Book
    rng: Random
    stop: threading.Event

    def ask(self, method: str, path: str, body: Any = None, key: str = "", seconds: float = 0.0) -> tuple[int, Any]:
        """At a random node; `NOWHERE` without an answer. No client should ever see a fault of the server's own."""
        node = self.rng.choice(list(self.array.nodes))
        try:
            patience = seconds or self.rng.uniform(*ANSWER)
            status, answer = node.request(method, path, body, key=key, timeout=patience)
        except (OSError, http.client.HTTPException):
            self.book.count("no answer")
            return NOWHERE
        if status >= 500 and status != 503:
            self.book.bad(f"{method} {path} at {node.name}: {status} {answer}")
        self.book.count("503" if status == 503 else "answers")
        return status, answer

    def rest(self, least: float, most: float) -> None:
        self.stop.wait(self.rng.uniform(least, most))

    @abstractmethod
    def turn(self) -> None:
        """What such a person does, again and again."""

    def run(self) -> None:
        while not self.stop.is_set():
            self.turn()


class Client(Person):
    """Submits, with a key each, until it is acknowledged; looks at what it submitted."""

    count = 0

    def turn(self) -> None:
        if self.rng.random() < (0.6 if self.book.backlog < BACKLOG else 0.1):
            self._submit()
        else:
            self._look()
        self.rest(0.05, 1.2)

    def _submit(self) -> None:
        many = self.rng.random() < 0.15
        made = [self._job() for _ in range(self.rng.randint(2, 8) if many else 1)]
        bodies = [body for _, body in made]
        path = "/v1/jobs:batch" if many else "/v1/jobs"
        key = f"{self.name}-{self.count}"
        answer = self._until_taken(path, {"jobs": bodies} if many else bodies[0], key)
        if answer is None:
            return
        jobs = answer["items"] if many else [answer]
        if len(jobs) != len(made):
            self.book.bad(f"{key}: {len(jobs)} jobs for {len(made)}")
        for (kind, body), job in zip(made, jobs, strict=False):
            self.book.acknowledged(Told(job["id"], kind, key, body["source"]))
            if (job["source"], job["factory"]) != (body["source"], kind):
                self.book.bad(f"{key}: asked for {body}, was given {job}")
        self.book.note(self.name, f"{key} -> {[job['id'] for job in jobs]} {[kind for kind, _ in made]}")

    def _job(self) -> tuple[str, dict[str, Any]]:
        self.count += 1
        kind = work.pick(self.rng)
        source = work.source(self.array, kind, self.rng, f"{self.name}-{self.count}")
        body: dict[str, Any] = {"source": source, "factory": kind.name}
        if self.rng.random() < 0.2:
            body["priority"] = self.rng.choice(["low", "high", "urgent", 0, 100])
        if self.rng.random() < 0.05:
            body["defer"] = self.rng.uniform(0.5, 20)
        return kind.name, body

    def _until_taken(self, path: str, body: Any, key: str) -> Any:
        """Goes on when told to stop: whatever began is to be acknowledged."""
        waited = 0.0
        while waited < PATIENCE:
            status, answer = self.ask("POST", path, body, key)
            if status == 201:
                return answer
            if status not in (0, 503):
                self.book.bad(f"submit {key}: {status} {answer}")
                return None
            kit.wait_some(pause := self.rng.uniform(0.05, 0.5))
            waited += pause
        self.book.bad(f"submit {key}: not acknowledged for a long time")
        return None

    def _look(self) -> None:
        ids = self.book.some(50)
        if not ids or self.rng.random() < 0.4:
            self.ask("GET", f"/v1/{self.rng.choice(READS)}")
            return
        number = self.rng.choice(ids)
        before = self.book.retries(number)
        status, job = self.ask("GET", f"/v1/jobs/{number}")
        if status == 200:
            self.book.saw(job, before)
        elif status == 404:
            self.book.count("not there yet")
        self.ask("GET", f"/v1/jobs/{number}/{self.rng.choice(['why', 'attempts/1/log?limit=500'])}")


class Caller(Person):
    """Submits and waits at the command line, as a script does."""

    count = 0

    def turn(self) -> None:
        self.count += 1
        kind = work.BY_NAME[self.rng.choice(["copy", "slow", "missing"])]
        key = f"{self.name}-{self.count}"
        source = work.source(self.array, kind, self.rng, key)
        while (code := self._submit(kind.name, source, key)) == UNREACHABLE:
            kit.wait_some(0.5)
        self.book.note(self.name, f"{key}: {code}")
        self.rest(1.0, 8.0)

    def _submit(self, kind: str, source: str, key: str) -> int:
        """The exit code; the same key again gives the same job."""
        node = self.rng.choice(list(self.array.nodes))
        words = ["submit", source, "-f", kind, "--key", key, "--wait", "--timeout", "20s", "-o", "json"]
        command = [*kit.FA, *words, "--dir", str(node.root)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.book.count(f"exit {ran.returncode}")
        if ran.returncode == NOT_FOUND and not (node.root / "fa.toml").exists():  # it is being replaced
            return UNREACHABLE
        if ran.returncode not in (OK, TIMEOUT, JOB_FAILED):
            if ran.returncode != UNREACHABLE:
                self.book.bad(f"{' '.join(command)}: {ran.returncode} {ran.stdout} {ran.stderr}")
            return ran.returncode
        job = json.loads(ran.stdout)
        self.book.acknowledged(Told(job["id"], kind, key, source))
        self.book.saw(job, 0)
        if (job["state"] == "succeeded") is not (ran.returncode == OK):
            self.book.bad(f"{key}: exit {ran.returncode} for {job}")
        return ran.returncode


class Dropper(Person):
    """Puts files into the watch folder."""

    def turn(self) -> None:
        name = f"drop{len(self.book.dropped)}.txt"
        partial = self.array.san / "watch" / f"{name}.part"
        partial.write_text(f"{name}\n" * self.rng.randint(1, 1000))
        partial.rename(partial.with_name(name))
        self.book.dropped.append(name)
        self.rest(0.2, 6.0)


class Operator(Person):
    """Does to jobs, nodes and the array what people do."""

    round = 0

    def turn(self) -> None:
        acts = {
            self._act: 12,
            self._prioritise: 3,
            self._bulk: 3,
            self._mode: 3,
            self._switch: 1,
            self._apply: 2,
            self._verify: 1,
            self._monitor: 1,
        }
        self.rng.choices(list(acts), list(acts.values()))[0]()
        self.rest(0.2, 2.5)

    def _act(self) -> None:
        ids = self.book.some(25)
        if not ids:
            return
        action = self.rng.choice(["cancel", "cancel", "retry", "hold", "release", "release"])
        number = self.rng.choice(ids)
        self.book.asked(action, [number])
        before = self.book.retries(number)
        status, job = self.ask("POST", f"/v1/jobs/{number}/{action}")
        self.book.note(self.name, f"{action} {number}: {status} {job['state'] if status == 200 else ''}")
        self._check_known(status, f"{action} {number}")
        if status not in DONE:
            self.book.unanswered(action, [number])
        if status == 200 and action == "cancel":
            self.book.saw(job, before)

    def _check_known(self, status: int, what: str) -> None:
        if status == 404:
            self.book.bad(f"{what}: an acknowledged job is not found")

    def _prioritise(self) -> None:
        for number in self.book.some(10)[:1]:
            status, _ = self.ask("PATCH", f"/v1/jobs/{number}", {"priority": self.rng.randrange(101)})
            self._check_known(status, f"priority {number}")

    def _bulk(self) -> None:
        """On a range of numbers, so that it is known which jobs may be meant, whatever is answered."""
        ids = self.book.some(60)
        if not ids:
            return
        action = self.rng.choice(["cancel", "retry", "hold", "release", "release", "priority"])
        first = self.rng.choice(ids)
        last = first + self.rng.randint(1, 6)
        states = {"cancel": "queued,held", "retry": "failed,cancelled", "hold": "queued", "release": "held"}
        query = f"id:>={first} id:<={last} state:{states.get(action, 'queued,running')} -monitor:in"
        status, chosen = self.ask("POST", "/v1/selections", {"q": query})
        if status != 201:
            return
        self.book.asked(action, range(first, last + 1))
        body = {"selection": chosen["selection"]} | ({"priority": 60} if action == "priority" else {})
        status, answer = self.ask("POST", f"/v1/jobs:{action}", body)
        if status not in DONE:
            self.book.unanswered(action, range(first, last + 1))
        done = [each["id"] for each in answer["items"] if each["ok"]] if status == 200 else []
        self.book.note(self.name, f"bulk {action} of {query}: {status} {done}")

    def _mode(self) -> None:
        node = self.rng.choice(list(self.array.nodes)).name
        verb = self.rng.choice(["drain", "pause", "resume", "resume"])
        status, _ = self.ask("POST", f"/v1/nodes/{node}/{verb}")
        self.book.note(self.name, f"{verb} {node}: {status}")

    def _switch(self) -> None:
        status, answer = self.ask("POST", "/v1/mirror/switchover", {}, seconds=30.0)
        self.book.note(self.name, f"switchover: {status} {answer}")

    def _verify(self) -> None:
        """In the middle of it all: a node may not answer, but no copy is ill."""
        status, answer = self.ask("POST", "/v1/mirror/verify", seconds=60.0)
        self.book.note(self.name, f"verify: {status}")
        for copy in answer["nodes"] if status == 200 else ():
            if copy.get("rotten") or copy.get("damaged"):
                self.book.bad(f"verify: {copy}")
            elif copy["problems"]:
                self.book.note(self.name, f"verify: {copy['problems']}")

    def _monitor(self) -> None:
        verb = self.rng.choice(["disable", "enable"])
        status, _ = self.ask("POST", f"/v1/monitors/in/{verb}")
        self.book.note(self.name, f"{verb} the monitor: {status}")

    def _apply(self) -> None:
        self.round += 1
        kind = self.rng.choice(work.KINDS)
        status, answer = self.ask("POST", "/v1/factories", kind.toml(self.round))
        self.book.note(self.name, f"apply {kind.name}: {status}")
        if status not in (0, 200, 201, 503):
            self.book.bad(f"apply {kind.name}: {status} {answer}")
        self.ask("GET", "/v1/jobs?q=" + quote("factory:" + kind.name))
