"""`/v1/tokens`: what opens the API, and what lets a node join. A secret is shown once, when it is made."""

from __future__ import annotations

from fa.core.commands import PutToken, RemoveToken
from fa.core.model import Role, Token
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.render import stamp_or_none, token_shape
from fa.node.api.route import Route
from fa.node.tokens import make_api_token, make_join_token

JOIN_SECONDS = 3600.0  # a token to join ends by itself, unless it was told how long to live


async def listing(call: Call) -> Answer:
    rows = await call.gateway.readers.tokens()
    return Answer(s.Page[s.TokenShape]([token_shape(row) for row in rows]))


async def create(call: Call) -> Answer:
    text, row = _make(call, call.body)
    await call.ask(PutToken(row, call.at, call.who.name))
    call.services.doorkeeper.forget()
    shape = s.NewToken(
        id=row.id,
        role=row.role.value,
        label=row.label,
        created_at=stamp_or_none(row.created_at) or "",
        expires_at=stamp_or_none(row.expires_at),
        uses_left=row.uses_left,
        token=text,
    )
    return Answer(shape, 201)


def _make(call: Call, wanted: g.CreateToken) -> tuple[str, Token]:
    joins = wanted.role == "node"
    seconds = wanted.ttl if wanted.ttl is not None else (JOIN_SECONDS if joins else None)
    expires_at = None if seconds is None else call.at + int(seconds * 1000)
    if joins:
        pin, array_id = call.services.authority.fingerprint, call.services.settings.array.id
        return make_join_token(array_id, pin, call.at, expires_at=expires_at, uses=wanted.uses, label=wanted.label)
    return make_api_token(Role(wanted.role), call.at, expires_at=expires_at, label=wanted.label)


async def remove(call: Call) -> Answer:
    await call.ask(RemoveToken(call.names["id"], call.at, call.who.name))
    call.services.doorkeeper.forget()
    return Answer({"removed": call.names["id"]})


ROUTES = (
    Route("GET", "/v1/tokens", Role.ADMIN, "List tokens, without their secrets", listing, s.Page[s.TokenShape]),
    Route(
        "POST", "/v1/tokens", Role.ADMIN, "Make a token; it is shown this once", create, s.NewToken, 201,
        body=g.CreateToken, repeatable=False,
    ),
    Route("DELETE", "/v1/tokens/{id}", Role.ADMIN, "Make a token worthless, at once", remove, dict[str, str]),
)  # fmt: skip
