"""What a node is told at birth: `fa.toml` in its state directory, and where everything else lies in there.

Everything about jobs, factories, monitors and tokens is in the job store and the same on all nodes; here is only what
belongs to *this* server. The file is written by `fa init` and `fa join` and is meant to be edited by people: only what
differs from the default is in it, and a name that does not exist is refused with the one that was probably meant.

Spans of time may be written as seconds (``2``, ``0.5``) or with a unit: ``"500ms"``, ``"2s"``, ``"5m"``, ``"1h"``,
``"7d"``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fa.core.members import SLOTS_MAX
from fa.core.scheduling import PRIORITY_MAX
from fa.core.view import on_volume
from fa.errors import Invalid, NotFound
from fa.node.toml import dump

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z"  # of nodes, arrays, volumes, tags: safe in paths, hosts and URLs
DEFAULT_DIR = "/var/lib/fa"

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
RETENTION_MAX = 10_000_000_000  # seconds: 300 years
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.ASCII)


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file: unknown names are refused, defaults are not written."""


class ReserveRule(_Section, frozen=True):
    """``slots`` of a class of this node are kept for tasks of at least ``min_priority``."""

    min_priority: int
    slots: int
    slot_class: str = msgspec.field(default="cpu", name="class")


class Array(_Section, frozen=True):
    """The array this node belongs to. ``vip`` as ``10.0.0.9/24@eth0``; ``witness`` as ``volume:san`` or ``none``."""

    name: str
    id: str
    vip: str = ""
    witness: str = "none"
    mirrors: int = 1  # copies of the store besides the coordinator's
    min_insync: int = 1  # copies (the coordinator's included) without which nothing is acknowledged


class Node(_Section, frozen=True):
    """This server. ``listen`` is ``host:port``; ``advertise`` what other nodes reach it by, when that differs."""

    name: str
    listen: str
    advertise: str = ""
    index: int = 1  # unique in the array for ever: it makes this node's epochs its own (SAFETY.md R4)
    kind: str = "data"  # or "witness": votes, holds no store, runs no work
    rank: int = 0  # who stands first for coordinator: higher before lower, then by name
    mirror: bool = True  # may be given a copy of the store, and so lead one day
    slots: dict[str, int] = {}  # by class; none given = one per core
    tags: tuple[str, ...] = ()
    only_factories: tuple[str, ...] = ()
    only_tags: tuple[str, ...] = ()
    reserve: tuple[ReserveRule, ...] = ()

    @property
    def slots_or_cores(self) -> dict[str, int]:
        if self.kind == "witness":
            return {}
        return dict(self.slots) or {"cpu": os.cpu_count() or 1}

    @property
    def listens_everywhere(self) -> bool:
        return self.listen.rpartition(":")[0].strip("[]") in ("0.0.0.0", "::")

    @property
    def url(self) -> str:
        return f"https://{self.advertise or self.listen}"


class Timing(_Section, frozen=True):
    """Seconds. No safety rule uses them: they only decide when to try (SAFETY.md)."""

    heartbeat_seconds: float = msgspec.field(default=0.5, name="heartbeat")
    suspect_after_seconds: float = msgspec.field(default=2.0, name="suspect_after")
    lost_after_seconds: float = msgspec.field(default=3.0, name="lost_after")
    orphan_after_seconds: float = msgspec.field(default=60.0, name="orphan_after")
    volume_timeout_seconds: float = msgspec.field(default=5.0, name="volume_timeout")
    forward_timeout_seconds: float = msgspec.field(default=10.0, name="forward_timeout")


class Transcode(_Section, frozen=True):
    """Where ffmpeg is ("" = on PATH, then the imageio-ffmpeg wheel), what `exec` products may start, local scratch."""

    ffmpeg: str = ""
    ffprobe: str = ""
    exec: tuple[str, ...] = ()  # absolute paths of programs
    scratch: str = ""  # "" = scratch/ in the state directory
    localise: bool = False  # copy every source to scratch first, whatever the factory says


