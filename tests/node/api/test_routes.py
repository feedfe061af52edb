"""Every route with every role, from the table itself: a new route is in here without anybody thinking of it."""

from __future__ import annotations

import itertools
import re
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from fa.core.model import Role
from fa.node.api.auth import TRIES
from fa.node.api.route import Route, Router
from fa.node.api.routes import ROUTES
from fa.node.authority import Authority, TlsFiles, host_of, peer_context
from tests.node.api.fake import ARRAY_ID, Site, site

WHO = (None, *Role)
ENOUGH = {
    None: set(WHO),
    Role.VIEWER: {Role.VIEWER, Role.OPERATOR, Role.ADMIN},
    Role.OPERATOR: {Role.OPERATOR, Role.ADMIN},
    Role.ADMIN: {Role.ADMIN},
    Role.NODE: {Role.NODE},
}
ENDLESS = {"/v1/stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(tmp_path_factory.mktemp("routes")) as running:
        running.add_factory()
        yield running


async def ask(running: Site, route: Route, who: Role | None) -> int:
    """The status that somebody of that role gets; with no body, so that nothing is ever changed."""
    path = re.sub(r"\{\w+\}", "1", route.path)
    headers, more = {}, {}
    if who is Role.NODE:  # another node shows its certificate
        more = {"ssl": peer_context(TlsFiles(running.place.tls)), "server_hostname": host_of(ARRAY_ID, "a")}
    elif who is not None:
        headers = running.bearer(who)
    async with running.remote.request(route.method, running.url + path, headers=headers, **more) as answer:
        return answer.status


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("who", WHO, ids=str)
async def test_each_role_reaches_what_the_table_says_and_nothing_else(shared: Site, who: Role | None) -> None:
    for route in ROUTES:
        status = await ask(shared, route, who)
        allowed = who in ENOUGH[route.role] and not (route.at_the_machine and who is not None)
        refusal = 401 if who is None else 403
        assert (status != refusal) if allowed else (status == refusal), f"{route.name} as {who}: {status}"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_unix_socket_is_the_login(shared: Site) -> None:
    assert oct(shared.place.socket.stat().st_mode & 0o777) == "0o660"
    _, me = await shared.get("/v1/me")
    assert me["role"] == "admin" and me["name"].startswith("local:")
    assert "POST /v1/jobs" in me["actions"]
    assert not any("/v1/attempts/" in action for action in me["actions"])


@pytest.mark.asyncio(loop_scope="module")
async def test_every_reply_says_where_it_comes_from(shared: Site) -> None:
    for path in ("/v1/status", "/v1/jobs/404", "/nothing", "/healthz"):
        async with shared.local.get(f"http://fa{path}") as answer:
            assert (answer.headers["Fa-Node"], answer.headers["Fa-Epoch"]) == ("a", "7")
            assert answer.headers["Fa-Request-Id"] and answer.headers["Server"] == "fa"


def test_all_that_the_design_names_is_there() -> None:
    named = (
        "GET /v1/status,GET /v1/jobs,POST /v1/jobs,POST /v1/jobs:batch,GET /v1/jobs/{id},PATCH /v1/jobs/{id},"
        "POST /v1/jobs/{id}/cancel,POST /v1/jobs/{id}/retry,POST /v1/jobs/{id}/hold,POST /v1/jobs/{id}/release,"
        "GET /v1/jobs/{id}/why,GET /v1/jobs/{id}/attempts/{n}/log,GET /v1/nodes,POST /v1/nodes/{name}/pause,"
        "POST /v1/nodes/{name}/resume,POST /v1/nodes/{name}/drain,GET /v1/factories,GET /v1/mirror,GET /v1/events,"
        "GET /v1/stream,GET /v1/alerts,GET /v1/volumes,GET /openapi.json,GET /healthz,GET /readyz,GET /metrics"
    )
    assert set(named.split(",")) <= {route.name for route in ROUTES}


def test_only_health_and_joining_are_open_to_anybody() -> None:
    assert {route.path for route in ROUTES if route.role is None} == {
        "/healthz",
        "/readyz",
        "/problems/{code}",
        "/v1/ca",
        "/v1/join",
    }


def test_a_route_is_in_the_table_once() -> None:
    with pytest.raises(AssertionError, match="twice"):
        Router([ROUTES[0], ROUTES[0]])


def test_names_of_a_path_are_decoded_after_it_was_cut() -> None:
    router = Router(ROUTES)
    _, names = router.find("GET", "/v1/factories/a%2Fb%0a%FF")
    assert names == {"name": "a/b\n\udcff"}
    assert router.find("HEAD", "/v1/jobs")[0].name == "GET /v1/jobs"
    assert router.find("GET", "/v1/jobs/{id}")[1] == {"id": "{id}"}


def test_no_two_paths_can_mean_the_same() -> None:
    paths = {tuple(route.path.split("/")) for route in ROUTES}
    for one, other in itertools.combinations(sorted(paths), 2):
        same = len(one) == len(other) and all(a == b or "{" in a or "{" in b for a, b in zip(one, other, strict=True))
        assert not same, (one, other)


@pytest.mark.asyncio(loop_scope="module")
async def test_another_array_is_nobody(shared: Site, tmp_path: Path) -> None:
    async with site(tmp_path, authority=Authority.create("news", datetime.now(UTC))) as other:
        context = peer_context(TlsFiles(other.place.tls))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            async with shared.remote.get(f"{shared.url}/v1/status", ssl=context) as answer:
                await answer.read()


@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_tokens_are_refused_and_after_many_slowed_down(shared: Site) -> None:
    right = shared.token("viewer")
    used = [right[:-3], right[:-1] + ("A" if right[-1] != "A" else "B"), "x", shared.token("viewer", expires_at=1)]
    for text in used:
        async with shared.remote.get(f"{shared.url}/v1/me", headers={"Authorization": f"Bearer {text}"}) as answer:
            assert answer.status == 401, text
            assert (await answer.json())["code"] == "unauthorized"
    for _ in range(TRIES + 1):
        async with shared.remote.get(f"{shared.url}/v1/me", headers={"Authorization": "Bearer x"}) as answer:
            status = answer.status
    assert status == 429 and answer.headers["Retry-After"]
    async with shared.remote.get(f"{shared.url}/v1/me", headers={"Authorization": f"Bearer {right}"}) as answer:
        assert answer.status == 200, "who has a good token is not kept out by somebody who guesses"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_node_that_was_struck_off_speaks_for_nobody(shared: Site) -> None:
    more = {"ssl": peer_context(TlsFiles(shared.place.tls)), "server_hostname": host_of(ARRAY_ID, "a")}
    headers = {"Fa-Who": "admin local:root"}
    async with shared.remote.get(f"{shared.url}/v1/tokens", headers=headers, **more) as answer:
        assert answer.status == 200
    members, shared.node.members = shared.node.members, []
    try:
        async with shared.remote.get(f"{shared.url}/v1/tokens", headers=headers, **more) as answer:
            assert answer.status == 401
    finally:
        shared.node.members = members


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_node_says_is_believed_from_nodes_only(shared: Site) -> None:
    headers = {**shared.bearer("viewer"), "Fa-Who": "admin local:root"}
    async with shared.remote.get(f"{shared.url}/v1/tokens", headers=headers) as answer:
        assert answer.status == 403
