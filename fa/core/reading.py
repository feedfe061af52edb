"""Reading a table of TOML that a person wrote, with every problem found at once: each a pointer to the place and a
sentence, and the word that was probably meant where one is near."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME_RULE = "must be 1 to 64 letters, digits, - or _, and start with a letter or digit"

Problem = tuple[str, str]


class Reader:
    """One table of the TOML, and the list of problems that all tables share."""

    def __init__(self, table: Mapping[str, Any], pointer: str = "", problems: list[Problem] | None = None) -> None:
        self.table = table
        self.pointer = pointer
        self.problems: list[Problem] = [] if problems is None else problems

    def at(self, key: str) -> str:
        return f"{self.pointer}.{key}" if self.pointer else key

    def problem(self, key: str, sentence: str) -> None:
        self.problems.append((self.at(key), sentence))

    def within(self, table: Mapping[str, Any], key: str) -> Reader:
        return Reader(table, self.at(key), self.problems)

    def take(self, key: str, check: Callable[[Any], Any], default: Any) -> Any:
        """The checked value of ``key``; the default where it is missing, or wrong (which is noted)."""
        if key not in self.table:
            return default
        try:
            return check(self.table[key])
        except ValueError as error:
            self.problem(key, str(error))
            return default

    def need(self, key: str, check: Callable[[Any], Any], missing: Any) -> Any:
        if key not in self.table:
            self.problem(key, "is missing")
        return self.take(key, check, missing)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        words = list(known)
        for key in self.table:
            if key not in words:
                self.problem(key, "is not a known setting" + meant(key, words))


def meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def name_of(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(_NAME_RULE)
    return value


def text_of(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError("must be a text of at most 1000 characters")
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value) or len(value) > 200:
        raise ValueError("must be a list of texts")
    return tuple(value)


_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def seconds(low: float, high: float, sentence: str) -> Callable[[Any], float]:
    """A span as a number of seconds or a text such as "90s"; `sentence` says what is taken."""

    def check(value: Any) -> float:
        text = str(value) if not isinstance(value, bool) else ""
        found = _SECONDS.fullmatch(text.strip())
        span = float(found.group(1)) * _UNITS[found.group(2)] if found else -1.0
        if not low <= span <= high:
            raise ValueError(sentence)
        return span

    return check
