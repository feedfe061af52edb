"""What opens the door: tokens for the API, and tokens to join (SECURITY.md 4.1).

An API token is ``fa_<role>_<id>_<secret>``: the prefix lets logs and secret scanners see it for what it is. A join
token is ``FA1-<array>-<pin>-<id>-<secret>-<check>``: it pins the array's authority, so that who joins knows whom it
talks to before it says a secret; no letter in it can be taken for a digit, and two check characters catch a slip of
who types it. The store keeps SHA-256 of secrets only; they have 160 bits and more, so there is nothing to stretch.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32decode, b32encode
from dataclasses import dataclass
from hashlib import sha256

from fa.core.model import Role, Token
from fa.errors import Invalid

_JOIN = re.compile(r"FA1-([A-Z0-9]{8})-([A-Z2-7]{52})-([A-Z2-7]{8})-([A-Z2-7]{32})-([A-Z2-7]{2})", re.ASCII)
_API = re.compile(r"fa_(viewer|operator|admin)_([A-Z2-7]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as somebody showed it: which one it claims to be, and the secret that must prove it."""

    id: str
    secret: str
    pin: bytes = b""  # of a join token: SHA-256 of the authority's public key


def make_api_token(role: Role, at: int, *, expires_at: int | None = None, label: str = "") -> tuple[str, Token]:
    """A new token: the text, shown once, and the row for the store. Times are ms since 1970."""
    assert role is not Role.NODE, "a node joins with a join token"
    token, secret = _new_id(), secrets.token_urlsafe(32)
    row = Token(token, role, digest(secret), at, expires_at, None, label)
    return f"fa_{role}_{token}_{secret}", row


def make_join_token(
    array_id: str, pin: bytes, at: int, *, expires_at: int | None, uses: int = 1, label: str = ""
) -> tuple[str, Token]:
    """A new join token for ``uses`` nodes: the text, shown once, and the row for the store."""
    token, secret = _new_id(), b32encode(secrets.token_bytes(20)).decode()
    short = re.sub(r"[^A-Z0-9]", "", array_id.upper())[:8].ljust(8, "0")
    body = f"FA1-{short}-{b32encode(pin).decode().rstrip('=')}-{token}-{secret}"
    return f"{body}-{_check(body)}", Token(token, Role.NODE, digest(secret), at, expires_at, uses, label)


def read_join_token(text: str) -> Presented:
    """Take a join token apart; raises `Invalid` when it was not copied right."""
    match = _JOIN.fullmatch(text.strip().upper())
    if match is None or _check(match.group().rpartition("-")[0]) != match[5]:
        hint = "It begins with FA1- and is one line: copy it whole."
        raise Invalid("This is not a join token, or a character of it is wrong.", hint=hint)
    return Presented(match[3], match[4], b32decode(match[2] + "===="))


def read_api_token(text: str) -> Presented | None:
    match = _API.fullmatch(text)
    return Presented(match[2], match[3]) if match else None


def proves(token: Token, secret: str, at: int) -> bool:
    """Whether ``secret`` is the one of ``token``, which is neither expired nor used up. Takes the same time whether
    the first or the last character is wrong."""
    right = hmac.compare_digest(token.sha256, digest(secret))
    expired = token.expires_at is not None and token.expires_at <= at
    return right and not expired and token.uses_left != 0


def digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _new_id() -> str:
    return b32encode(secrets.token_bytes(5)).decode()


def _check(body: str) -> str:
    return b32encode(sha256(body.encode()).digest())[:2].decode()
