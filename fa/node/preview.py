"""`fa monitor test`: one look at a folder, and what a monitor would do with each file in it; nothing is done.

The look happens in a helper process of its own, ``fa _preview``, that is asked once."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fa.core.intake import Stamp
from fa.core.intake_rules import Rules
from fa.core.monitor import End, Monitor, parse_monitor
from fa.errors import Unavailable
from fa.node import scan
from fa.node.helper import Helper, HelperEnded, helper_command

FILES_MAX = 200
TIMEOUT = 30.0  # seconds


async def preview(text: str, root: str, array_id: str) -> dict[str, Any]:
    """`{state, why, counts, files}`; raises `Unavailable` when the folder does not answer."""
    helper = Helper(helper_command("preview"))
    try:
        return dict(await helper.ask({"begin": text, "root": root, "array_id": array_id}, TIMEOUT))
    except TimeoutError:
        raise Unavailable(f"The folder did not answer within {TIMEOUT:g} s.", hint="`fa volume list`") from None
    except HelperEnded:
        raise Unavailable("The process that looked at the folder ended.") from None
    finally:
        helper.kill()


class _Recording(Rules):
    """Keeps what it says."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(monitor)
        self.ignored: list[tuple[str, str]] = []

    def why_not(self, path: str) -> str:
        why = super().why_not(path)
        if why:
            self.ignored.append((path, why))
        return why


class Preview:
    """Shown the files by `scan.walk`, in place of the intake."""

    def __init__(self, monitor: Monitor) -> None:
        self.rules = _Recording(monitor)
        self._monitor = monitor
        self._files: list[tuple[str, Stamp]] = []
        self._there: set[str] = set()

    def place(self, path: str) -> str:
        return f"{self._monitor.folder.path}/{path}"

    def mark(self, path: str) -> None:
        self._there.add(path.lower())

    def knows(self, path: str) -> bool:
        return False

    def see(self, path: str, stamp: Stamp) -> None:
        self._files.append((path, stamp))

    def told(self, folder: int, local: bool) -> dict[str, Any]:
        files = [self._judge(folder, path, stamp, local) for path, stamp in sorted(self._files)]
        files += [{"path": self.place(path), "would": "ignore", "why": why} for path, why in sorted(self.rules.ignored)]
        return {"counts": dict(Counter(file["would"] for file in files)), "files": files[:FILES_MAX]}

    def _judge(self, folder: int, path: str, stamp: Stamp, local: bool) -> dict[str, Any]:
        found = {"path": self.place(path), "size": stamp.size, "mtime_ns": stamp.mtime_ns}
        if not self.rules.is_marked(path, self._there):
            return found | {"would": "wait", "why": f"its end marker ({self._monitor.end}) is not there"}
        try:
            with scan.opened(folder, path, stamp, local=local):
                return found | {"would": "submit", "why": self._condition(path)}
        except scan.NotReady as reason:
            return found | {"would": "wait", "why": reason.why}

    def _condition(self, path: str) -> str:
        if self._monitor.end is End.RENAME:
            first = "at once"
        else:
            first = f"as soon as it stood still for {self._monitor.quiet:g} s"
        return f"{first}, if ffprobe can open it" if self.rules.is_closed_at_the_end(path) else first


def look(question: Mapping[str, Any]) -> dict[str, Any]:
    monitor = parse_monitor(question["begin"])
    shown = Preview(monitor)
    try:
        with scan.folder_of(scan.Site(question["root"], question["array_id"]), monitor) as folder:
            walked = scan.walk(folder, shown, monitor)
            told = shown.told(folder, scan.is_local(question["root"]))
    except (scan.Gone, scan.Denied, OSError) as trouble:
        return {"state": "disconnected", "why": str(trouble), "counts": {}, "files": []}
    return {"state": "error" if walked.trouble else "watching", "why": walked.trouble} | told


def main() -> int:
    for line in sys.stdin:
        print(json.dumps(look(json.loads(line))), flush=True)
    return 0