class Alerts(_Section, frozen=True):
    """``targets`` are Apprise URLs; those that hold a password belong into the file that ``targets_file`` names."""

    targets: tuple[str, ...] = ()
    targets_file: str = ""  # one URL a line, mode 0600
    digest_after: int = 5  # alerts a minute from which they are sent as one
    hosts: tuple[str, ...] = ()  # where factories' notices may go; none given = anywhere but to this server itself
    disk_low_percent: float = 5.0  # free room below which a disk or volume is alarmed


class Retention(_Section, frozen=True):
    """How long what is over is kept, in seconds."""

    history_seconds: float = msgspec.field(default=7 * 86400.0, name="history")  # of the store, for `fa mirror restore`
    jobs_seconds: float = msgspec.field(default=365 * 86400.0, name="jobs")  # after they finished
    alerts_seconds: float = msgspec.field(default=30 * 86400.0, name="alerts")  # after they were over
    events: int = 100_000  # lines
    logs_seconds: float = msgspec.field(default=30 * 86400.0, name="logs")
    requests_seconds: float = msgspec.field(default=7 * 86400.0, name="requests")  # idempotency keys


class Limits(_Section, frozen=True):
    """What the API takes from clients (SECURITY.md 4.2). Bytes, connections, seconds."""

    body_bytes: int = 1 << 20
    batch_bytes: int = 8 << 20
    connections: int = 200
    connections_per_address: int = 100
    body_seconds: float = msgspec.field(default=30.0, name="body_timeout")
    idle_seconds: float = msgspec.field(default=60.0, name="idle_timeout")


