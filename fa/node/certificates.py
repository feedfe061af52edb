"""The certificate of this node: renewed by the coordinator at two thirds of its life, without a restart (SECURITY.md
4.1); an alert when it nears its end all the same."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509

from fa.core.alarms import Trouble
from fa.errors import FaError
from fa.node.authority import TlsFiles, check_renewed, date_trouble, make_request, renewal_due, write_file
from fa.node.troubles import TroubleBook

log = logging.getLogger(__name__)

PATH = "/v1/peer/certificate"
LOOK_EVERY = 3600.0  # seconds
RETRY_EVERY = 60.0  # while it is due and nobody has signed it
NEAR = timedelta(days=30)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`request`: certificate request (PEM). For whom it is, the certificate of the connection says."""

    request: str


class Signed(msgspec.Struct, frozen=True):
    certificate: str


class Certificates:
    """`sign` has a request (PEM) signed by whoever leads; `contexts`: who shows the certificate from then on."""

    def __init__(
        self,
        files: TlsFiles,
        contexts: Callable[[], Iterable[ssl.SSLContext]],
        sign: Callable[[str], Awaitable[str]],
        book: TroubleBook,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._files = files
        self._contexts = contexts
        self._sign = sign
        self._book = book
        self._now = now

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            done = await self.look()
            await asyncio.sleep(LOOK_EVERY if done else RETRY_EVERY)

    async def look(self) -> bool:
        """Renew the certificate if that is due; False when that failed."""
        done = True
        if renewal_due(self._files.node.read_bytes(), self._now()):
            done = await self._renew()
        self._book.stands("certificate", ending(self._book.scope, self._files.node.read_bytes(), self._now()))
        return done

    async def _renew(self) -> bool:
        try:
            certificate = await self._sign(make_request(self._files).decode())
            check_renewed(self._files, certificate.encode())
        except FaError as error:
            log.warning("the certificate of this node could not be renewed yet: %s", error)
            return False
        write_file(self._files.node, certificate.encode(), 0o644)
        for context in self._contexts():
            context.load_cert_chain(self._files.node, self._files.node_key)
        log.info("the certificate of this node was renewed")
        return True


def ending(scope: str, certificate_pem: bytes, now: datetime) -> list[Trouble]:
    """A sentence when the certificate nears its end, or its dates do not fit the clock."""
    end = x509.load_pem_x509_certificate(certificate_pem).not_valid_after_utc
    text = date_trouble(certificate_pem, now)
    if not text and end - now < NEAR:
        text = f"the certificate of this node ends {end:%Y-%m-%d} and was not renewed: is there a coordinator?"
    return [Trouble("certificate.ending", scope, text)] if text else []
