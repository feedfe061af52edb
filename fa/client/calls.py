"""Every request that fa's own tools send, as values: one vocabulary for the plain and the asynchronous client.

The names follow the words of the command line; a test holds that each has its route on the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

PAGE_MAX = 500  # items a page, the server's limit
BATCH_MAX = 1000  # jobs in one request, the server's limit
JOB_ACTIONS = ("cancel", "retry", "hold", "release")
NODE_ACTIONS = ("pause", "resume", "drain")
SAFE_METHODS = ("GET", "HEAD")


_NONE: Mapping[str, str] = MappingProxyType({})


class Call(NamedTuple):
    """One request. ``body`` is sent as JSON, ``text`` as it is with its ``media`` type; ``route`` is the template.
    ``once``: doing it twice is not the same, so it is not sent again when it may have been done."""

    method: str
    route: str
    names: Mapping[str, str] = _NONE
    query: Mapping[str, str] = _NONE
    body: Any = None
    text: str | None = None
    media: str = "application/json"
    headers: Mapping[str, str] = _NONE
    once: bool = False

    @property
    def target(self) -> str:
        """Path and query, percent-encoded; a name can never become another path."""
        path = self.route
        for name, value in self.names.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="", errors="surrogateescape"))
        query = urlencode(self.query, errors="surrogateescape") if self.query else ""
        return f"{path}?{query}" if query else path

    @property
    def writes(self) -> bool:
        return self.method not in SAFE_METHODS


def _get(route: str, names: Mapping[str, str] | None = None, **query: Any) -> Call:
    return Call("GET", route, names or {}, {key: str(value) for key, value in query.items() if value not in (None, "")})


def status() -> Call:
    return _get("/v1/status")


def list_jobs(q: str = "", limit: int | None = None, after: str = "", sort: str = "") -> Call:
    return _get("/v1/jobs", q=q, limit=limit, after=after, sort=sort)


def show_job(job: int | str) -> Call:
    return _get("/v1/jobs/{id}", {"id": str(job)})


def why(job: int | str) -> Call:
    return _get("/v1/jobs/{id}/why", {"id": str(job)})


def attempt_log(job: int | str, attempt: int, product: str = "", offset: int = 0, limit: int | None = None) -> Call:
    names = {"id": str(job), "n": str(attempt)}
    return _get("/v1/jobs/{id}/attempts/{n}/log", names, product=product, offset=offset or None, limit=limit)


def submit(job: Mapping[str, Any], key: str = "") -> Call:
    return Call("POST", "/v1/jobs", body=dict(job), headers={"Idempotency-Key": key} if key else {})


def submit_batch(jobs: Sequence[Mapping[str, Any]], key: str = "") -> Call:
    headers = {"Idempotency-Key": key} if key else {}
    return Call("POST", "/v1/jobs:batch", body={"jobs": [dict(job) for job in jobs]}, headers=headers)


def act_on_job(job: int | str, action: str) -> Call:
    assert action in JOB_ACTIONS, f"{action} is not something that is done to a job"
    return Call("POST", f"/v1/jobs/{{id}}/{action}", {"id": str(job)}, once=_once(action))


def act_on_jobs(jobs: Sequence[int], action: str) -> Call:
    """For up to `BATCH_MAX` jobs at once; each is answered for itself."""
    assert action in JOB_ACTIONS, f"{action} is not something that is done to a job"
    return Call("POST", f"/v1/jobs:{action}", body={"ids": list(jobs)}, once=_once(action))


def set_priority(job: int | str, priority: int | str) -> Call:
    return Call("PATCH", "/v1/jobs/{id}", {"id": str(job)}, body={"priority": priority})


def set_priorities(jobs: Sequence[int], priority: int | str) -> Call:
    """Of up to `BATCH_MAX` jobs at once; each is answered for itself."""
    return Call("POST", "/v1/jobs:priority", body={"ids": list(jobs), "priority": priority})


def select_jobs(q: str) -> Call:
    """All that match, as a fixed set with a name."""
    return Call("POST", "/v1/selections", body={"q": q})


def act_on_selection(selection: str, action: str, after: int = 0, without: Sequence[int] = ()) -> Call:
    """Of a set, from place ``after`` on; the answer says where to go on."""
    assert action in JOB_ACTIONS, f"{action} is not something that is done to a job"
    return Call("POST", f"/v1/jobs:{action}", body=_part(selection, after, without), once=_once(action))


def set_priority_of_selection(selection: str, priority: int | str, after: int = 0, without: Sequence[int] = ()) -> Call:
    return Call("POST", "/v1/jobs:priority", body={**_part(selection, after, without), "priority": priority})


def _once(action: str) -> bool:
    """Is a job not the same after it was done a second time? What was retried may have failed again in between."""
    return action == "retry"


def _part(selection: str, after: int, without: Sequence[int]) -> dict[str, Any]:
    return {"selection": selection, "after": after, "without": list(without)}


def list_nodes() -> Call:
    return _get("/v1/nodes")


def show_node(name: str) -> Call:
    return _get("/v1/nodes/{name}", {"name": name})


def act_on_node(name: str, action: str) -> Call:
    assert action in NODE_ACTIONS, f"{action} is not something that is done to a node"
    return Call("POST", f"/v1/nodes/{{name}}/{action}", {"name": name})


def remove_node(name: str) -> Call:
    return Call("DELETE", "/v1/nodes/{name}", {"name": name})


def list_factories() -> Call:
    return _get("/v1/factories")


def show_factory(name: str, version: int | None = None) -> Call:
    return _get("/v1/factories/{name}", {"name": name}, version=version)


def factory_versions(name: str) -> Call:
    return _get("/v1/factories/{name}/versions", {"name": name})


def remove_factory(name: str) -> Call:
    return Call("DELETE", "/v1/factories/{name}", {"name": name})


def _toml(method: str, route: str, text: str, names: Mapping[str, str] | None = None, etag: str = "") -> Call:
    headers = {"If-Match": etag} if etag else {}
    return Call(method, route, names or {}, text=text, media="application/toml", headers=headers)


def apply_factory(text: str) -> Call:
    return _toml("POST", "/v1/factories", text)


def validate_factory(text: str) -> Call:
    return _toml("POST", "/v1/factories:validate", text)


def test_factory(text: str) -> Call:
    return _toml("POST", "/v1/factories:test", text)


test_factory.__test__ = False  # type: ignore[attr-defined]  # pytest: this is a word of the product, not a test


def list_monitors() -> Call:
    return _get("/v1/monitors")


def show_monitor(name: str) -> Call:
    return _get("/v1/monitors/{name}", {"name": name})


def apply_monitor(text: str) -> Call:
    return _toml("POST", "/v1/monitors", text)


def test_monitor(text: str) -> Call:
    return _toml("POST", "/v1/monitors:test", text)


test_monitor.__test__ = False  # type: ignore[attr-defined]  # pytest: as above


def remove_monitor(name: str) -> Call:
    return Call("DELETE", "/v1/monitors/{name}", {"name": name})


def act_on_monitor(name: str, action: str) -> Call:
    assert action in ("enable", "disable"), f"{action} is not something that is done to a monitor"
    return Call("POST", f"/v1/monitors/{{name}}/{action}", {"name": name})


def mirror() -> Call:
    return _get("/v1/mirror")


def mirror_history() -> Call:
    return _get("/v1/mirror/history")


def switchover(node: str) -> Call:
    return Call("POST", "/v1/mirror/switchover", body={"node": node}, once=True)


def verify_mirror(node: str = "") -> Call:
    return Call("POST", "/v1/mirror/verify", query={"node": node} if node else {})


def force_report() -> Call:
    return _get("/v1/force")


def force(array: str) -> Call:
    return Call("POST", "/v1/force", body={"array": array}, once=True)


def list_events(limit: int | None = None, after: str = "", since: str = "", subject: str = "") -> Call:
    return _get("/v1/events", limit=limit, after=after, since=since, subject=subject)


def list_alerts(all: bool = False) -> Call:
    return _get("/v1/alerts", all="true" if all else "")


def ack_alert(alert: int | str) -> Call:
    return Call("POST", "/v1/alerts/{id}/ack", {"id": str(alert)})


def list_volumes() -> Call:
    return _get("/v1/volumes")


def renew_vote(name: str) -> Call:
    return Call("POST", "/v1/volumes/{name}/vote", {"name": name}, once=True)


def volume_files(name: str, path: str = "", limit: int | None = None, after: str = "") -> Call:
    return _get("/v1/volumes/{name}/files", {"name": name}, path=path, limit=limit, after=after)


def create_token(role: str, ttl: float | None = None, label: str = "") -> Call:
    body = {"role": role, "ttl": ttl, "label": label}
    given = {key: value for key, value in body.items() if value not in (None, "")}
    return Call("POST", "/v1/tokens", body=given, once=True)


def list_tokens() -> Call:
    return _get("/v1/tokens")


def remove_token(token: str) -> Call:
    return Call("DELETE", "/v1/tokens/{id}", {"id": token})


def me() -> Call:
    return _get("/v1/me")
