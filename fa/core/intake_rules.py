"""Which names in a watch folder are files to be taken, which are marks of others, and which are nothing of the kind."""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import translate

from fa.core.monitor import End, Monitor

PARTIAL = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", ".!sync", ".lck", ".lock")
"""Suffixes under which programs write what is not complete yet."""
CLOSED_AT_THE_END = frozenset((".mp4", ".mov", ".m4v", ".m4a", ".3gp", ".mxf", ".mkv", ".mka", ".webm", ".avi", ".gxf"))
"""Containers that get their index, or their lengths, when they are closed: until then no decoder finds all of it."""
TICKETS = (".xml", ".json")
ANSWER = re.compile(r".*\.answer(-\d+)?\.json", re.DOTALL)


class Rules:
    """Of one monitor. Names are compared whatever their case, as shares are written to from Windows too."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self._include = _patterns(monitor.include or ("*",))
        self._exclude = _patterns(monitor.exclude)
        self._moves = frozenset(folder.lower() for folder in monitor.moves)
        self._marks = {End.DONE: (".done",), End.SIDECAR: TICKETS}.get(monitor.end, ())

    def why_not(self, path: str) -> str:
        """Why a file of that path (below the watched folder) is not taken; "" when it is."""
        name = path.rpartition("/")[2]
        if is_hidden(name):
            return "hidden"
        folded = name.lower()
        if folded.endswith(PARTIAL) or name.endswith("~"):
            return "a partial name"
        if ANSWER.fullmatch(folded):
            return "an answer of fa"
        if self.is_ticket(name):
            return ""
        if folded.endswith(self._marks):
            return "an end marker"
        if not _found(self._include, path, name):
            return "not included"
        return "excluded" if self._exclude and _found(self._exclude, path, name) else ""

    def is_ticket(self, name: str) -> bool:
        return self.monitor.tickets and name.lower().endswith(TICKETS)

    def is_closed_at_the_end(self, name: str) -> bool:
        """Whether its index is looked for before it is taken."""
        return self.monitor.probe and name.lower().endswith(tuple(sorted(CLOSED_AT_THE_END)))

    def is_marked(self, path: str, there: Collection[str]) -> bool:
        """Whether the end marker that the monitor waits for is among the files that are there (with their paths, in
        lower case)."""
        if self.is_ticket(path.rpartition("/")[2]):
            return True
        path = path.lower()
        match self.monitor.end:
            case End.DONE:
                return f"{path}.done" in there
            case End.SIDECAR:
                stem = path.rpartition(".")[0] if "." in path.rpartition("/")[2] else path
                return any(f"{base}{suffix}" in there for base in (stem, path) for suffix in TICKETS)
            case _:
                return True

    def enters(self, folder: str) -> bool:
        """Whether a folder (path below the watched one) is looked into."""
        if not self.monitor.recursive or folder.lower() in self._moves:
            return False
        return folder.count("/") < self.monitor.depth and not is_hidden(folder.rpartition("/")[2])


def is_hidden(name: str) -> bool:
    """By name: dot files, and the lock files of office programs."""
    return name.startswith((".", "~$"))


def _patterns(patterns: Collection[str]) -> re.Pattern[str] | None:
    joined = "|".join(translate(pattern.lower()) for pattern in patterns)
    return re.compile(joined) if patterns else None


def _found(patterns: re.Pattern[str] | None, path: str, name: str) -> bool:
    """A pattern is meant for the name, or for the path below the watched folder."""
    return patterns is not None and bool(patterns.match(name.lower()) or patterns.match(path.lower()))
