"""The helper process that sends notices: it loads Apprise (a hundred services) when there is something to be sent, and
may hang or die without the node. Reads one JSON line for each, answers ``{"why": ""}`` or why it was not delivered.

Targets come on stdin, never on a command line; nothing of them but the scheme is ever printed. While one of a factory
is served, Python itself asks before each connection whether it may be (PEP 578)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import apprise
from apprise.attachment.file import AttachFile

from fa.client.text import clean
from fa.node import webhook
from fa.node.targets import Reach, addresses_of, objection

WHY_MAX = 200
TYPES = {"info": "info", "warning": "warning", "error": "failure"}


CONNECTIONS = frozenset({"socket.getaddrinfo", "socket.connect", "socket.sendto", "socket.sendmsg"})


class _Fence:
    """An audit hook of Python. `reach`: of the target of a factory that is served now; `why` something was refused."""

    def __init__(self) -> None:
        self.reach: Reach | None = None
        self.why = ""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        reach = self.reach
        if reach is None or event not in CONNECTIONS:
            return
        self.reach = None  # what is looked up to judge is not judged
        why = reach.objection(event, arguments)
        self.reach = reach
        if why:
            self.why = why
            raise PermissionError(why)


_fence = _Fence()


class _Words(logging.Handler):
    """The last thing that Apprise complained about; it takes secrets out of what it logs by itself."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def deliver(question: Mapping[str, Any]) -> str:
    """`{url, own, hosts, id, at, title, body, severity, content}`; "" or why not."""
    url, hosts, own = str(question["url"]), question["hosts"], bool(question["own"])
    scheme = url.partition("://")[0]
    if scheme not in webhook.SCHEMES:
        return objection(url, hosts, own=own) or _fenced(url, question, None if own else Reach(scheme.lower(), hosts))
    try:
        addresses = addresses_of(urlsplit(url).hostname or "")
    except (OSError, ValueError):
        return "its host cannot be found"
    why = objection(url, hosts, own=own, resolve=lambda host: addresses)
    return why or webhook.post(url, addresses, question["id"], question["at"], question["content"])


def _fenced(url: str, question: Mapping[str, Any], reach: Reach | None) -> str:
    """`reach`: None for a target of this node's own."""
    _fence.reach, _fence.why = reach, ""
    try:
        why = _by_apprise(url, question, own=reach is None)
        return _fence.why or why
    finally:
        _fence.reach = None


def _by_apprise(url: str, question: Mapping[str, Any], *, own: bool) -> str:
    words = _Words(logging.WARNING)
    logging.getLogger("apprise").addHandler(words)
    try:
        asset = apprise.AppriseAsset(app_id="fa", app_desc="fa", secure_logging=True, http_redirects=False)
        sender = apprise.Apprise(asset=asset)
        if not sender.add(url):
            return "Apprise does not know this kind of target"
        if not own and _names_files(sender):
            return "a factory may not name files of the coordinator"
        sent = sender.notify(
            title=question["title"], body=question["body"], notify_type=TYPES[question["severity"]], body_format="text"
        )
        return "" if sent else clean(words.last or "it was not taken")[:WHY_MAX]
    finally:
        logging.getLogger("apprise").removeHandler(words)


def _names_files(plugins: Iterable[Any]) -> bool:
    """Some services take templates and keys from files, and send what is in them."""
    held = (value for plugin in plugins for value in vars(plugin).values())
    attached = (each for value in held if isinstance(value, apprise.AppriseAttachment) for each in value)
    return any(isinstance(each, AttachFile) for each in attached)


def main() -> int:
    sys.addaudithook(_fence)
    for line in sys.stdin:
        try:
            why = deliver(json.loads(line))
        except Exception as error:  # a plug-in may raise anything, and the next notice may be for another one
            why = f"{type(error).__name__} while sending"
        print(json.dumps({"why": why}), flush=True)
    return 0
