"""``webhook+https://[:SECRET@]HOST[:PORT]/PATH``: a notice as JSON, signed, to a program of the site.

Headers: ``Fa-Notice-Id`` (the same when it is sent again), ``Fa-Timestamp`` (Unix seconds), and with a secret
``Fa-Signature: sha256=HEX``, the HMAC-SHA256 of ``TIMESTAMP.ID.`` and the body. Redirects are not followed; the host is
looked up once, and what was checked is what is connected to."""

from __future__ import annotations

import hmac
import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

SCHEMES = ("webhook+http", "webhook+https")
SECONDS = 15.0


def signature(secret: str, timestamp: str, notice_id: str, body: bytes) -> str:
    signed = f"{timestamp}.{notice_id}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, sha256).hexdigest()


def post(url: str, addresses: Sequence[str], notice_id: str, seconds: int, content: Mapping[str, Any]) -> str:
    """Send `content` at Unix time `seconds`; "" or why not. `addresses`: of the host, looked up and allowed."""
    parts = urlsplit(url)
    assert parts.scheme in SCHEMES, "who calls has looked"
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "fa", "Fa-Notice-Id": notice_id}
    headers["Fa-Timestamp"] = str(seconds)
    if parts.password:
        headers["Fa-Signature"] = signature(unquote(parts.password), str(seconds), notice_id, body)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = _connected(parts.hostname or "", parts.port, addresses, parts.scheme.endswith("s"))
        try:
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, http.client.InvalidURL) or not isinstance(error, OSError | http.client.HTTPException):
            return "its URL cannot be sent as it is written"  # the error would quote it, with what is secret in it
        return f"{type(error).__name__}: {error}"
    return "" if 200 <= status < 300 else f"it answered HTTP {status}"


def _connected(host: str, port: int | None, addresses: Sequence[str], secure: bool) -> http.client.HTTPConnection:
    """A connection to the first address that takes one. Raises `OSError`."""
    port = port or (443 if secure else 80)
    trouble: OSError = ConnectionRefusedError("it has no address")
    for address in addresses:
        try:
            plain = socket.create_connection((address, port), SECONDS)
        except OSError as error:
            trouble = error
            continue
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        return connection
    raise trouble
