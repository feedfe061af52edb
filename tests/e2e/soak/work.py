"""What the jobs of the soak are: tools, factories, sources, and how a job of each kind may end."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from random import Random

from tests.e2e import kit

TOOLS = {
    "copy": 'exec cp "$1" "$2"',
    "slow": 'sleep "$3"; exec cp "$1" "$2"',
    "once": 'if [ ! -e "$1.tried" ]; then : > "$1.tried"; echo half > "$2"; kill -9 $$; fi; exec cp "$1" "$2"',
    "broken": 'echo half > "$2"; echo "it is broken" >&2; exit 1',
    "folder": 'mkdir "$2" && cp "$1" "$2/all.m3u8" && mkdir "$2/360p" && cp "$1" "$2/360p/1.ts"',
}
CLIPS, TEXTS = 3, 12
NO_SOURCE = r"no such file|not there|does not exist|is not on|no file"
BROKEN = r"it is broken"
TAKEN = r"already|exists|something else|stands at"
CHANGED = r"changed"
MONITOR = """
name = "in"
folder = "san:watch"
factories = ["copy"]
poll = "500ms"
end = "rename"
after = "move:done/"
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """`products` are lines of TOML; `copies`: each file is what its source is; `fails`: what the reason of its failure
    has in it, "" when it cannot fail; `succeeds`: whether it can."""

    name: str
    products: tuple[str, ...]
    share: int  # how often, among all of them
    copies: bool = True
    fails: str = ""
    succeeds: bool = True
    more: str = ""
    place: str = "{source.stem}-{job}-{product}"  # where it delivers, in a folder of its own

    def toml(self, round: int) -> str:
        """The factory; `round` makes a new version of it."""
        head = f'name = "{self.name}"\ndescription = "round {round}"\n{self.more}\n'
        return head + "\n".join(
            f'[[products]]\nname = "p{number}"\n{line}\ndestination = "san:out/{self.name}/{self.place}"'
            for number, line in enumerate(self.products)
        )


def _tool(name: str, *words: str) -> str:
    return "exec = [" + ", ".join(f'"{word}"' for word in (name, "{input}", "{output}", *words)) + "]"


KINDS = (
    Kind("copy", (_tool("copy"),), 8),
    Kind("slow", (_tool("slow", "1"),), 5),
    Kind("slower", (_tool("slow", "6"),), 2),
    Kind("several", (_tool("copy"), _tool("slow", "0.5"), _tool("slow", "2")), 3),
    Kind("once", (_tool("once"),), 3),
    Kind("folder", (_tool("folder"),), 2, copies=False),
    Kind("missing", (_tool("copy"),), 2, fails=NO_SOURCE, succeeds=False),
    Kind("broken", (_tool("broken"),), 1, fails=BROKEN, succeeds=False),
    Kind("mixed", (_tool("copy"), _tool("broken"), _tool("slow", "1")), 1, fails=BROKEN, succeeds=False),
    Kind("replaced", (_tool("copy"),), 1, more="replace = true", place="{product}"),
    Kind("refolder", (_tool("folder"),), 1, False, CHANGED, more="replace = true", place="{product}"),
    Kind("taken", (_tool("slow", "0.2"),), 1, fails=TAKEN, place="{source.stem}"),
    Kind("clip", ('preset = "h264-mp4"\nmax_height = 72', 'preset = "poster"'), 1, copies=False),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def prepare(array: kit.Array, names: str) -> None:
    """Tools and sources; each node is told what it may start."""
    for name, script in TOOLS.items():
        path = array.root / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    for number in range(TEXTS):
        (array.san / "in" / f"text{number}.txt").write_text(f"{number}\n" * (1 << number))
    (array.san / "watch").mkdir()
    first = kit.make_clip(array.san / "in" / "clip0.mp4", 1.0, "128x72")
    for number in range(1, CLIPS):
        shutil.copy(first, first.with_name(f"clip{number}.mp4"))
    for name in names:
        array.settings[name] = {
            "transcode": {"exec": [str(array.root / tool) for tool in TOOLS]},
            "retention": {"history": "2m", "events": 500},
        }


def pick(rng: Random) -> Kind:
    return rng.choices(KINDS, [kind.share for kind in KINDS])[0]


def source(array: kit.Array, kind: Kind, rng: Random, key: str) -> str:
    """The place of a source for a job of this kind, made where it must be its own."""
    if kind.name == "missing":
        return f"san:in/never-{key}.txt"
    if kind.name == "clip":
        return f"san:in/clip{rng.randrange(CLIPS)}.mp4"
    if kind.name == "once":
        (array.san / "in" / f"once-{key}.txt").write_text(key)
        return f"san:in/once-{key}.txt"
    return f"san:in/text{rng.randrange(TEXTS)}.txt"


def explains(kind: Kind, error: str) -> bool:
    return bool(kind.fails and re.search(kind.fails, error, re.IGNORECASE))
