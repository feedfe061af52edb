"""Which notices go out now, and how: one by one, or many in one letter when they come in storms (SECURITY.md 4.5).

What was delivered is remembered here, by the node that leads, until all that a notice is for have it: then it is ended
in the store. The next coordinator begins anew with what was not ended, so that each is delivered at least once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fa.core.alarms import Notice

MINUTE = 60.0
BACKOFF_FIRST, BACKOFF_LONGEST = 15.0, 1800.0  # seconds until a target that failed is tried again
GIVE_UP_AFTER_MS = 24 * 3600 * 1000
IN_ONE_MAX = 100  # notices in one letter


@dataclass(frozen=True, slots=True)
class Letter:
    """To one target (an Apprise URL); several notices are a digest. `own`: the target is one of this node's `fa.toml`,
    not of a factory."""

    target: str
    notices: tuple[Notice, ...]
    own: bool


@dataclass(slots=True)
class _Target:
    sent: deque[float]
    tries: int = 0
    again_at: float = 0.0
    why: str = ""


class Mailroom:
    """`digest_after`: letters a minute and target from which on notices are sent as one."""

    def __init__(self, digest_after: int) -> None:
        self._digest_after = max(1, digest_after)
        self._delivered: set[tuple[int, str]] = set()
        self._targets: dict[str, _Target] = {}

    def letters(self, due: Sequence[Notice], own: Sequence[str], now: float) -> list[Letter]:
        """What is to be sent at `now` (monotonic seconds). `due`: all that is not ended, the oldest first."""
        known_ids = {notice.id for notice in due}
        self._delivered = {(number, target) for number, target in self._delivered if number in known_ids}
        found: list[Letter] = []
        for target, mine in self._open(due, own).items():
            known = self._target(target)
            while known.sent and known.sent[0] <= now - MINUTE:
                known.sent.popleft()
            room = self._digest_after - len(known.sent)
            if now < known.again_at or room <= 0:
                continue
            is_own = all(not notice.targets for notice in mine)
            if len(mine) > room:
                found.append(Letter(target, tuple(mine[:IN_ONE_MAX]), is_own))
            else:
                found += [Letter(target, (notice,), is_own) for notice in mine]
        return found

    def _open(self, due: Sequence[Notice], own: Sequence[str]) -> dict[str, list[Notice]]:
        """What is not delivered yet, by target."""
        found: dict[str, list[Notice]] = {}
        for notice in due:
            for target in dict.fromkeys(notice.targets or own):
                if (notice.id, target) not in self._delivered:
                    found.setdefault(target, []).append(notice)
        return found

    def _target(self, target: str) -> _Target:
        return self._targets.setdefault(target, _Target(deque()))

    def delivered(self, letter: Letter, now: float) -> None:
        known = self._target(letter.target)
        known.sent.append(now)
        known.tries, known.again_at, known.why = 0, 0.0, ""
        self._delivered.update((notice.id, letter.target) for notice in letter.notices)

    def failed(self, letter: Letter, why: str, now: float) -> None:
        """The target is left alone for a while, twice as long each time."""
        known = self._target(letter.target)
        known.again_at = now + min(BACKOFF_LONGEST, BACKOFF_FIRST * 2.0 ** min(known.tries, 16))
        known.tries, known.why = known.tries + 1, why

    def ended(self, due: Sequence[Notice], own: Sequence[str], wall: int) -> tuple[tuple[int, str], ...]:
        """Those that all have, and those that are too old to go on trying: (id, why not delivered, or "")."""
        found = []
        for notice in due:
            missing = [t for t in notice.targets or own if (notice.id, t) not in self._delivered]
            if not missing:
                found.append((notice.id, ""))
            elif wall - notice.at > GIVE_UP_AFTER_MS:
                found.append((notice.id, f"not delivered in a day: {self._target(missing[0]).why or 'too many'}"))
        return tuple(found)
