"""What clients send: queries and bodies. Unknown names are refused, so that a typo is not silently ignored.

`/openapi.json` is made from these types and those of `shapes`; the words below a class name are in there too."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fa.node.api.shapes import Time

Priority = Annotated[int, Meta(ge=0, le=100)] | Literal["low", "normal", "high", "urgent"]
JobId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a client sends: unknown names are refused, so that a typo is not silently ignored."""


class NoQuery(Given, frozen=True):
    """Nothing is asked after the question mark."""


class PageQuery(Given, frozen=True):
    """`limit` items (500 at most), after or before the cursor that a list gave as `next` or `prev`."""

    limit: Annotated[int, Meta(ge=1)] = 100
    after: str = ""
    before: str = ""


class JobsQuery(PageQuery, frozen=True):
    """`q` as in `fa jobs`: `state:run,fail factory:prores* pri:>=50 since:24h "free text"`. `sort` is `-submitted` (the
    newest first), `-priority` (as the queue has it), `-finished` (only what has ended), `factory` or `state`; each with
    or without the minus. There are no others: any page of these costs the same in a million jobs."""

    q: str = ""
    sort: str = ""


class FilesQuery(Given, frozen=True):
    """`path` of the folder, "" = the root of the volume; `limit` entries (500 at most), after the cursor `next`."""

    path: str = ""
    limit: Annotated[int, Meta(ge=1)] = 100
    after: str = ""


class EventsQuery(PageQuery, frozen=True):
    """Events since a time (RFC 3339), of one `subject` ("job/17"), of kinds like `node.*` (several with commas)."""

    since: str = ""
    subject: str = ""
    kind: str = ""


class AlertsQuery(Given, frozen=True):
    """`all` gives those that are over as well."""

    all: bool = False


class VersionQuery(Given, frozen=True):
    """One version; the newest without."""

    version: Annotated[int, Meta(ge=1)] | None = None


class LogQuery(Given, frozen=True):
    """`limit` bytes from `offset` (negative: from the end); `follow` goes on until the attempt is over."""

    product: str = ""
    offset: int = 0
    limit: Annotated[int, Meta(ge=0)] | None = None
    follow: bool = False


class StreamQuery(Given, frozen=True):
    """`topics` with commas (job,node,mirror,alert,event,progress); `since` an id that was seen."""

    topics: str = ""
    since: str = ""


class SubmitJob(Given, frozen=True):
    """`source` is `volume:path`. `defer_until` (a time) or `defer` (seconds) starts it later."""

    source: Annotated[str, Meta(min_length=1, max_length=8192)]
    factory: Annotated[str, Meta(min_length=1, max_length=64)]
    priority: Priority | None = None
    subject: Annotated[str, Meta(max_length=1024)] = ""
    description: Annotated[str, Meta(max_length=16384)] = ""
    defer_until: Time | None = None
    defer: Annotated[float, Meta(ge=0, le=3.2e8)] | None = None


class SubmitBatch(Given, frozen=True):
    """All of them or none."""

    jobs: Annotated[list[SubmitJob], Meta(min_length=1, max_length=1000)]


class PatchJob(Given, frozen=True):
    """A merge patch (RFC 7396): only the priority of a job can be changed."""

    priority: Priority


class Select(Given, frozen=True):
    """`q` as for the list of jobs; all of them without."""

    q: str = ""


class Chosen(Given, frozen=True, kw_only=True):
    """Either `ids` (1,000 at most) or a `selection`: then `without` these, from place `after` on (the `next` of the
    answer before)."""

    ids: Annotated[list[JobId], Meta(min_length=1, max_length=1000)] | None = None
    selection: Annotated[str, Meta(max_length=64)] = ""
    after: Annotated[int, Meta(ge=0)] = 0
    without: Annotated[list[JobId], Meta(max_length=1000)] = []


class ChosenPriority(Chosen, frozen=True, kw_only=True):
    """As for the other actions on several jobs, and the `priority` that they shall have."""

    priority: Priority


class SwitchTo(Given, frozen=True):
    """The node that shall lead; without, whoever ranks highest among the secondaries."""

    node: str = ""


class VerifyQuery(Given, frozen=True):
    """The node whose copy is looked at; without, all that hold a complete one."""

    node: str = ""


class Examine(Given, frozen=True):
    """Where the array stands: what every complete copy has."""

    txid: int
    checksum: str


class Force(Given, frozen=True):
    """The name of the array, written out by who has read the report."""

    array: Annotated[str, Meta(max_length=64)]


class CreateToken(Given, frozen=True):
    """`ttl` in seconds (without: until it is deleted; for nodes one hour). `uses` is for tokens of role node."""

    role: Literal["viewer", "operator", "admin", "node"]
    ttl: Annotated[float, Meta(gt=0, le=3.2e8)] | None = None
    label: Annotated[str, Meta(max_length=256)] = ""
    uses: Annotated[int, Meta(ge=1, le=1000)] = 1
