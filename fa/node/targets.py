"""Where notices may go. What `fa.toml` names is the machine's own administrator's business; what a factory names came
over the API, and must not make the coordinator talk to itself or to what only it can reach (SECURITY.md, API6/7)."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOCAL = frozenset({"dbus", "qt", "glib", "kde", "gnome", "macosx", "windows", "syslog"})
"""They show something on the screen or in the log of the coordinator itself."""
BY_HOST = frozenset(
    """webhook+http webhook+https json jsons xml xmls form forms mailto mailtos apprise apprises gotify gotifys ntfy
    ntfys matrix matrixs mmost mmosts rocket rockets mqtt mqtts rsyslog hassio hassios jfrog signal signals synology
    synologys kodi kodis xbmc xbmcs nextcloud ncloud nclouds growl""".split()  # noqa: SIM905
)
"""Schemes after which comes the name of a server; with the others it is a key of a service, and not to be looked up."""

ITSELF = "a factory may not send to the coordinator itself; list the host in alerts.hosts if it must"
NOT_LISTED = "it is not among alerts.hosts in fa.toml of the coordinator"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]{0,19})://")

Resolve = Callable[[str], Sequence[str]]


def addresses_of(host: str) -> tuple[str, ...]:
    """Raises `OSError`. Odd ways to write an address (decimal, octal) come out as the address that they are."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def objection(url: str, hosts: Sequence[str], *, own: bool, resolve: Resolve = addresses_of) -> str:
    """Why nothing is sent to this target; "" = it may be. `hosts`: where notices of factories may go (names, addresses,
    or ``slack://`` for a service); none = anywhere but this server itself and what is link-local."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        return "it is not a URL"
    if own:
        return ""
    if scheme in LOCAL:
        return f"a factory may not use {scheme}://"
    if hosts:
        listed = host in hosts or f"{scheme}://" in hosts
        return "" if listed else NOT_LISTED
    if scheme not in BY_HOST:
        return ""
    return _inside(host, resolve)


def _inside(host: str, resolve: Resolve) -> str:
    try:
        addresses = resolve(host)
    except (OSError, UnicodeError):
        return "its host cannot be found"
    return ITSELF if any(map(is_inside, addresses)) else ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a target of a factory may lead, asked before each connection: Apprise knows more services than are listed
    here, reads some URLs otherwise, and finds more hosts in their queries. `hosts` as with `objection`."""

    scheme: str
    hosts: Sequence[str]
    resolve: Resolve = addresses_of

    def objection(self, event: str, arguments: Sequence[Any]) -> str:
        """Why what Python is about to do (an audit event of its `socket` module) may not be; "" = it may."""
        if event == "socket.getaddrinfo":
            return self._by_name(arguments[0])
        address = arguments[1]
        if not isinstance(address, tuple):  # the name of a Unix socket
            return ITSELF if address else ""
        host = address[0]
        if not isinstance(host, str):  # no address of the internet
            return ""
        return (self._by_name(host) if event != "socket.connect" else "") or self._by_address(host)

    def _by_name(self, host: Any) -> str:
        """A name is looked up, or a datagram sent to it: nothing else tells where a connection leads."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if not name or not self.hosts or f"{self.scheme}://" in self.hosts:
            return ""
        return "" if name.lower().strip("[]") in self.hosts else NOT_LISTED

    def _by_address(self, host: str) -> str:
        if host in self.hosts or not _inside(host, self.resolve):
            return ""
        listed = (address for name in self.hosts if "://" not in name for address in self._addresses(name))
        return "" if host in listed else ITSELF

    def _addresses(self, name: str) -> Sequence[str]:
        try:
            return self.resolve(name)
        except (OSError, UnicodeError):
            return ()


def is_inside(address: str) -> bool:
    """Loopback, link-local (as the metadata services of clouds are), or nobody's."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return mapped.is_loopback or mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified


def name_of(url: str) -> str:
    """What may be shown of a target: its scheme; the rest holds passwords and keys, as what has none may."""
    scheme = _SCHEME.match(url)
    return f"{scheme[1] if scheme else '?'}://…"
