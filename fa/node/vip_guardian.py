"""The small process that holds the virtual IP for the coordinator, and gives it up when the coordinator cannot.

The address is a hint for clients, never a safety device (SAFETY.md): whoever is asked through it answers as what it is.
The guardian lives beside the node and takes one word per line: ``take``, ``hold`` (a sign of life), ``drop``. When the
node is killed its end of the pipe closes; when it is stopped or hangs the signs of life stop: in both cases the address
goes. While it is held a gratuitous ARP is sent again and again, because a neighbour that missed the first one would go
on talking to the old holder (keepalived #166; ``garp_master_refresh``). Needs CAP_NET_ADMIN and CAP_NET_RAW.

It answers ``other MAC`` when somebody else claims the address that it holds, and ``alone`` when that is over. It holds
the address all the same: a machine of which all but the kernel hangs answers for ever."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import math
import os
import select
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from fa.errors import Invalid
from fa.node import arp
from fa.node.clock import monotonic

SILENCE_MAX = 2.0  # seconds without a sign of life
ANNOUNCE_EVERY = 3.0
ANNOUNCE_AT_ONCE = 3
CONTEST_AFTER = 2 * SILENCE_MAX  # a holder that was deposed may need so long to see it
ALONE = "alone"
CONTEST_OVER = 3 * ANNOUNCE_EVERY  # without a word of the other


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """`10.0.0.9/24@eth0`."""

    address: str
    bits: int
    device: str

    @classmethod
    def parse(cls, text: str) -> VirtualAddress:
        """Raises `Invalid`."""
        where, at, device = text.partition("@")
        try:
            interface = ipaddress.IPv4Interface(where)
        except ValueError:
            interface = None
        if interface is None or "/" not in where or not at or not device:
            raise Invalid(f"{text!r} is not a virtual address.", hint="Write ADDRESS/BITS@DEVICE: 10.0.0.9/24@eth0.")
        return cls(str(interface.ip), interface.network.prefixlen, device)


class Contest:
    """Who else claims the address since it was taken. Claims before ``since`` count for nothing."""

    def __init__(self, since: float = math.inf) -> None:
        self._since, self._heard_at, self._mac = since, -math.inf, b""

    def heard(self, mac: bytes, now: float) -> None:
        if now >= self._since:
            self._mac, self._heard_at = mac, now

    def told(self, now: float) -> str:
        return f"other {self._mac.hex(':')}" if now - self._heard_at < CONTEST_OVER else ALONE


class Guardian:
    """Holds at most one address. Idempotent: taking what is held and dropping what is not are fine."""

    def __init__(self, virtual: VirtualAddress) -> None:
        from pyroute2 import IPRoute

        self._virtual = virtual
        self._route = IPRoute()
        self._index = socket.if_nametoindex(virtual.device)
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETHERTYPE))
        self.wire.bind((virtual.device, 0))
        self.held = False
        self.contest = Contest()
        self.drop()  # what an earlier life left

    def take(self) -> None:
        self._change("add", errno.EEXIST)
        if not self.held:
            self.contest = Contest(monotonic() + CONTEST_AFTER)
            for _ in range(ANNOUNCE_AT_ONCE):
                self.announce()
        self.held = True

    def drop(self) -> None:
        self._change("del", errno.EADDRNOTAVAIL)
        self.held, self.contest = False, Contest()

    def announce(self) -> None:
        """Say that it is here (RFC 5227 section 3), and ask who else has it (section 2.1.1)."""
        mac = _mac(self._virtual.device)
        self.wire.send(arp.announcement(mac, self._virtual.address))
        self.wire.send(arp.probe(mac, self._virtual.address))

    def hear(self) -> None:
        """One frame that lies ready."""
        mac = None
        with contextlib.suppress(OSError):  # the device was down for a moment
            mac = arp.claimant(self.wire.recv(64), self._virtual.address)
        if self.held and mac is not None and mac != _mac(self._virtual.device):
            self.contest.heard(mac, monotonic())

    def _change(self, what: str, fine: int) -> None:
        """`fine`: the error that says it was so already."""
        from pyroute2.netlink.exceptions import NetlinkError

        try:
            self._route.addr(what, index=self._index, address=self._virtual.address, prefixlen=self._virtual.bits)
        except NetlinkError as error:
            if error.code != fine:
                raise OSError(error.code, os.strerror(error.code), self._virtual.address) from None


def _mac(device: str) -> bytes:
    text = Path("/sys/class/net", device, "address").read_text().strip()
    return bytes.fromhex(text.replace(":", ""))


def guard(guardian: Guardian, fd: int) -> None:
    """Until the node's end of the pipe closes."""
    heard_at = announced_at = monotonic()
    told, wire = ALONE, guardian.wire.fileno()
    while True:
        readable, _, _ = select.select([fd, wire], [], [], SILENCE_MAX / 4)
        now = monotonic()
        if wire in readable:
            guardian.hear()
        if fd in readable:
            words = os.read(fd, 4096)
            if not words:
                return
            heard_at = now
            _obey(guardian, words)
        if guardian.held and now - heard_at > SILENCE_MAX:
            print("the node is silent: the virtual address is given up", file=sys.stderr, flush=True)
            guardian.drop()
        elif guardian.held and now - announced_at > ANNOUNCE_EVERY:
            announced_at = now
            guardian.announce()
        if told != (told := guardian.contest.told(now)):
            print(told, flush=True)


def _obey(guardian: Guardian, words: bytes) -> None:
    """The last order counts. A sign of life alone never takes an address that silence gave up: the node says `take`
    again when it still leads."""
    for word in words.split():
        if word == b"take":
            guardian.take()
        elif word == b"drop":
            guardian.drop()


def main(text: str) -> int:
    guardian = Guardian(VirtualAddress.parse(text))
    try:
        guard(guardian, sys.stdin.fileno())
    finally:
        guardian.drop()
    return 0
