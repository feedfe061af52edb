"""Pages of lists: how long one may be, and links to the next, so that a user of curl never builds a URL."""

from __future__ import annotations

from yarl import URL

from fa.node.api.call import Call

LIMIT_MAX = 500  # a longer page is cut to this; `next` goes on


def links(call: Call, next_cursor: str | None, prev_cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288), relative to the host that was asked."""
    here = URL(str(call.request.rel_url), encoded=True)
    found = []
    for relation, name, other, cursor in (
        ("next", "after", "before", next_cursor),
        ("prev", "before", "after", prev_cursor),
    ):
        if cursor:
            url = here.without_query_params(other).update_query({name: cursor})
            found.append(f'<{url}>; rel="{relation}"')
    return {"Link": ", ".join(found)} if found else {}
