"""The helper process that sends notices: it loads Apprise (a hundred services) when there is something to be sent, and
may hang or die without the node. Reads one JSON line for each, answers ``{"why": ""}`` or why it was not delivered.

Targets come on stdin, never on a command line; nothing of them but the scheme is ever printed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import apprise

from fa.client.text import clean
from fa.node import webhook
from fa.node.targets import addresses_of, objection

WHY_MAX = 200
TYPES = {"info": "info", "warning": "warning", "error": "failure"}


class _Words(logging.Handler):
    """The last thing that Apprise complained about; it takes secrets out of what it logs by itself."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def deliver(question: Mapping[str, Any]) -> str:
    """`{url, own, hosts, id, at, title, body, severity, content}`; "" or why not."""
    url, hosts, own = str(question["url"]), question["hosts"], bool(question["own"])
    if url.partition("://")[0] not in webhook.SCHEMES:
        return objection(url, hosts, own=own) or _by_apprise(url, question)
    try:
        addresses = addresses_of(urlsplit(url).hostname or "")
    except (OSError, ValueError):
        return "its host cannot be found"
    why = objection(url, hosts, own=own, resolve=lambda host: addresses)
    return why or webhook.post(url, addresses, question["id"], question["at"], question["content"])


def _by_apprise(url: str, question: Mapping[str, Any]) -> str:
    words = _Words(logging.WARNING)
    logging.getLogger("apprise").addHandler(words)
    try:
        asset = apprise.AppriseAsset(app_id="fa", app_desc="fa", secure_logging=True, http_redirects=False)
        sender = apprise.Apprise(asset=asset)
        if not sender.add(url):
            return "Apprise does not know this kind of target"
        sent = sender.notify(
            title=question["title"], body=question["body"], notify_type=TYPES[question["severity"]], body_format="text"
        )
        return "" if sent else clean(words.last or "it was not taken")[:WHY_MAX]
    finally:
        logging.getLogger("apprise").removeHandler(words)


def main() -> int:
    for line in sys.stdin:
        try:
            why = deliver(json.loads(line))
        except Exception as error:  # a plug-in may raise anything, and the next notice may be for another one
            why = f"{type(error).__name__} while sending"
        print(json.dumps({"why": why}), flush=True)
    return 0
