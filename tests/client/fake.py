"""A server that answers as a test says, on a Unix socket or with TLS, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """``drop`` ends the connection without an answer; ``chunks`` are sent one by one, then the connection ends, or
    stays silent until the test is over when ``hang``."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    chunks: tuple[bytes, ...] = ()
    hang: bool = False


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    value = {"type": f"/problems/{code}", "title": code, "status": status, "code": code, "detail": detail, **more}
    return Answer(value, status, {"Content-Type": "application/problem+json"})


class FakeArray:
    """``answers`` maps "METHOD /path" (without query) to an Answer, a list of them (one per request, the last one
    stays), or a function of the request."""

    def __init__(self, answers: dict[str, Any] | None = None, node: str = "a") -> None:
        self.answers = answers or {}
        self.node = node
        self.asked: list[Asked] = []
        self.over = threading.Event()

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        found = self.answers.get(f"{asked.method} {asked.path.partition('?')[0]}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(asked)
        if found is None:
            found = problem(404, "not-found", f"There is no {asked.path}.")
        return found if isinstance(found, Answer) else Answer(found)

    def lines(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    array: FakeArray

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        answer = self.array.answer(asked)
        if answer.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        self.send_header("Fa-Node", self.array.node)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self._body(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _do

    def _body(self, answer: Answer) -> None:
        if not answer.chunks:
            data = answer.value if isinstance(answer.value, bytes) else json.dumps(answer.value).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in answer.chunks:
            self.wfile.write(chunk)
            self.wfile.flush()
        if answer.hang:
            self.array.over.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "test"


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what many of these tests are about."""


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


@contextlib.contextmanager
def _serving(array: FakeArray, make: Callable[[Any], _Server]) -> Iterator[_Server]:
    server = make(type("Handler", (_Handler,), {"array": array}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        array.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def on_socket(array: FakeArray, path: str) -> Iterator[str]:
    """Serve on the Unix socket ``path`` (short enough for the kernel)."""
    with _serving(array, lambda handler: _UnixServer(path, handler)):  # type: ignore[arg-type]
        yield path
    Path(path).unlink()


@contextlib.contextmanager
def on_tls(array: FakeArray, authority: Authority) -> Iterator[str]:
    """Serve on a loopback port with TLS; the address."""
    with _serving(array, lambda handler: _Server(("127.0.0.1", 0), handler)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.bundle)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        yield f"https://127.0.0.1:{server.server_address[1]}"


@dataclass
class Authority:
    """A certificate for 127.0.0.1 that signs itself: `cafile` to trust it, `bundle` to serve with it."""

    cafile: str
    bundle: str

    @classmethod
    def make(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fa test")])
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start.replace(year=2120))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        public = made.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "ca.pem").write_bytes(public)
        (folder / "bundle.pem").write_bytes(private + public)
        return cls(str(folder / "ca.pem"), str(folder / "bundle.pem"))


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{sock.getsockname()[1]}"
