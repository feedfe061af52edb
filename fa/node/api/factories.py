"""`/v1/factories`: recipes and their versions. Bodies are TOML; JSON is taken and kept as TOML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fa.core.commands import RemoveFactory, SaveFactory
from fa.core.model import FactoryVersion, Group, NodeView, Role
from fa.core.recipe import Factory, Product, factory_to_dict, parse_factory, requirements
from fa.core.scheduling import PRIORITY_MAX, why_never
from fa.errors import Forbidden, Invalid, NotFound, TooLarge
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.body import decode_body
from fa.node.api.call import Answer, Call
from fa.node.api.problems import BadBody, PreconditionRequired
from fa.node.api.render import stamp
from fa.node.api.route import JSON, RECIPE, Route
from fa.node.toml import dump

TEST_SECONDS = 300.0
TEXT_BYTES_MAX = 64 << 10
DOTS_MAX = 200  # in a line: reading a key takes time and memory by the square of its parts
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"', re.ASCII)


def recipe_text(call: Call) -> str:
    """The TOML that was sent, or what was sent as JSON, as TOML; nothing that would take long to read."""
    if len(call.raw) > TEXT_BYTES_MAX:
        raise TooLarge(f"The text is larger than {TEXT_BYTES_MAX} bytes.", hint="Make several of it.")
    text = _as_toml(call)
    if any(line.count(".") > DOTS_MAX for line in text.splitlines()):
        raise BadBody([("", f"it has more than {DOTS_MAX} dots in one line")])
    return text


def _as_toml(call: Call) -> str:
    declared = call.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if declared == JSON or call.raw.lstrip()[:1] == b"{":
        try:
            return dump(decode_body(call.raw, dict[str, Any]))
        except TypeError as error:
            raise BadBody([("", f"it cannot be kept as TOML: {error}")]) from None
        except RecursionError:
            raise BadBody([("", "it is nested too deeply")]) from None
    try:
        return call.raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadBody([("", "it is not UTF-8 text")]) from None


async def listing(call: Call) -> Answer:
    rows = await call.gateway.readers.factories()
    return Answer(s.Page[s.FactoryBrief]([_brief(row) for row in rows], seq=call.gateway.hub.head))


async def show(call: Call) -> Answer:
    row = await call.gateway.readers.factory(call.names["name"], call.query.version)
    if row is None:
        version = f" version {call.query.version}" if call.query.version else ""
        raise NotFound(f"There is no factory {call.names['name'][:80]!r}{version}.", hint="`fa factories` lists them.")
    return _shown(call, row)


async def versions(call: Call) -> Answer:
    rows = await call.gateway.readers.versions(call.names["name"])
    if not rows:
        raise NotFound(f"There is no factory {call.names['name'][:80]!r}.", hint="`fa factories` lists them.")
    return Answer(s.Page[s.FactoryBrief]([_brief(row) for row in rows]))


async def apply(call: Call) -> Answer:
    """Add or change; the name is in the recipe."""
    return await _save(call, expected_version(call))


async def put(call: Call) -> Answer:
    """Add or change that one, saying which version was seen."""
    expected = expected_version(call)
    if expected is None:
        raise PreconditionRequired
    name = parse_factory(recipe_text(call)).name
    if name != call.names["name"]:
        raise Invalid(
            f"The recipe is of {name!r}, the address says {call.names['name'][:80]!r}.", hint="Make them one."
        )
    return await _save(call, expected)


async def _save(call: Call, expected: int | None) -> Answer:
    done = await call.ask(SaveFactory(recipe_text(call), call.at, call.who.name, expected))
    return _shown(call, done.value)


def expected_version(call: Call) -> int | None:
    """The version that the client saw: 0 = none, None = it did not say."""
    if call.headers.get("If-None-Match", "").strip() == "*":
        return 0
    said = call.headers.get("If-Match", "").strip()
    if not said or said == "*":
        return None
    match = _ETAG.fullmatch(said)
    return int(match[1]) if match else -1  # the tag of something else: no version is that


async def remove(call: Call) -> Answer:
    await call.ask(RemoveFactory(call.names["name"], call.at, call.who.name))
    return Answer({"removed": call.names["name"]})


async def validate(call: Call) -> Answer:
    recipe = parse_factory(recipe_text(call))
    views = [node.view for node in call.gateway.nodes()]
    return Answer(s.Validated(recipe.name, factory_to_dict(recipe), able(recipe, views), _warning(recipe, views)))


async def test(call: Call) -> Answer:
    """What a recipe has the site's own programs do is the business of who may make factories."""
    text = recipe_text(call)
    if any(product.exec for product in parse_factory(text).products) and not call.who.may(Role.ADMIN):
        why = f"Role {call.who.role} may not test a factory with exec products."
        raise Forbidden(why, hint=f"It needs role {Role.ADMIN}.")
    return Answer(s.Tested([dict(report) for report in await call.gateway.test_factory(text)]))


