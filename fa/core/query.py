"""The query language of job lists, one for TUI, CLI and API (FACES.md section 6).

    state:run,fail factory:prores* node:tx0? pri:>=50 since:24h until:2026-11-22T02:00 -monitor:ingest-b "free text"

Terms are joined by *and*, values after one field by *or*; ``-`` before a term turns it round. ``*`` and ``?`` are
wildcards; within double quotes everything is taken as it stands (``\\"`` for a quote). A word without a field is looked
for in source, subject and description, whatever its case."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from fa.core.lifecycle import JobState
from fa.core.model import PRIORITIES
from fa.errors import Invalid

LENGTH_MAX = 1_000
TERMS_MAX = 32


@dataclass(frozen=True, slots=True)
class Value:
    """One alternative after a field; `literal` when it was quoted, so that ``*`` is a star."""

    text: str
    literal: bool = False

    @property
    def wild(self) -> bool:
        return not self.literal and ("*" in self.text or "?" in self.text)


@dataclass(frozen=True, slots=True)
class States:
    """The job's state is one of these, in the order of `JobState`."""

    states: tuple[JobState, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """`field` (factory, node, monitor, source, subject, by) is one of these."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Compares:
    """`field` (id, priority, submitted_at in ms) compares with one of these: (``>=``, 50)."""

    field: str
    bounds: tuple[tuple[str, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Contains:
    """Source, subject or description holds this text."""

    text: str
    negated: bool = False


Term = States | Matches | Compares | Contains


@dataclass(frozen=True, slots=True)
class Query:
    """All terms hold. `text` is the query as asked, in one spelling: two equal ones ask the same, at any time."""

    terms: tuple[Term, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    """``-field:value`` as it was written. `field` is "" for free text; `values` are cut at commas outside quotes."""

    field: str
    values: tuple[Value, ...]
    negated: bool


def parse(text: str, now: int) -> Query:
    """The query in `text`; `now` (ms since 1970 UTC) is what ``since:24h`` counts back from. Raises `Invalid`."""
    if len(text) > LENGTH_MAX:
        raise Invalid(f"The query has {len(text)} characters; at most {LENGTH_MAX} are taken.")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Invalid("The query holds half a character (a lone surrogate).") from None
    tokens = tuple(_tokens(text))
    if len(tokens) > TERMS_MAX:
        raise Invalid(f"The query has {len(tokens)} terms; at most {TERMS_MAX} are taken.")
    return Query(tuple(_term(token, now) for token in tokens), " ".join(map(_spelling, tokens)))


# --- text to tokens ---

_WORD = re.compile(r"(?P<negated>-?)(?:(?P<field>[A-Za-z_.]+):)?")
_QUOTED = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s",]+')


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        head = _WORD.match(text, at)
        assert head, "the pattern matches nothing, too"
        field = (head["field"] or "").lower()
        values, at = _values(text, head.end(), split=bool(field))
        if not any(value.text for value in values):
            raise Invalid(f"Nothing follows {text[head.start() : at]!r} in the query.")
        yield _Token(field, tuple(value for value in values if value.text), bool(head["negated"]))


def _values(text: str, at: int, split: bool) -> tuple[list[Value], int]:
    """The values up to the next space, and where that is. Free text (not `split`) is one value, commas and all."""
    values = [Value("")]
    while at < len(text) and not text[at].isspace():
        if text[at] == "," and split:
            values.append(Value(""))
            at += 1
        elif text[at] == '"':
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                raise Invalid(f"The quote before {text[at + 1 : at + 20]!r} is never closed.", hint='Add a ".')
            values[-1] = Value(values[-1].text + re.sub(r"\\(.)", r"\1", quoted["text"], flags=re.DOTALL), literal=True)
            at = quoted.end()
        else:
            bare = _BARE.match(text, at)
            piece = bare[0] if bare else text[at]
            values[-1] = Value(values[-1].text + piece, values[-1].literal)
            at += len(piece)
    return values, at


def _spelling(token: _Token) -> str:
    def quoted(value: Value) -> str:
        escaped = value.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"' if value.literal else value.text

    field = f"{_ALIASES.get(token.field, token.field)}:" if token.field else ""
    return f"{'-' if token.negated else ''}{field}{','.join(map(quoted, token.values))}"


# --- tokens to terms ---


def _term(token: _Token, now: int) -> Term:
    if not token.field:
        return Contains(token.values[0].text, token.negated)
    field = _ALIASES.get(token.field, token.field)
    if field not in _RULES:
        raise _unknown(token)
    return _RULES[field](field, token, now)


def _unknown(token: _Token) -> Invalid:
    near = get_close_matches(token.field, [*_RULES, *_ALIASES], n=1)
    meant = f"Did you mean {near[0]}:?" if near else f"Fields are {', '.join(f'{field}:' for field in _RULES)}."
    value = token.values[0].text
    return Invalid(
        f"There is no field {token.field!r} to ask for.",
        hint=f'{meant} To look for the text itself, quote it: "{token.field}:{value}".',
    )


def _matches(field: str, token: _Token, now: int) -> Term:
    return Matches(field, token.values, token.negated)


# The words of DESIGN.md section 5, and those of the dashboard (FACES.md section 3).
_STATES = {state.value: state for state in JobState} | {
    "wait": JobState.QUEUED,
    "waiting": JobState.QUEUED,
    "run": JobState.RUNNING,
    "hold": JobState.HELD,
    "done": JobState.SUCCEEDED,
    "ok": JobState.SUCCEEDED,
    "fail": JobState.FAILED,
    "cncl": JobState.CANCELLED,
    "cancel": JobState.CANCELLED,
    "canceled": JobState.CANCELLED,
}


def _states(field: str, token: _Token, now: int) -> Term:
    chosen = {_state(value.text) for value in token.values}
    return States(tuple(state for state in JobState if state in chosen), token.negated)


def _state(word: str) -> JobState:
    state = _STATES.get(word.lower())
    if state is None:
        near = get_close_matches(word.lower(), _STATES, n=1)
        meant = f"Did you mean {near[0]}?" if near else f"States are {', '.join(JobState)}."
        raise Invalid(f"{word!r} is not a state of a job.", hint=meant)
    return state


_BOUND = re.compile(r"(>=|<=|>|<|=)?(?:(?P<digits>[0-9]{1,18})|(?P<name>[a-z]+))", re.IGNORECASE)


def _numbers(field: str, token: _Token, now: int) -> Term:
    return Compares(field, tuple(_bound(field, value.text) for value in token.values), token.negated)


def _bound(field: str, text: str) -> tuple[str, int]:
    names = PRIORITIES if field == "priority" else {}
    found = _BOUND.fullmatch(text)
    if found and found["digits"]:
        return found[1] or "=", int(found["digits"])
    if found and found["name"].lower() in names:
        return found[1] or "=", names[found["name"].lower()]
    raise Invalid(
        f"{text!r} is not a number to compare {field} with.", hint=f"Write {', '.join(['50', '>=50', '<50', *names])}."
    )


_SPAN = re.compile(r"(\d{1,9})(s|m|h|d|w)", re.ASCII)
_SPAN_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def _times(field: str, token: _Token, now: int) -> Term:
    moments = [_moment(field, value.text, now) for value in token.values]
    if len(moments) > 1:
        raise Invalid(f"{field}: takes one time, not {len(moments)}.")
    return Compares("submitted_at", ((">=" if field == "since" else "<", moments[0]),), token.negated)


def _moment(field: str, text: str, now: int) -> int:
    if span := _SPAN.fullmatch(text):
        return now - int(span[1]) * _SPAN_MS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        hint = "Write 90m, 24h, 7d, or 2026-11-22T02:00 (UTC, unless an offset such as +01:00 follows)."
        raise Invalid(f"{text!r} is not a time for {field}:.", hint=hint) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


_RULES: dict[str, Callable[[str, _Token, int], Term]] = {
    "id": _numbers,
    "state": _states,
    "priority": _numbers,
    "factory": _matches,
    "node": _matches,
    "monitor": _matches,
    "source": _matches,
    "subject": _matches,
    "by": _matches,
    "since": _times,
    "until": _times,
}
_ALIASES = {"pri": "priority", "prio": "priority", "job": "id", "src": "source"}