class Settings(_Section, frozen=True):
    array: Array
    node: Node
    volumes: dict[str, str] = {}  # name → where it is mounted here
    timing: Timing = Timing()
    transcode: Transcode = Transcode()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class StateDir:
    """The places inside ``--dir``. Nothing outside of it is written, but on volumes."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "fa.toml"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def replica(self) -> Path:
        return self.root / "replica"

    @property
    def votes(self) -> Path:
        return self.root / "vote"

    @property
    def roster(self) -> Path:
        return self.root / "roster.json"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def socket(self) -> Path:
        return self.root / "fa.sock"

    def make(self) -> None:
        """Make the directories that are missing; secrets are in there, so others get no look."""
        for path in (self.root, self.tls, self.store, self.replica, self.log, self.scratch):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)


def load(place: StateDir) -> Settings:
    """Read `fa.toml`; raises `NotFound` where there is none, `Invalid` with place and suggestion when it is wrong."""
    try:
        text = place.settings.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "Start an array with `fa init`, or join one with `fa join`."
        raise NotFound(f"There is no node in {place.root}.", hint=hint) from None
    except (UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{place.settings} cannot be read: {error}.") from error
    return parse(text, str(place.settings))


def save(place: StateDir, settings: Settings) -> None:
    """Write `fa.toml` whole or not at all (a temporary file, fsynced, renamed); mode 0600."""
    check(settings, str(place.settings))
    temporary = place.settings.with_suffix(".toml.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(dump(msgspec.to_builtins(settings)))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(place.settings)


def parse(text: str, where: str = "fa.toml") -> Settings:
    """Settings from TOML; raises `Invalid` that names ``where``, what is wrong, and what was probably meant."""
    try:
        raw = tomllib.loads(text)
    except ValueError as error:
        raise Invalid(f"{where} is not TOML: {error}.") from error
    for span in _spans(raw):
        span.read(where)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise Invalid(f"{where}: {error}.", hint=_meant(str(error), raw)) from error
    check(settings, where)
    return settings


@dataclass(frozen=True, slots=True)
class _Span:
    """A value of the file that is a span of time, perhaps with a unit."""

    table: dict[str, Any]
    key: str

    def read(self, where: str) -> None:
        value = self.table[self.key]
        if not isinstance(value, str):
            return
        match = _SPAN.fullmatch(value.strip())
        if match is None:
            hint = 'Write seconds (2, 0.5) or a number with a unit ("500ms", "2s", "5m", "1h", "7d").'
            raise Invalid(f"{where}: {self.key} = {value!r} is not a span of time.", hint=hint)
        self.table[self.key] = float(match[1]) * _UNITS[match[2]]


def _spans(raw: dict[str, Any]) -> Iterator[_Span]:
    for section in msgspec.structs.fields(Settings):
        table = raw.get(section.name)
        if not (isinstance(table, dict) and isinstance(section.type, type) and issubclass(section.type, _Section)):
            continue
        for field in msgspec.structs.fields(section.type):
            if field.name.endswith("_seconds") and field.encode_name in table:
                yield _Span(table, field.encode_name)


def _meant(error: str, raw: dict[str, Any]) -> str:
    """The name that is nearest to an unknown one, from msgspec's own sentence about it."""
    match = re.search(r"unknown field `([^`]*)`(?: - at `\$\.?([a-z_]*))?", error)
    if match is None:
        return ""
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    section = ReserveRule if "reserve[" in error else sections.get(match[2] or "", Settings)
    known = [field.encode_name for field in msgspec.structs.fields(section)]
    near = difflib.get_close_matches(match[1], known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."


def check(settings: Settings, where: str = "fa.toml") -> None:
    """The rules that types do not say; raises `Invalid` for the first that is broken."""
    for broken in _broken(settings):
        raise Invalid(f"{where}: {broken}")


def _broken(settings: Settings) -> Iterator[str]:
    node, timing = settings.node, settings.timing
    for name in (settings.array.name, node.name, *settings.volumes, *node.tags):
        if not re.match(NAME, name):
            yield f"{name!r} is not a name: letters, digits, '.', '_' and '-', 63 at most, a letter or digit first."
    for address in filter(None, (node.listen, node.advertise)):
        if not _is_address(address):
            yield f"{address!r} is not an address to listen on: write host:port, as in 10.0.0.1:7001."
    for slot_class, total in node.slots.items():
        if not re.match(NAME, slot_class) or not 0 <= total <= SLOTS_MAX:
            yield f"slots.{slot_class} = {total}: a class of slots has a name and 0 to {SLOTS_MAX} slots."
    for rule in node.reserve:
        if not 0 <= rule.min_priority <= PRIORITY_MAX or not 0 <= rule.slots <= SLOTS_MAX:
            text = f"priorities are 0 to {PRIORITY_MAX}, and 0 to {SLOTS_MAX} slots are kept"
            yield f"reserve of {rule.slots} slots for {rule.min_priority}: {text}."
        if rule.slot_class not in node.slots_or_cores and node.kind != "witness":
            yield f"reserve: there are no {rule.slot_class} slots here to keep; say which with class."
    for name, path in settings.volumes.items():
        if not path.startswith("/"):
            yield f"volumes.{name} = {path!r}: a volume is mounted at an absolute path."
    for field in msgspec.structs.fields(timing):
        if not 0 < getattr(timing, field.name) < 1e6:
            yield f"timing.{field.encode_name} is more than nothing and less than 1000000 seconds."
    for field in msgspec.structs.fields(settings.retention):
        if not 0 <= getattr(settings.retention, field.name) <= RETENTION_MAX:  # what the store can reckon with
            yield f"retention.{field.encode_name} is 0 to {RETENTION_MAX} (seconds, or lines)."
    if timing.heartbeat_seconds * 2 > timing.suspect_after_seconds:
        yield "suspect_after is at least twice heartbeat: one lost heartbeat is not a lost node."
    if settings.array.witness != "none" and not on_volume(settings.array.witness):
        yield f"witness = {settings.array.witness!r} is neither volume:NAME (a vote on that volume) nor none."
    if not 0 <= settings.alerts.disk_low_percent < 100:
        yield "disk_low_percent is 0 (never alarmed) to 99."
    if not 0 <= settings.array.mirrors <= 4 or not 1 <= settings.array.min_insync <= settings.array.mirrors + 1:
        yield "mirrors is 0 to 4, and min_insync at least 1 and at most mirrors + 1."


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536 and not re.search(r"[\s/@]", host)
