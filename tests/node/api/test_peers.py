"""What nodes ask of the coordinator in their own name: their certificates say who they are, and nothing they write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fa.errors import FaError
from fa.node.authority import TlsFiles, host_of, peer_context
from fa.node.certificates import PATH as CERTIFICATE
from fa.node.certificates import Signed, Wanted
from fa.node.teller import PATH as TROUBLES
from fa.node.teller import Heard
from fa.node.upstairs import Upstairs
from tests.node.api.fake import ARRAY_ID, Site, member, site

SKEW = {"kind": "clock.skew", "subject": "node/b", "text": "9 s\x1b[31m"}


@dataclass
class Pair:
    """a leads; `as_b` asks it with the certificate of b."""

    a: Site
    b: Site
    as_b: Upstairs

    async def ask(self, path: str, body: Any, answer: type) -> Any:
        return await self.as_b.post("a", self.a.url, path, body, answer)

    async def alerts(self) -> list[tuple[str, str]]:
        return [(alert.kind, alert.subject) for alert in await self.a.node.readers.alerts()]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with site(tmp_path / "1") as a, site(tmp_path / "2", name="b") as b:
        a.node.members.append(member("b", b.url))
        yield Pair(a, b, Upstairs(ARRAY_ID, peer_context(TlsFiles(b.place.tls))))


async def test_a_node_tells_what_is_wrong_with_itself(pair: Pair) -> None:
    lies = [SKEW | {"subject": "node/a"}, SKEW | {"subject": "array"}, SKEW | {"kind": "node.lost"}]
    heard = await pair.ask(TROUBLES, {"troubles": [SKEW, *lies]}, Heard)
    assert await pair.alerts() == [("clock.skew", "node/b")] and heard.at > 1_600_000_000_000
    await pair.ask(TROUBLES, {"troubles": []}, Heard)
    assert await pair.alerts() == []


async def test_a_certificate_is_for_who_asks(pair: Pair) -> None:
    signed = await pair.ask(CERTIFICATE, Wanted("REQUEST"), Signed)
    assert signed.certificate == "a certificate for b: REQUEST"


async def test_who_does_not_lead_says_so(pair: Pair) -> None:
    from dataclasses import replace

    pair.a.node.now = replace(pair.a.node.now, coordinator="b")
    for path, body in ((TROUBLES, {"troubles": []}), (CERTIFICATE, Wanted("x"))):
        with pytest.raises(FaError):
            await pair.ask(path, body, msgspec.Raw)


@pytest.mark.parametrize("path", [TROUBLES, CERTIFICATE])
async def test_people_are_no_nodes(pair: Pair, path: str) -> None:
    assert (await pair.a.post(path, json={"troubles": []}))[0] == 403
    async with pair.a.remote.post(pair.a.url + path, json={}, headers=pair.a.bearer("admin")) as answer:
        assert answer.status == 403
    async with pair.a.remote.post(pair.a.url + path, json={}) as answer:
        assert answer.status == 401


async def test_a_node_that_was_removed_is_none(pair: Pair) -> None:
    pair.a.node.members.pop()
    with pytest.raises(FaError):
        await pair.ask(TROUBLES, {"troubles": []}, Heard)


async def test_who_had_the_name_before_is_none(pair: Pair) -> None:
    """b was removed, and another server joined under its name: the certificate of the first one is worth nothing."""
    pair.a.node.lives["b"] = "2"
    for headers in ({}, {"Fa-Who": "admin thief"}):
        as_b = {"ssl": peer_context(TlsFiles(pair.b.place.tls)), "server_hostname": host_of(ARRAY_ID, "a")}
        async with pair.b.remote.get(f"{pair.a.url}/v1/tokens", headers=headers, **as_b) as answer:
            assert answer.status == 401
    with pytest.raises(FaError):
        await pair.ask(CERTIFICATE, Wanted("REQUEST"), Signed)
    pair.a.node.lives["b"] = "1"
    await pair.ask(CERTIFICATE, Wanted("REQUEST"), Signed)
