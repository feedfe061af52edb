"""Frames of the address resolution protocol (RFC 826) for an address that several machines may claim (RFC 5227)."""

from __future__ import annotations

import ipaddress
import struct

ETHERTYPE = 0x0806
_BROADCAST, _NOBODY = b"\xff" * 6, b"\0" * 4
_HEAD = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)  # a request: for IPv4, on ethernet
_FRAME_BYTES = 42


def announcement(mac: bytes, address: str) -> bytes:
    """To everybody on the link: this address is at our card. A request in which sender and target are the same."""
    ip = ipaddress.IPv4Address(address).packed
    return _to_all(mac, ip, ip)


def probe(mac: bytes, address: str) -> bytes:
    """The question who else has this address. It names no sender, so that it changes nobody's table."""
    return _to_all(mac, _NOBODY, ipaddress.IPv4Address(address).packed)


def claimant(frame: bytes, address: str) -> bytes | None:
    """The card (6 bytes) that says in this frame that the address is its own; None when none does."""
    ip = ipaddress.IPv4Address(address).packed
    if len(frame) < _FRAME_BYTES or frame[14:20] != _HEAD[:6] or frame[28:32] != ip:
        return None
    return frame[22:28]


def _to_all(mac: bytes, sender: bytes, target: bytes) -> bytes:
    return _BROADCAST + mac + struct.pack("!H", ETHERTYPE) + _HEAD + mac + sender + b"\0" * 6 + target
