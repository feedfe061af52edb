"""The plain client: one request at a time with the standard library only, so that `fa` starts in a blink."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from fa.client.calls import PAGE_MAX, Call
from fa.client.problems import BadAnswer, Unreachable, problem
from fa.client.retry import PATIENCE, STAYS, Retry, Trouble, busy
from fa.client.target import Target, short_path
from fa.errors import FaError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0  # a node itself waits at most some seconds for an election; `factory test` encodes meanwhile
BUSY = 503
STATUS_ERROR = 400
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it


class Reply(NamedTuple):
    """What came back. ``headers`` are as the server wrote them."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The value in the body, None for an empty one. Raises `BadAnswer`."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            start = self.body[:80].decode(errors="replace")
            raise BadAnswer(f"The answer is not JSON: {start!r}.", hint="Is this the address of a node?") from None


class _Failed(Exception):
    """One try failed. ``wait`` is what Retry-After asked for, ``error`` what to report when it was the last try."""

    def __init__(self, trouble: Trouble, error: FaError, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.trouble, self.error, self.wait = trouble, error, wait


class Client:
    """Talks to one array; keeps the address that works and its connection. Not for several threads at once.

    Every method raises the `FaError` that the server's problem names, `Unreachable` when nobody answers."""

    def __init__(
        self,
        target: Target,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        new_key: Callable[[], str] = lambda: os.urandom(16).hex(),
    ) -> None:
        self.target = target
        self.node = ""  # that answered last
        self._patience = patience
        self._clock, self._sleep, self._new_key = clock, sleep, new_key
        self._door = 0
        self._opened = False
        self._connection: http.client.HTTPConnection | None = None
        self.answer_seconds = ANSWER_SECONDS
        self._ahead = 0.0  # seconds by which the server's wall clock leads ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def now(self) -> datetime:
        """The wall clock of the server, for ages: it is the one that wrote the times."""
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._ahead, UTC)

    def send(self, call: Call) -> Any:
        """The JSON value that ``call`` is answered with."""
        return self.reply(call).json()

    def pages(self, call: Call, limit: int | None = None) -> Iterator[Any]:
        """The items of a list, page by page as they are needed; at most ``limit``."""
        left = limit
        while True:
            size = PAGE_MAX if left is None else min(left, PAGE_MAX)
            page = self.send(call._replace(query={**call.query, "limit": str(size)}))
            items = page["items"] if left is None else page["items"][:left]
            yield from items
            left = None if left is None else left - len(items)
            if not page.get("next") or left == 0 or not items:
                return
            call = call._replace(query={**call.query, "after": page["next"]})

    def reply(self, call: Call) -> Reply:
        """Send, and send again while that may help (see `fa.client.retry`)."""
        headers = self._headers(call)
        if call.once:
            self.close()  # one that was kept may be dead, and then nobody could tell whether this was done
        retry = Retry(self.target.doors, self._door, self._opened, self._clock(), self._patience, call.once)
        while True:
            try:
                return self._once(call, headers)
            except _Failed as failed:
                wait = retry.after(failed.trouble, self._clock(), failed.wait)
                self._opened = self._opened or failed.trouble is not Trouble.REFUSED
                if failed.trouble not in STAYS:
                    self.close()
                self._door = retry.door
                if wait is None:
                    raise failed.error from None
                self._sleep(wait)

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {"Accept": "application/json", "Host": "fa", **call.headers}
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        if call.writes:
            headers.setdefault("Idempotency-Key", self._new_key())
        if call.body is not None or call.text is not None:
            headers["Content-Type"] = call.media
        return headers

    def _once(self, call: Call, headers: Mapping[str, str]) -> Reply:
        connection = self._connect()
        try:
            connection.request(call.method, call.target, encode(call), dict(headers))
            answer = connection.getresponse()
            reply = Reply(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _Failed(Trouble.LOST, lost(self.target, self._door, error)) from None
        self._opened = True
        self._note(reply.headers)
        if reply.status == BUSY:
            told = problem(reply.status, reply.body, reply.headers)
            raise _Failed(busy(reply.headers), told, retry_after(reply.headers))
        if reply.status >= STATUS_ERROR:
            raise problem(reply.status, reply.body, reply.headers)
        return reply

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = _open(self.target, self._door)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:
                raise BadAnswer(
                    f"{self.target.door(self._door)} shows a certificate that is not of this array: "
                    f"{error.verify_message}.",
                    hint="Give the array's CA with --cacert (tls/ca.pem in the state directory of any node).",
                ) from None
            except OSError as error:
                raise _Failed(Trouble.REFUSED, unreachable(self.target, self._door, error)) from None
            if connection.sock is not None:
                connection.sock.settimeout(self.answer_seconds)
            self._connection = connection
        return self._connection

    def _note(self, headers: Mapping[str, str]) -> None:
        self.node = headers.get("Fa-Node", "")
        try:
            told = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return
        self._ahead = round(told.timestamp() - datetime.now(UTC).timestamp())


def encode(call: Call) -> bytes | None:
    """The body of a request, None when it has none."""
    if call.text is not None:
        return call.text.encode("utf-8", "surrogateescape")
    return None if call.body is None else json.dumps(call.body).encode()


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, 0 when it does not say."""
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0


def unreachable(target: Target, door: int, error: Exception) -> Unreachable:
    """The sentence for "nobody answers", with what to do about it."""
    why = _why(error)
    if target.urls:
        tried = ", ".join(target.urls)
        return Unreachable(f"No node answers at {tried} ({why}).", hint="Is `fa run` running there? See --addr.")
    if isinstance(error, PermissionError):
        hint = "Run as the user of the node, or join its group; the socket's file permissions are the login."
    else:
        hint = "Start the node with `fa run`, or name another state directory with --dir, or a node with --addr."
    return Unreachable(f"No node answers on {target.door(door)} ({why}).", hint=hint)


def lost(target: Target, door: int, error: Exception) -> Unreachable:
    """The sentence for a connection that ended, or stalled, before the answer was there."""
    hint = "It may have been done: look with `fa status`, or send it again with the same --key."
    return Unreachable(f"{target.door(door)} was reached, but gave no answer ({_why(error)}).", hint=hint)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _open(target: Target, door: int) -> http.client.HTTPConnection:
    if not target.urls:
        return _UnixConnection(target.socket)
    parts = urlsplit(target.urls[door])
    return http.client.HTTPSConnection(
        str(parts.hostname), parts.port or 443, timeout=CONNECT_SECONDS, context=tls(target.cafile)
    )


def tls(cafile: str) -> ssl.SSLContext:
    """TLS 1.3 only; the array's own CA, or the machine's when none is named.

    With the array's CA dates are not looked at: clocks of closed rooms are wrong now and then (SECURITY.md 4.1)."""
    context = ssl.create_default_context(cafile=cafile or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if cafile:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("fa", timeout=CONNECT_SECONDS)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(CONNECT_SECONDS)
        try:
            with short_path(self._path) as path:
                sock.connect(path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock
