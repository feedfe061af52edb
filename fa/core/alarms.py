"""What people are to be told: troubles, the alerts they become, and the notices that go out about them.

A trouble either *stands* (it is open until it is over, and cleared by itself) or *happened* (it is written down, people
are told, and it is closed at once: nothing can be done about it any more, so it must not keep the array degraded)."""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.model import Alert

ARRAY = "array"
"""The scope of what is about the array as a whole; the others are ``node/NAME``."""

STANDING = frozenset(
    {"solo", "certificate.ending", "clock.skew", "disk.low", "store-full", "vip.trouble", "vote.ill", "wal.large"}
)
"""The kinds that a scope tells as a whole: what it no longer tells is over. Others (``node.lost``, ``volume.ill``,
``quarantine.*``) are raised and cleared one by one by who sees them."""

WARNINGS = frozenset(
    {
        "certificate.ending",
        "clock.skew",
        "disk.low",
        "member-dropped",
        "take-over",
        "stalled",
        "vip.trouble",
        "wal.large",
    }
)


def severity_of(kind: str) -> str:
    """``error`` needs somebody now, ``warning`` soon."""
    return "warning" if kind in WARNINGS else "error"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`subject` is its scope or something inside it (``node/b/san``). `number`: 0 while it stands; else it happened,
    and the numbers of one scope grow, so that it is written down once however often it is told."""

    kind: str
    subject: str
    text: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """One row while the same trouble lasts: raising an open alert again changes nothing."""

    kind: str
    subject: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class ClearAlert:
    kind: str
    subject: str
    at: int


@dataclass(frozen=True, slots=True)
class AckAlert:
    alert: int
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class TellTroubles:
    """All that is wrong with a scope now, and what happened to it lately. May be told again and again."""

    scope: str
    troubles: tuple[Trouble, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Remark:
    """A line of history for what changes nothing in the store itself, but somebody asked for it."""

    kind: str
    subject: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be sent to people. `targets`: Apprise URLs; none = those that `fa.toml` of the sending node names.
    `outcome` says in words how it ended, once it did (`done_at`)."""

    id: int
    at: int
    kind: str
    severity: str
    subject: str
    text: str
    targets: tuple[str, ...] = ()
    done_at: int | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class EndNotices:
    """These were sent, or are given up; each with how it ended ("" = sent)."""

    ended: tuple[tuple[int, str], ...]
    at: int


# --- facts ---


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """Raised, cleared or acknowledged: as it is now."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class NoticeWritten:
    """There is something to be sent."""

    id: int
