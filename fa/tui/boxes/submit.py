"""The form that submits a job. Tab completes what is known (volumes, the files in a folder, factories) and goes on, ^o
looks through the folders; an answer lost on the way is asked for again under the same key, so that a job is never
submitted twice."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fa.client import calls
from fa.core.model import PRIORITIES
from fa.tui.boxes.files import Files
from fa.tui.edit import Edit
from fa.tui.host import Host, listed
from fa.tui.line import Line, Span, cell, line, say, wrapped
from fa.tui.scene import Scene
from fa.tui.times import parse
from fa.tui.values import Found, read_list

FIELDS = ("source", "factory", "priority", "subject", "defer until")
LABEL = 13
PLACES = 500  # of a folder that is looked into to complete a name


class Submit:
    title = "Submit a job"

    def __init__(self, host: Host, done: Callable[[dict[str, Any], str], None], factory: str = "") -> None:
        self.host, self.done = host, done
        self.edits = {field: Edit() for field in FIELDS}
        self.edits["factory"].set(factory)
        self.at = 0
        self.over = False
        self._folders: dict[str, list[str]] = {}  # that were looked into: the places in them
        self._files = Files(host, self.edits["source"].set, lambda: not self.over)

    @property
    def field(self) -> str:
        return FIELDS[self.at]

    @property
    def dirty(self) -> bool:
        return any(edit.text for edit in self.edits.values())

    def lines(self, scene: Scene) -> list[Line]:
        room = min(100, scene.size.width - 8)
        rows = []
        for field, edit in self.edits.items():
            here = field == self.field
            mark = Span("› " if here else "  ", "key")
            rows.append(line(mark, cell(field, LABEL - 2, "title" if here else "dim"), *edit.line(room - LABEL, here)))
        known = listed(self._known()[:12])
        hint = f"{_HINTS[self.field]}{'  known: ' + known if known else ''}"
        rows += [line(Span("")), *wrapped(hint, room, "dim")[:3]]
        wrong = self.wrong() if self.dirty else ""
        rows += [line(say(wrong or " ", "warn")), *wrapped(f"$ {self.cli()}", room, "dim")[:3], line(Span(""))]
        keys = (("Enter", "next"), ("^s", "submit"), ("Tab", "complete"), ("^o", "files"), ("Esc", "leave"))
        return [*rows, line(*(span for key, what in keys for span in (Span(key, "key"), Span(f" {what}   "))))]

    def _known(self) -> list[str]:
        """What could follow in this field."""
        world, text = self.host.world, self.edits[self.field].text
        options: Sequence[str] = ()
        if self.field == "factory":
            options = [factory.name for factory in world.factories]
        elif self.field == "source" and ":" not in text:
            options = [f"{name}:" for name in sorted({volume.name for volume in world.volumes})]
        elif self.field == "source":
            options = self._places()
        elif self.field == "priority":
            options = list(PRIORITIES)
        return [option for option in options if option.startswith(text) and option != text]

    def _places(self) -> list[str]:
        """What lies in the folder, once it was looked into; before, the paths that the array itself has told: sources
        that were submitted and monitors' folders."""
        if (found := self._folders.get(self._folder())) is not None:
            return found
        seen = {job.source for job in self.host.world.running}
        return sorted(seen | {f"{monitor.folder}/" for monitor in self.host.world.monitors if monitor.folder})

    def _folder(self) -> str:
        """The folder in which the source is being typed, "" before there is one."""
        volume, colon, path = self.edits["source"].text.partition(":")
        return f"{volume}:{path.rpartition('/')[0]}" if colon else ""

    def wrong(self) -> str:
        text = {field: edit.text.strip() for field, edit in self.edits.items()}
        volume, colon, path = text["source"].partition(":")
        if not (volume and colon and path):
            return "a source is written volume:path, as in san:in/clip.mxf"
        if not text["factory"]:
            return "which factory?"
        names = [factory.name for factory in self.host.world.factories]
        if names and text["factory"] not in names:
            return f"there is no factory {text['factory']}"
        if text["priority"] and wrong_priority(text["priority"]):
            return wrong_priority(text["priority"])
        if text["defer until"] and parse(text["defer until"]) is None:
            return "a time is written 2026-11-26T22:00Z"
        return ""

    def cli(self) -> str:
        text = {field: edit.text.strip() for field, edit in self.edits.items()}
        words = ["fa", "submit", text["source"] or "SOURCE", "-f", text["factory"] or "FACTORY"]
        for field, flag in (("priority", "--priority"), ("subject", "--subject"), ("defer until", "--defer")):
            words += [flag, text[field]] if text[field] else []
        if (moment := parse(text["defer until"])) is not None:
            words[-1] = moment.isoformat()
        return shlex.join(words)

    def body(self) -> dict[str, Any]:
        """As `POST /v1/jobs` takes it."""
        text = {field: edit.text.strip() for field, edit in self.edits.items()}
        body: dict[str, Any] = {"source": text["source"], "factory": text["factory"]}
        if text["priority"]:
            body["priority"] = int(text["priority"]) if text["priority"].isdigit() else text["priority"]
        if text["subject"]:
            body["subject"] = text["subject"]
        moment = parse(text["defer until"])
        if moment is not None:
            body["defer_until"] = moment.isoformat()
        return body

    def key(self, key: str, character: str | None) -> None:
        match key:
            case "escape":
                self.over = True
                self.host.close()
            case "ctrl+o":
                self.at = FIELDS.index("source")
                self._files.begin(self.edits["source"].text)
            case "ctrl+s":
                self._submit()
            case "enter":
                self._submit() if self.at == len(FIELDS) - 1 else self._go(1)
            case "down":
                self._go(1)
            case "up" | "shift+tab":
                self._go(-1)
            case "tab":
                self._complete()
            case _:
                self.edits[self.field].key(key, character)

    def _go(self, step: int) -> None:
        self.at = (self.at + step) % len(FIELDS)

    def _complete(self) -> None:
        folder = self._folder()
        if self.field == "source" and folder and folder not in self._folders:
            volume, _, path = folder.partition(":")
            self.host.send(calls.volume_files(volume, path, PLACES), partial(self._looked, folder))
        else:
            self._complete_from(self._known())

    def _looked(self, folder: str, told: Any) -> None:
        found = read_list(Found, told)
        places = [f"{each.place}/" if each.kind == "folder" else each.place for each in found if each.exact]
        self._folders[folder] = sorted(places)
        if self.field == "source" and self._folder() == folder and (known := self._known()):
            self._complete_from(known)

    def _complete_from(self, known: Sequence[str]) -> None:
        if not known:
            self._go(1)
            return
        text, edit = shared(known), self.edits[self.field]
        if len(text) > len(edit.text):
            edit.set(text)
        elif not self._folder():  # of files that begin alike none is the first; they are shown
            edit.set(known[0])

    def _submit(self) -> None:
        if wrong := self.wrong():
            self.host.toast(wrong, "warn")
            return
        self.over = True
        self.host.close()
        self.done(self.body(), self.cli())

    def paste(self, text: str) -> None:
        self.edits[self.field].insert(text)


_HINTS = {
    "source": "volume:path of the file; ^o looks for it.",
    "factory": "the recipe.",
    "priority": "0 to 100, or a name; the factory's own without.",
    "subject": "what people will know it by.",
    "defer until": "when it may start, as 2026-11-26T22:00Z; at once without.",
}


def shared(words: Sequence[str]) -> str:
    """The longest beginning that all words have."""
    first, last = min(words), max(words)
    length = next((at for at, char in enumerate(first) if at >= len(last) or char != last[at]), len(first))
    return first[:length]


def wrong_priority(text: str) -> str:
    """What is wrong with a priority, "" for nothing."""
    if text in PRIORITIES or (text.isascii() and text.isdigit() and int(text) <= 100):
        return ""
    return f"a priority is 0 to 100, or {', '.join(PRIORITIES)}"
