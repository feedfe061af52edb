"""`/metrics` for Prometheus: the array as this node sees it, and what its API did. An own registry: nothing global."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from fa.node.gateway import Gateway

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
MIRROR_STATES = ("lock-step", "solo", "syncing", "stalled")
MONITOR_STATES = ("watching", "disconnected", "error")
NODE_STATES = ("up", "draining", "paused", "lost")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._registry = CollectorRegistry()
        self._jobs: Mapping[str, int] = {}
        self._requests = Counter(
            "fa_http_requests_total", "Requests answered.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "fa_http_request_seconds", "How long answers took.", ("route",), registry=self._registry, buckets=BUCKETS
        )
        self._registry.register(self)
        self._kept: dict[tuple[str, int], tuple[Counter, Histogram]] = {}  # looking them up costs more than counting

    def count(self, route: str, status: int, seconds: float) -> None:
        kept = self._kept.get((route, status))
        if kept is None:
            kept = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._kept[route, status] = kept
        kept[0].inc()
        kept[1].observe(seconds)

    def render(self, jobs: Mapping[str, int]) -> bytes:
        """The page; ``jobs`` are counts by state, empty where this node does not know them."""
        self._jobs = jobs
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry: the gauges, as they are now."""
        yield from self._array()
        yield from self._nodes()
        yield _family("fa_jobs", "Jobs by state.", ("state",), [((state,), n) for state, n in self._jobs.items()])
        volumes = [((v.name, v.node), float(v.state == "healthy")) for v in self._gateway.volumes()]
        yield _family("fa_volume_healthy", "1 where a volume answers.", ("volume", "node"), volumes)
        yield from self._monitors()

    def _array(self) -> Iterator[Metric]:
        now = self._gateway.standing()
        yield _family("fa_epoch", "The epoch of the view.", (), [((), now.epoch)])
        yield _family("fa_leading", "1 on the coordinator.", (), [((), float(now.leading))])
        yield _family("fa_mirror_txid", "Group commits in the store.", (), [((), now.txid)])
        yield _family("fa_mirror_lag_seconds", "How far the mirror is behind.", (), [((), now.lag_ms / 1000)])
        states = [((state,), float(state == now.mirror)) for state in MIRROR_STATES]
        yield _family("fa_mirror_state", "1 for the state of the mirror.", ("state",), states)

    def _nodes(self) -> Iterator[Metric]:
        nodes = self._gateway.nodes()
        states = [((n.view.name, state), float(n.state == state)) for n in nodes for state in NODE_STATES]
        yield _family("fa_node_state", "1 for the state of a node.", ("node", "state"), states)
        total = [((n.view.name, kind), slots) for n in nodes for kind, slots in n.view.slots]
        yield _family("fa_slots", "Slots of a node.", ("node", "class"), total)
        used = [
            ((n.view.name, kind), sum(cost for name, cost, _ in n.view.used if name == kind))
            for n in nodes
            for kind, _ in n.view.slots
        ]
        yield _family("fa_slots_used", "Slots of a node that are taken.", ("node", "class"), used)

    def _monitors(self) -> Iterator[Metric]:
        watches = sorted(self._gateway.watches().items())
        states = [((name, state), float(told.state == state)) for name, told in watches for state in MONITOR_STATES]
        yield _family("fa_monitor_state", "1 for the state of a monitor.", ("monitor", "state"), states)
        files = [
            ((name, what), number)
            for name, told in watches
            for what, number in (("seen", told.seen), ("settling", told.settling), ("refused", told.refused))
        ]
        yield _family("fa_monitor_files", "Files in a watch folder now.", ("monitor", "what"), files)
        took = [((name,), told.scan_ms / 1000) for name, told in watches]
        yield _family("fa_monitor_scan_seconds", "How long the last look took.", ("monitor",), took)


def _family(
    name: str, text: str, labels: tuple[str, ...], samples: Sequence[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family
