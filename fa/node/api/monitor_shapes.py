"""What the API answers with about monitors; as in `fa.node.api.shapes`."""

from __future__ import annotations

from typing import Any, Literal

from fa.node.api.shapes import Shown, Time


class GrowingShape(Shown, frozen=True):
    """A file that somebody writes to; `rate` in bytes a second."""

    path: str
    size: int
    rate: int


class MonitorBrief(Shown, frozen=True):
    """`seen`: files in the folder that are its business now; `settling`: of them, those that still may change;
    `refused`: those at which a person should look (`last_error`); `submitted`: all that it ever submitted. `owner`: the
    node that watches. `scan_ms`: how long the last look took. `growing`: what somebody writes to, the largest 20."""

    name: str
    state: Literal["watching", "disconnected", "paused", "error"]
    owner: str | None
    folder: str
    factories: list[str]
    seen: int
    settling: int
    refused: int
    submitted: int
    last_file: str | None
    last_error: str | None
    version: int
    scan_ms: int
    growing: list[GrowingShape]


class MonitorShape(MonitorBrief, frozen=True, kw_only=True):
    """`text` is the TOML as it was applied, `settings` what it says with all that it leaves to the defaults."""

    enabled: bool
    created_at: Time
    created_by: str
    text: str
    settings: dict[str, Any]


class MonitorTest(Shown, frozen=True):
    """What a monitor would do with what is there now: `would` is submit, wait (not ready, or its marker lacks) or
    ignore, `why` says why. At most 200 files are named; `counts` counts all of them."""

    monitor: str
    node: str
    state: str
    why: str
    counts: dict[str, int]
    files: list[dict[str, Any]]
