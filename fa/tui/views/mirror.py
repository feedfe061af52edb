"""Screen 6: the copies of the job store: who leads, who follows in lock-step, how far behind, what a commit costs, and
who led before."""

from __future__ import annotations

from collections.abc import Sequence

from fa.tui.graph import percentile, spark
from fa.tui.host import listed
from fa.tui.line import Line, Span, beside, crop, line, say
from fa.tui.look import COPIES, MIRROR, badge_of
from fa.tui.mirror import Copy, Mirror, TakeOver
from fa.tui.panel import facts, frame, panel
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.times import age, parse
from fa.tui.views.lists import ListView

COPY_ROWS, SPARK_ROWS = 6, 3


class MirrorView(ListView[TakeOver]):
    name, title = "mirror", "Mirror"
    needs = ("history", "mirror", "status", "nodes")
    empty = "no take-over yet"

    def rows(self) -> Sequence[TakeOver]:
        return self.host.world.history

    def key_of(self, row: TakeOver) -> tuple[int, str | int]:
        return row.epoch, row.at

    def columns(self, scene: Scene) -> list[Column[TakeOver]]:
        return [
            text("WHEN", 11, lambda row: scene.clock.time(row.at), "dim"),
            text("EPOCH", 6, lambda row: row.epoch, right=True),
            text("KIND", 11, _kind),
            text("COORDINATOR", 16, _who, "title"),
            text("OUTAGE", 8, _outage, right=True),
            text("LED", 6, lambda row: self._led(row, scene), right=True, need=100),
            text("BY", 10, lambda row: row.by or "-", "dim", need=100),
            text("WHY", 10, lambda row: row.why or "-", grow=1),
        ]

    def _led(self, row: TakeOver, scene: Scene) -> str:
        """For how long, until the next one did or until now; coarse, so that a quiet screen stays quiet."""
        leads = row in self.rows()[:1]
        since, until = parse(row.at), parse(row.until) or (scene.clock.now if leads else None)
        return age((until - since).total_seconds()) if since and until else "-"

    def lines(self, scene: Scene) -> list[Line]:
        across, down = frame(scene.boxed)
        width, height = scene.size.width, scene.size.height
        copies, delays = COPY_ROWS + down, SPARK_ROWS + down
        rest = max(0, height - 1 - copies - delays)
        self._first_row = 1 + copies + delays + 2
        history = self.table(scene, width - across, rest - down)
        return [
            _headline(scene, width),
            *_copies(scene, width, copies),
            *panel("Commit delay", _delays(scene, width - across), width, delays, scene.boxed),
            *panel("Take-overs", history, width, rest, scene.boxed),
        ]


def _who(row: TakeOver) -> str:
    after = row.after or row.coordinator or "-"
    return f"{row.before} → {after}" if row.before and row.before != after else after


def _kind(row: TakeOver) -> str:
    """As the node says it; of one that does not, what follows from who led before."""
    if row.kind or not row.coordinator:
        return row.kind or "-"
    if not row.before:
        return "founded"
    return "restart" if row.before == row.coordinator else "moved"


def _outage(row: TakeOver) -> str:
    return "-" if row.outage_seconds is None else f"{row.outage_seconds:.1f} s"


def _state(scene: Scene) -> str:
    return scene.world.mirror.state or scene.world.status.mirror.state


def _headline(scene: Scene, width: int) -> Line:
    mirror, status = scene.world.mirror, scene.world.status
    meaning = {
        "lock-step": "losing either copy loses nothing",
        "solo": "one copy only: an acknowledged job could be lost with it",
        "syncing": "a copy is being brought up to date",
        "stalled": "no quorum or too few copies: nothing is acknowledged",
    }.get(_state(scene), "")
    text = line(Span(" "), badge_of(MIRROR, _state(scene)), Span("  "), say(mirror.why or meaning),
                say(f"   epoch {mirror.epoch or status.epoch}", "title"))  # fmt: skip
    return crop(text, width)


def _copies(scene: Scene, width: int, height: int) -> list[Line]:
    """The primary copy left, its mirrors right."""
    mirror, status = scene.world.mirror, scene.world.status
    leader = mirror.coordinator or status.coordinator
    left_room = (width - 1) // 2
    right_room = width - 1 - left_room
    copies = {copy.node: copy for copy in mirror.copies}
    left = facts(_primary(leader, mirror, status.mirror.txid))
    right = []
    for name in mirror.secondaries or status.secondaries:
        right += facts(_secondary(name, copies.get(name, Copy()), mirror, scene))
    if not right:
        right = [line(Span("no secondary now", "warn"))]
    return beside(
        panel(f"Primary  {leader or 'none'}", left, left_room, height, scene.boxed),
        panel("Secondary", right, right_room, height, scene.boxed),
        left_room,
    )


def _primary(leader: str | None, mirror: Mirror, txid: int) -> list[tuple[str, Line]]:
    per_second = "-" if mirror.commits_per_second is None else f"{mirror.commits_per_second:.1f}"
    return [
        ("leads", line(say(leader or "nobody now", "title" if leader else "fail"))),
        ("position", line(say(f"{mirror.txid or txid:,}"), say(f"  {mirror.checksum}", "dim"))),
        ("commits/s", line(say(per_second))),
        ("voters", line(say(listed(mirror.voters) or "-"))),
    ]


def _secondary(name: str, copy: Copy, mirror: Mirror, scene: Scene) -> list[tuple[str, Line]]:
    lag = copy.lag_ms or mirror.lag_ms or scene.world.status.mirror.lag_ms
    state = copy.state or ("in-sync" if name in scene.world.status.secondaries else "")
    rtt = "-" if copy.rtt_ms is None else f"{copy.rtt_ms:.1f} ms"
    return [
        (name, line(badge_of(COPIES, state) if state else say("-"))),
        ("position", line(say(f"{copy.txid or mirror.txid:,}"))),
        ("lag", line(say(f"{copy.lag_txids} commits, {lag:.1f} ms"))),
        ("round trip", line(say(rtt))),
    ]


def _delays(scene: Scene, room: int) -> list[Line]:
    delays = list(scene.world.delays)
    told = (
        f"now {delays[-1]:.1f} ms   p50 {percentile(delays, 0.5):.1f}   p99 {percentile(delays, 0.99):.1f}   "
        f"max {max(delays):.1f}   since this was opened, 10 min at most"
        if delays
        else "asking the array…"
    )
    return [line(Span(spark(delays[-room:], room), "run")), line(say(told, "dim"))]
