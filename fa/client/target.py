"""Where the array is reached: a node's Unix socket, or the https addresses of several nodes with token and CA."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from fa.errors import Invalid, Unauthorized

DEFAULT_DIR = "/var/lib/fa"
SOCKET = "fa.sock"
SOCKET_PATH_BYTES = 100  # a little under the 108 of sockaddr_un
TOKEN_BYTES_MAX = 4096


class Target(NamedTuple):
    """One array. Either ``socket`` or ``urls`` is set; ``token`` never shows in a repr."""

    socket: str = ""
    urls: tuple[str, ...] = ()
    token: str = ""
    cafile: str = ""

    def __repr__(self) -> str:
        return f"Target({self.socket or self.urls!r})"

    @property
    def doors(self) -> int:
        return len(self.urls) or 1

    def door(self, number: int) -> str:
        """What to call the address in a message."""
        return self.urls[number % len(self.urls)] if self.urls else self.socket


def resolve(
    env: Mapping[str, str],
    *,
    dir: str | None = None,
    addr: str | None = None,
    token_file: str | None = None,
    cacert: str | None = None,
) -> Target:
    """The array that flags, then environment (`FA_ADDR`, `FA_TOKEN_FILE`, `FA_CACERT`, `FA_DIR`), then the default
    name. ``--dir`` wins over ``FA_ADDR``. Raises `Invalid` for an address that cannot be, `Unauthorized` for a token
    file that cannot be read."""
    if addr is None and dir is None:
        addr = env.get("FA_ADDR") or None
    if addr is None:
        return Target(socket=str(Path(dir or env.get("FA_DIR") or DEFAULT_DIR) / SOCKET))
    urls = tuple(_address(part.strip()) for part in addr.split(",") if part.strip())
    if not urls:
        raise Invalid("No address was given.", hint="Write --addr https://HOST:PORT[,https://HOST:PORT…].")
    token_file = token_file or env.get("FA_TOKEN_FILE") or ""
    cafile = cacert or env.get("FA_CACERT") or ""
    if cafile and not Path(cafile).is_file():
        raise Invalid(f"There is no CA file {cafile}.", hint="Copy tls/ca.pem from the state directory of a node.")
    return Target(urls=urls, token=read_token(token_file) if token_file else "", cafile=cafile)


def read_token(path: str) -> str:
    """The token in a file (its only line). Raises `Unauthorized`."""
    try:
        with Path(path).open("rb") as file:
            token = file.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unauthorized(f"The token file {path} cannot be read: {error}.", hint="See --token-file.") from None
    if not token or len(token.split()) != 1:
        raise Unauthorized(f"The token file {path} does not hold one token.", hint="See `fa token create`.")
    return token


def _address(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme != "https" or not parts.hostname or _port(parts) is None or parts.path not in ("", "/"):
        raise Invalid(f"{text!r} is not an address of a node.", hint="Write https://HOST:PORT; nodes speak TLS only.")
    return f"https://{parts.netloc}"


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


@contextlib.contextmanager
def short_path(path: str) -> Iterator[str]:
    """A name for the socket ``path`` that fits into a socket address while the context lasts: deep state directories
    do not, and the kernel then refuses the connection."""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        yield path
        return
    folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{Path(path).name}"
    finally:
        os.close(folder)
