"""Sends notices while this node leads: what is due is in the store, what was sent is marked there.

At least once (DESIGN.md section 8): a coordinator that dies between sending and marking leaves the notice to the next
one, with the same id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fa.client.text import clean
from fa.core.alarms import EndNotices, Notice
from fa.core.mailroom import Letter, Mailroom
from fa.errors import FaError
from fa.node.api.render import stamp
from fa.node.clock import Clock
from fa.node.helper import HelperEnded
from fa.node.settings import Alerts
from fa.node.targets import name_of
from fa.store.readers import Readers

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds; a notice that is written now is looked at at once
SEND_TIMEOUT = 60.0
TEXT_MAX = 1000  # characters of one notice
LOOK_AT, LOOK_AT_MOST = 500, 32_000  # notices; more when those that nobody takes stand before the others
END_MAX = 500  # notices in one command
UNREAD = "alerts.targets_file://"  # stands for the targets of a file that cannot be read


class Sender(Protocol):
    """`fa.node.helper.Helper` around `fa.node.notify`."""

    async def ask(self, question: Any, timeout: float) -> Any: ...
    async def close(self) -> None: ...


class Postman:
    """`store` gives what may be read while this node leads, else None; `ask` commits."""

    def __init__(
        self,
        settings: Alerts,
        array: tuple[str, str],
        store: Callable[[], Readers | None],
        ask: Callable[[EndNotices], Awaitable[Any]],
        clock: Clock,
        sender: Sender,
    ) -> None:
        self._settings = settings
        self._array, self._array_id = array
        self._store = store
        self._ask = ask
        self._clock = clock
        self._sender = sender
        self._rooms = self._empty_rooms()
        self._look_at = LOOK_AT
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.wake.clear()
                store = self._store()
                if store is None:
                    self._rooms = self._empty_rooms()
                else:
                    await self._round(store)
                await self._wait()
        finally:
            await self._sender.close()

    def _empty_rooms(self) -> dict[bool, Mailroom]:
        """For this node's own notices (True), and for those of factories: a target may be one of both, and what is
        refused a factory must not keep alerts back."""
        return {own: Mailroom(self._settings.digest_after) for own in (True, False)}

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self.wake.wait()
        except TimeoutError:
            return

    async def _round(self, store: Readers) -> None:
        try:
            due = await self._due(store)
            if not due:
                return
            own = own_targets(self._settings)
            sorts = [
                (self._rooms[mine], [each for each in due if mine is not bool(each.targets)]) for mine in (True, False)
            ]
            await self._send_all([each for room, some in sorts for each in room.letters(some, own, self._clock.mono())])
            await self._sender.close()  # Apprise is large, and storms are rare
            ended = [each for room, some in sorts for each in room.ended(some, own, self._clock.wall())][:END_MAX]
            if ended:
                await self._ask(EndNotices(tuple(ended), self._clock.wall()))
        except FaError as error:
            log.info("notices wait: %s", error)

    async def _due(self, store: Readers) -> Sequence[Notice]:
        """All that are due, as a rule: of one target that takes none there may be hundreds. Less is looked at only when
        that was all: what is not seen any more would be forgotten as delivered."""
        due = await store.notices(self._look_at)
        enough = 2 * len(due)
        if len(due) < self._look_at:
            enough = min(enough, self._look_at)
        self._look_at = min(max(enough, LOOK_AT), LOOK_AT_MOST)
        return due

    async def _send_all(self, letters: Sequence[Letter]) -> None:
        """Who just did not take a letter, perhaps for a minute, is not shown the next: others wait behind it."""
        failed: set[tuple[str, bool]] = set()
        for letter in letters:
            if (letter.target, letter.own) not in failed and not await self._send(letter):
                failed.add((letter.target, letter.own))

    async def _send(self, letter: Letter) -> bool:
        asked = question(letter, self._settings, self._array, self._array_id, self._clock.wall())
        why = "the file cannot be read" if letter.target == UNREAD else await self._deliver(asked)
        now = self._clock.mono()
        if why:
            log.warning("a notice to %s was not delivered: %s", name_of(letter.target), clean(why))
            self._rooms[letter.own].failed(letter, clean(why), now)
        else:
            self._rooms[letter.own].delivered(letter, now)
        return not why

    async def _deliver(self, asked: dict[str, Any]) -> str:
        try:
            return str((await self._sender.ask(asked, SEND_TIMEOUT))["why"])
        except TimeoutError:
            await self._sender.close()
            return f"no end after {SEND_TIMEOUT:g} s"
        except HelperEnded:
            return "the process that sends it ended"


def own_targets(settings: Alerts) -> tuple[str, ...]:
    """Those of `fa.toml` and of the file that it names, which is read each time: it holds passwords and is replaced.
    While it cannot be read, nobody can say that all have what they wait for: then `UNREAD` is among them."""
    lines: list[str] = []
    if settings.targets_file:
        try:
            lines = Path(settings.targets_file).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            log.warning("alerts.targets_file cannot be read: %s", error)
            return tuple(dict.fromkeys([*settings.targets, UNREAD]))
    in_file = (line.strip() for line in lines)
    return tuple(dict.fromkeys([*settings.targets, *(line for line in in_file if line and not line.startswith("#"))]))


def question(letter: Letter, settings: Alerts, array: str, array_id: str, wall: int) -> dict[str, Any]:
    """What the helper is asked: everything in it that came from outside is cleaned to harmless text."""
    notices = letter.notices
    first, last = notices[0], notices[-1]
    number = str(first.id) if len(notices) == 1 else f"{first.id}-{last.id}"
    notice_id = f"{array_id[:8]}-{number}"
    items = [_item(notice, array_id) for notice in notices]
    content = items[0] if len(items) == 1 else {"kind": "digest", "count": len(items), "items": items}
    return {
        "url": letter.target,
        "own": letter.own,
        "hosts": list(settings.hosts),
        "id": notice_id,
        "at": wall // 1000,
        "severity": _worst(notices),
        "title": _title(notices, array),
        "body": "\n".join([*map(_line, notices), "", f"array {clean(array)}, notice {notice_id}"]),
        "content": {**content, "id": notice_id, "array": array},
    }


def _item(notice: Notice, array_id: str) -> dict[str, Any]:
    told = {"kind": notice.kind, "severity": notice.severity, "subject": clean(notice.subject), "text": _text(notice)}
    return {"id": f"{array_id[:8]}-{notice.id}", "at": stamp(notice.at), **told}


def _text(notice: Notice) -> str:
    return clean(notice.text)[:TEXT_MAX]


def _line(notice: Notice) -> str:
    return f"{stamp(notice.at)}  {clean(notice.kind)}  {clean(notice.subject)}: {_text(notice)}"


def _title(notices: Sequence[Notice], array: str) -> str:
    first = notices[0]
    what = f"{first.kind} {first.subject}" if len(notices) == 1 else f"{len(notices)} notices, {first.kind} first"
    return clean(f"[{array}] {what}")[:200]


def _worst(notices: Sequence[Notice]) -> str:
    severities = {notice.severity for notice in notices}
    return next((each for each in ("error", "warning") if each in severities), "info")
