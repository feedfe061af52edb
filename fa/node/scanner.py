"""The helper process that watches one folder: ``fa _scanner``. What may hang for ever, hangs here and not in the node.

It keeps what it saw (`fa.core.intake`) and all that is submitted already (`arrivals.stat_key`, 8 bytes a file), so that
a folder with 100,000 files costs the node nothing but their number. Questions and answers are JSON, one a line:

    {"begin": TEXT, "root": …, "array_id": …}       watch this monitor from now on
    {"learn": BASE64}                               these are submitted
    {"scan": BOOL, "give": N, "heard": […], "refused": […], "unready": […]}
                                                    look again, or only give out more of what has settled
    {"after": {…}}                                  carry an `AfterOrder` out

An answer to anything but "begin" is ``{"lost": true}`` from a process that was not told to begin."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic, perf_counter
from typing import Any

from fa.core.arrivals import unpack_keys
from fa.core.intake import Intake, Stamp
from fa.core.monitor import parse_monitor
from fa.core.ticket import BYTES_MAX, NoTicket, TicketError, parse_ticket
from fa.core.watch_messages import AfterOrder
from fa.node import scan
from fa.node.afterwards import carry_out

TROUBLES_SHOWN = 3
STALLED_AFTER = 0.5  # seconds that a look takes, from which it may be that the folder did not answer


class Scanner:
    def __init__(self, begin: Mapping[str, Any]) -> None:
        self._monitor = parse_monitor(begin["begin"])
        self._site = scan.Site(begin["root"], begin["array_id"])
        self._local = scan.is_local(begin["root"])
        self._intake = Intake(self._monitor)
        self._trouble = ""
        self._looked_at = monotonic()  # up to then it is known what counts
        self._away = False  # it was at the last look

    def learn(self, question: Mapping[str, Any]) -> dict[str, Any]:
        self._intake.learn(unpack_keys(base64.b64decode(question["learn"])))
        return {}

    def look(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Note what became of earlier files, look again, give out what has settled."""
        self._note(question)
        began = perf_counter()
        try:
            with self._answering(), scan.folder_of(self._site, self._monitor) as folder:
                if question["scan"]:
                    self._scan(folder)
                ready, more = self._ready(folder, question["give"])
        except scan.Gone as gone:
            return self._answer("disconnected", str(gone), began)
        except (scan.Denied, OSError) as trouble:
            return self._answer("error", str(trouble), began)
        state, why = self._state()
        return self._answer(state, why, began) | {"ready": ready, "more": more}

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Let the time in which the folder is away or hangs not count for files that stand still."""
        began = monotonic()
        if self._away:
            self._intake.stalled(began - self._looked_at)
            self._looked_at = began
        self._away = True
        yield
        self._looked_at, self._away = monotonic(), False
        if self._looked_at - began > STALLED_AFTER:
            self._intake.stalled(self._looked_at - began)

    def _note(self, question: Mapping[str, Any]) -> None:
        now = monotonic()
        for path, stamp in question["heard"]:
            self._intake.heard(path, Stamp(*stamp))
        for path, stamp, why in question["refused"]:
            self._intake.refused(path, Stamp(*stamp), why, now)
        for path, stamp, why in question["unready"]:
            self._intake.unready(path, Stamp(*stamp), why, now)

    def _scan(self, folder: int) -> None:
        self._intake.begin(monotonic())
        walked = scan.walk(folder, self._intake, self._monitor)
        self._intake.end(walked.whole, walked.unseen)
        self._trouble = walked.trouble

    def _ready(self, folder: int, give: int) -> tuple[list[dict[str, Any]], bool]:
        given: list[dict[str, Any]] = []
        ready = self._intake.ready()
        while len(given) < give and (found := next(ready, None)):
            given += self._look_closely(folder, *found)
        return given, self._intake.more

    def _look_closely(self, folder: int, path: str, stamp: Stamp) -> Iterator[dict[str, Any]]:
        try:
            with scan.opened(folder, path, stamp, local=self._local) as fd:
                found = {"path": path, "stamp": stamp, "digest": scan.digest_of(fd, stamp.size)}
                if self._intake.rules.is_ticket(path):
                    found |= self._ticket(fd, path, stamp.size)
        except NoTicket:
            self._intake.heard(path, stamp)
        except scan.NotReady as reason:
            self._intake.unready(path, stamp, reason.why, monotonic(), hopeless=reason.hopeless)
        else:
            self._intake.offered(path, stamp)
            yield found | {"probe": self._intake.rules.is_closed_at_the_end(path)}

    def _ticket(self, fd: int, path: str, size: int) -> dict[str, Any]:
        """Raises `NoTicket` for a document of another kind."""
        try:
            content = scan.read_all(fd, min(size, BYTES_MAX + 1))
            return {"ticket": asdict(parse_ticket(path, content, self._monitor))}
        except TicketError as error:
            return {"ticket_error": str(error)}
        except (LookupError, ValueError) as error:  # it names an encoding that expat does not know
            return {"ticket_error": f"The ticket cannot be read: {error}."}

    def _state(self) -> tuple[str, str]:
        troubles = self._intake.troubles()
        said = [f"{self._intake.place(path)}: {why}" for path, why in troubles[:TROUBLES_SHOWN]]
        if len(troubles) > TROUBLES_SHOWN:
            said.append(f"and {len(troubles) - TROUBLES_SHOWN} more")
        said = [self._trouble] * bool(self._trouble) + said
        return ("error", "; ".join(said)) if said else ("watching", "")

    def _answer(self, state: str, why: str, began: float) -> dict[str, Any]:
        intake = self._intake
        return {
            "state": state, "why": why, "seen": intake.seen, "settling": intake.settling,
            "refused": len(intake.troubles()), "scan_ms": round((perf_counter() - began) * 1000),
            "growing": [asdict(growing) for growing in intake.growing()], "ready": [], "more": False,
        }  # fmt: skip

    def after(self, question: Mapping[str, Any]) -> dict[str, Any]:
        order = AfterOrder(**question["after"])
        try:
            with self._answering(), scan.root_of(self._site, self._monitor) as root:
                os.close(scan.open_folder(root, self._monitor))  # while it is not there, no file of it is gone
                return self._carry_out(root, order)
        except (scan.Gone, scan.Denied) as error:
            return {"path": "", "error": str(error)}

    def _carry_out(self, root: int, order: AfterOrder) -> dict[str, Any]:
        """What fails here is that file's alone: the folder answers, and for others in it the quiet time goes on."""
        try:
            return {"path": carry_out(f"/proc/self/fd/{root}", self._monitor, order), "error": ""}
        except OSError as error:
            return {"path": "", "error": f"it cannot be moved or answered: {error.strerror}"}


def main() -> int:
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody opens a file on which a lease is just being tried
    scanner: Scanner | None = None
    for line in sys.stdin:
        question = json.loads(line)
        if "begin" in question:
            scanner = Scanner(question)
            answer: dict[str, Any] = {}
        elif scanner is None:
            answer = {"lost": True}
        else:
            answer = next(act(question) for word, act in _acts(scanner) if word in question)
        print(json.dumps(answer), flush=True)
    return 0


def _acts(scanner: Scanner) -> tuple[tuple[str, Any], ...]:
    return (("learn", scanner.learn), ("scan", scanner.look), ("after", scanner.after))