def able(recipe: Factory, views: Sequence[NodeView]) -> list[str]:
    """The nodes that could run it, or some of its products, as they are set up."""
    groups = [_group(recipe, product) for product in recipe.products]
    told = (view for view in views if view.slots)  # it has said what it can do
    priority = recipe.priority
    return sorted(view.name for view in told if any(why_never(group, view, priority) is None for group in groups))


def _group(recipe: Factory, product: Product) -> Group:
    return Group(0, recipe.name, product.slot, product.cost, tuple(sorted(requirements(recipe, product))))


def _warning(recipe: Factory, views: Sequence[NodeView]) -> str | None:
    """Each product may have a node of its own; of nodes that have not said what they can do nothing is claimed."""
    hopeless = _hopeless(recipe, views, PRIORITY_MAX)
    if hopeless:
        what = _named(recipe, hopeless)
        return f"No node of the array can run {what}: its jobs would wait for ever. `fa why` says what lacks."
    kept_from = _hopeless(recipe, views, recipe.priority)
    if kept_from:
        what = f"{_named(recipe, kept_from)} at priority {recipe.priority}"
        return f"No node of the array can run {what}: its slots are kept for more urgent work."
    return None


def _hopeless(recipe: Factory, views: Sequence[NodeView], priority: int) -> list[str]:
    """The products that no node could run with that priority."""
    groups = [(product.name, _group(recipe, product)) for product in recipe.products]
    return [name for name, group in groups if all(why_never(group, view, priority) for view in views)]


def _named(recipe: Factory, products: Sequence[str]) -> str:
    return f"product{'s' * (len(products) > 1)} {', '.join(products)} of {recipe.name}"


def _brief(row: FactoryVersion) -> s.FactoryBrief:
    return s.FactoryBrief(row.name, row.version, stamp(row.created_at), row.created_by)


def _shown(call: Call, row: FactoryVersion) -> Answer:
    recipe = parse_factory(row.text)
    views = [node.view for node in call.gateway.nodes()]
    shape = s.FactoryShape(
        name=row.name,
        version=row.version,
        created_at=stamp(row.created_at),
        created_by=row.created_by,
        text=row.text,
        recipe=factory_to_dict(recipe),
        nodes=able(recipe, views),
        warning=_warning(recipe, views),
    )
    return Answer(shape, headers={"ETag": f'"{row.version}"'})


ROUTES = (
    Route("GET", "/v1/factories", Role.VIEWER, "List factories", listing, s.Page[s.FactoryBrief]),
    Route(
        "POST", "/v1/factories", Role.ADMIN, "Add a factory or a version of one", apply, s.FactoryShape,
        body=str, media=RECIPE,
    ),
    Route(
        "POST", "/v1/factories:validate", Role.VIEWER, "Check a recipe without keeping it", validate, s.Validated,
        body=str, media=RECIPE,
    ),
    Route(
        "POST", "/v1/factories:test", Role.OPERATOR, "Run two seconds of a synthetic source through every product",
        test, s.Tested, body=str, media=RECIPE, patience_seconds=TEST_SECONDS,
    ),
    Route(
        "GET", "/v1/factories/{name}", Role.VIEWER, "Show a factory, or one version of it", show, s.FactoryShape,
        query=g.VersionQuery,
    ),
    Route("GET", "/v1/factories/{name}/versions", Role.VIEWER, "List its versions", versions, s.Page[s.FactoryBrief]),
    Route(
        "PUT", "/v1/factories/{name}", Role.ADMIN, "Replace what was read (If-Match), or add (If-None-Match: *)", put,
        s.FactoryShape, body=str, media=RECIPE,
    ),
    Route(
        "DELETE", "/v1/factories/{name}", Role.ADMIN, "Offer it no more; jobs keep the version they have", remove,
        dict[str, str],
    ),
)  # fmt: skip
