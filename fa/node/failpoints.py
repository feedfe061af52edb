"""Where tests may let a node die: before and after every effect, and inside the publish (as etcd's gofail does).

``FA_FAILPOINT="after Tell Grant 2"`` kills this process with SIGKILL the second time that it has told a grant. Names
are ``before|after``, the effect, and, where it carries a command, a message or a report, the kind of that; in `publish`
they are plain words. Nobody sets it outside of tests, and then nothing here costs more than a look at a constant."""

from __future__ import annotations

import os
import signal
from typing import Any

_SPEC = os.environ.get("FA_FAILPOINT", "")
ARMED = bool(_SPEC)

_left = 1
_name = _SPEC
if ARMED and _SPEC.rpartition(" ")[2].isdigit():
    _name, _, _count = _SPEC.rpartition(" ")
    _left = int(_count)


def reached(name: str) -> None:
    """Die here if this is the point and its time has come."""
    global _left
    if not ARMED or name != _name:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def around(when: str, effect: Any) -> None:
    """The point before or after an effect is carried out."""
    reached(point(when, effect))


def point(when: str, effect: Any) -> str:
    """What that point is called."""
    inner = getattr(effect, "command", None) or getattr(effect, "message", None)
    kind = getattr(getattr(effect, "report", None), "kind", "")
    words = [when, type(effect).__name__, type(inner).__name__ if inner is not None else str(kind)]
    return " ".join(word for word in words if word)
