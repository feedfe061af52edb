"""What goes over a peer link: each value by the name of its class, as msgpack; a segment has its bytes behind it.

Frames are binary WebSocket messages: 4 bytes length of the msgpack part, that part, then (with `Append` only) the
envelope and the segment as `fa.replication.envelope` packs them. Everything that arrives is checked against its type
before anybody sees it; what does not fit ends the link."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fa.core import work as w
from fa.core.array_messages import MESSAGES, Append, Hello
from fa.core.commands import Order
from fa.core.watch_messages import TO_COORDINATOR, TO_NODES
from fa.errors import FaError
from fa.replication.envelope import Envelope, unpack

log = logging.getLogger(__name__)

PROTOCOL = "fa-peer-1"
FRAME_BYTES_MAX = 96 << 20  # far above a group commit, see `fa.replication.group`
BESIDE_BYTES = 64 << 10  # of a frame, for what goes before a segment

_HEAD = struct.Struct(">I")


class BadFrame(FaError):
    """A peer sent what this node does not understand; it may run another version of fa."""

    code = "bad-frame"


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A member as every node knows it, so that it can be reached without the store. `incarnation`: as its certificate
    must say; "" where any of that name will do."""

    name: str
    address: str
    kind: str
    index: int
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """From the coordinator, whenever it changes. `wanted`: the encoders and filters that its factories ask for."""

    epoch: int
    members: tuple[RosterEntry, ...]
    wanted: tuple[str, ...] = ()


_WORK = (w.WorkBeat, w.Offer, w.Report, w.Seen, Order, w.Stop, w.Grant, w.Heard, *TO_NODES, *TO_COORDINATOR)
KINDS: Final[dict[str, Any]] = {
    **MESSAGES,
    **{kind.__name__: kind for kind in (*_WORK, Hello, Roster)},
}

_encoder = msgspec.msgpack.Encoder()
_outer = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_decoders: dict[str, Any] = {name: msgspec.msgpack.Decoder(kind) for name, kind in KINDS.items()}


def is_work(message: Any) -> bool:
    return isinstance(message, _WORK)


def encode(message: Any, payload: bytes = b"") -> bytes:
    name = type(message).__name__
    try:
        body = _encoder.encode((name, message))
    except UnicodeEncodeError:
        body = _encoder.encode((_ESCAPED + name, _mapped(msgspec.to_builtins(message), _escape)))
    return b"".join((_HEAD.pack(len(body)), body, payload))


def payload_of(segment: tuple[Envelope, bytes] | None) -> bytes | None:
    """What goes behind the `Append` of a segment. None when there is no such segment, or none that a link takes: the
    peer would drop the link at each try, for ever. Only a copy of the store brings it on."""
    if segment is None:
        return None
    envelope, ltx = segment
    if len(ltx) > FRAME_BYTES_MAX - BESIDE_BYTES:
        log.warning("segment %d is too large for a link (%d bytes): a copy is needed", envelope.max_txid, len(ltx))
        return None
    return envelope.pack(ltx)


def decode(frame: bytes) -> tuple[Any, tuple[Envelope, bytes] | None]:
    """The message, and for an `Append` its segment. Raises `BadFrame`, or what `unpack` raises."""
    if len(frame) < _HEAD.size:
        raise BadFrame
    (length,) = _HEAD.unpack_from(frame)
    end = _HEAD.size + length
    try:
        name, raw = _outer.decode(frame[_HEAD.size : end])
        message = _read(name, raw)
    except (msgspec.MsgspecError, KeyError, RecursionError) as error:
        what = f"A peer says what this node does not understand: install the same version of fa on both ({error})."
        raise BadFrame(what) from None
    if not isinstance(message, Append):
        return message, None
    envelope, ltx = unpack(memoryview(frame)[end:])
    return message, (envelope, bytes(ltx))


def _read(name: str, raw: msgspec.Raw) -> Any:
    if not name.startswith(_ESCAPED):
        return _decoders[name].decode(raw)
    kind = KINDS[name.removeprefix(_ESCAPED)]
    return msgspec.convert(_mapped(msgspec.msgpack.decode(raw), _unescape), kind)


# --- names that are not UTF-8 ---
# msgpack knows text and bytes, and a file name may be neither. A message with such a name in it goes with all its
# strings as bytes of UTF-8 with the odd bytes as they are, and its own name is marked.

_ESCAPED = "~"


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(key): _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(each, change) for each in value]
    return change(value)


def _escape(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _unescape(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
