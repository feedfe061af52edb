"""Who is there, what they run, and what becomes of the work of those that are not.

An attempt of a lost node goes back to the queue, and so does one whose volume is in trouble on its node and not on
others; unless its publish was granted: that is finished by any node that has the volume. Whoever renames first wins,
and both see the same file (SAFETY.md section 3, "publish")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fa.core import commands as c
from fa.core import work as w
from fa.core.crew import Crew, Effects
from fa.core.ledger import Outcome
from fa.core.losses import with_its_life, with_its_node
from fa.core.members import RESEND_AFTER, Member, is_older, proves_nothing, stray_run, trace, volumes_of
from fa.core.model import NodeMode, NodeRow
from fa.core.runs import Run
from fa.core.scheduling import may_rename
from fa.core.work import Key, Moment

About = tuple[str, str]  # kind and subject of an alert
Alarm = c.NodeCame | c.RaiseAlert | c.ClearAlert
PUBLISH_PATIENCE = 10.0  # seconds for a node to carry out a grant before others are asked as well
STUCK_AFTER = 300.0  # seconds after which people are told of a publish that does not end
ILL_PATIENCE = 5.0  # seconds that a volume may be in trouble before the attempts that need it are given to others
LOOKS = 6  # for lost nodes, in the time after which one is lost; a look that comes later than the next: we slept


class Attendance:
    """`paused`: no majority is reached, so who is silent here may be well and with it."""

    def __init__(self, crew: Crew, lost_after: float) -> None:
        self._crew = crew
        self._lost_after = lost_after
        self._every = lost_after / LOOKS
        self._look_at: float | None = None
        self._help_at: float | None = None  # when stranded work is looked at again
        self._giving: set[Key] = set()
        self._said: dict[About, Alarm] = {}  # what the store has not carried out yet
        self._unsaid: set[About] = set()  # of that, what it refused
        self.paused = False

    @property
    def deadline(self) -> float | None:
        times = [time for time in (self._look_at, self._help_at) if time is not None]
        return None if self.paused else min(times, default=None)

    def begin(self, now: Moment) -> None:
        """Everybody is believed to be there from now on, until silent for `lost_after`."""
        for member in self._crew.members:
            member.seen_at = now.mono
        for run in self._crew.runs.granted():
            node = self._crew.member(run.node)
            if node is not None and not node.stuck:
                node.stuck = None
        self._look_at = now.mono + self._every
        self._help_at = now.mono

    def known(self, row: NodeRow, now: Moment) -> Effects:
        """A node came, changed or went; with one that went goes what was wrong with it."""
        member = self._crew.member(row.name)
        self._crew.know(row, now)
        effects: Effects = []
        if row.removed_at is not None and member is not None:
            node = f"node/{row.name}"
            self._forget({about for about in self._said if about[1] == node or about[1].startswith(f"{node}/")})
            for volume in sorted(member.ill or ()):
                effects += self._say(c.ClearAlert("volume.ill", f"node/{row.name}/{volume}", now.wall))
        return effects

    def pause(self, paused: bool, now: Moment) -> None:
        self.paused = paused
        if not paused:
            self.begin(now)

    # --- what nodes say ---

    def beat(self, member: Member, beat: w.WorkBeat, now: Moment) -> Effects:
        if proves_nothing(beat, member, self._crew.since):
            return [self._seen(member)]
        effects = self._there_again(member, now) if member.lost or not member.known else []
        if member.boot != beat.boot:
            member.offer = None
        member.boot, member.beat, member.seen_at = beat.boot, beat.number, now.mono
        member.progress = beat.running
        effects.append(self._seen(member))
        return [*effects, *self._reconcile(member, beat, now), *self._drained(member, now)]

    def _seen(self, member: Member) -> w.Tell:
        return w.Tell(member.name, w.Seen(self._crew.epoch, member.offer.number if member.offer else -1))

    def _there_again(self, member: Member, now: Moment) -> Effects:
        member.lost, member.known, self._crew.wanted = False, True, True
        member.came_at, member.stuck = now.mono, False
        self._forget({("publish.stuck", f"node/{member.name}")})
        return self._say(c.NodeCame(member.name, now.wall))

    def _reconcile(self, member: Member, beat: w.WorkBeat, now: Moment) -> Effects:
        runs = self._crew.runs
        seen = trace(beat, runs.on(member.name), runs.ending_on(member.name), now.mono)
        self._crew.wanted = self._crew.wanted or seen.released
        for stray in seen.strays:
            runs.await_end(stray_run(member.name, beat.boot, stray))
        effects: Effects = []
        for run in seen.resend:
            effects += self.tell(run, now)
        for run in seen.unbegun:
            effects += self._blame(run, now)
        there = {running.key for running in beat.running}
        for run in runs.ending_on(member.name):
            if run.key in there:
                effects.append(w.Tell(member.name, w.Stop(*run.key, "it does not count any more")))
            else:
                self.ended(member.name, run.key)
        return effects + self._give_away(seen.vanished, with_its_life(member.name), now)

    def tell(self, run: Run, now: Moment) -> Effects:
        """Its order, or its grant once it is granted, to its own node."""
        run.told_at = now.mono
        run.told += 1
        if run.granted:
            return [grant_to(run, run.node)]
        assert run.order is not None, "an attempt of an earlier coordinator is seen, or vanished"
        return [w.Tell(run.node, replace(run.order, epoch=self._crew.epoch))]

    def ended(self, node: str, key: Key) -> None:
        """The process of an attempt that does not count is gone: its slots are open."""
        self._crew.wanted = self._crew.runs.ended(node, key) or self._crew.wanted

    def _drained(self, member: Member, now: Moment) -> Effects:
        busy = self._crew.runs.on(member.name) or self._crew.runs.ending_on(member.name)
        if member.mode is not NodeMode.DRAINING or member.drained or busy:
            return []
        member.drained = True

        def again(done: w.Carried, _: Moment) -> Effects:
            member.drained = isinstance(done.result, Outcome)
            return []

        return self._crew.commit(c.NoteDrained(member.name, now.wall), again)

    def offered(self, member: Member, offer: w.Offer, now: Moment) -> Effects:
        if is_older(offer, member):
            return []
        member.offer, self._crew.wanted = offer, True
        ill = {volume: why for word, why in reversed(offer.view.unhealthy) for volume in volumes_of([word])}
        before = volumes_of(offer.view.offers) if member.ill is None else sorted(member.ill)
        known, member.ill = member.ill or {}, ill
        full = {volume.name for volume in offer.volumes if volume.state == "full"}  # what runs there may still end well
        words = [word for word, _ in offer.view.unhealthy if not full.intersection(volumes_of([word]))]
        member.ill_since = {word: member.ill_since.get(word, now.mono) for word in words}
        if ill and self._help_at is None:
            self._help_at = now.mono + RESEND_AFTER
        effects: Effects = []
        for volume in before:
            if volume not in ill:
                effects += self._say(c.ClearAlert("volume.ill", f"node/{member.name}/{volume}", now.wall))
        for volume in sorted(ill.keys() - known.keys()):
            text = f"volume {volume} on {member.name} is {ill[volume]}"
            effects += self._say(c.RaiseAlert("volume.ill", f"node/{member.name}/{volume}", text, now.wall))
        return effects

    # --- time ---

    def tick(self, now: Moment) -> Effects:
        if self.paused:
            return []
        effects: Effects = []
        if self._look_at is not None and now.mono >= self._look_at:
            effects += self._look(now, late=now.mono - self._look_at)
        if self._help_at is not None and now.mono >= self._help_at:
            effects += self._help(now)
        return effects

    def _look(self, now: Moment, late: float) -> Effects:
        """Time in which this process slept says nothing about others: what they said meanwhile waits to be read."""
        effects: Effects = []
        self._look_at = now.mono + self._every
        effects += self._say_again()
        for member in self._crew.members:
            if late > self._every:
                member.seen_at = min(now.mono, member.seen_at + late)
            elif not member.lost and now.mono >= member.seen_at + self._lost_after:
                effects += self._lose(member, now)
        return effects

    def _lose(self, member: Member, now: Moment) -> Effects:
        member.lost, member.progress = True, ()
        self._help_at = now.mono
        count = len(self._crew.runs.on(member.name))
        text = f"{member.name} was silent for {self._lost_after:g} s; {count} of its attempts are given to others"
        return self._say(c.RaiseAlert("node.lost", f"node/{member.name}", text, now.wall))

    # --- what people should know ---

    def _say(self, alarm: Alarm) -> Effects:
        """Said again when the store refuses it, as it does while it is full; unless there is newer news of it."""
        about = _about(alarm)
        self._said[about] = alarm
        self._unsaid.discard(about)

        def done(done: w.Carried, _: Moment) -> Effects:
            if self._said.get(about) is not alarm:
                return []
            if isinstance(done.result, Outcome):
                del self._said[about]
            else:
                self._unsaid.add(about)
            return []

        return self._crew.commit(alarm, done)

    def _say_again(self) -> Effects:
        effects: Effects = []
        for about in sorted(self._unsaid):
            effects += self._say(self._said[about])
        return effects

    def _forget(self, gone: set[About]) -> None:
        """What the store clears by itself."""
        self._unsaid -= gone
        for about in gone:
            self._said.pop(about, None)

    # --- work that its node does not end ---

    def _help(self, now: Moment) -> Effects:
        effects: Effects = []
        later, self._help_at = now.mono + RESEND_AFTER, None
        for run in self._crew.runs.granted():
            self._help_at = later
            if self._is_away(run.node) or now.mono >= run.granted_at + PUBLISH_PATIENCE:
                effects += self._ask_another(run)
        for member in self._crew.members:
            effects += self._tell_of_stuck(member, now)
        for node in self._crew.runs.nodes():
            if self._is_away(node):
                self._help_at = later
                effects += self._give_away(self._crew.runs.on(node), with_its_node(node), now)
        for member in self._crew.members:
            if member.ill_since and self._crew.runs.on(member.name):
                self._help_at = later
                effects += self._give_away_stuck(member, now)
        return effects

    def _tell_of_stuck(self, member: Member, now: Moment) -> Effects:
        """A publish whose node is gone, with a volume that no other has, cannot be settled: that node might come back
        and rename. So it waits for people."""
        granted = [run for run in self._crew.runs.on(member.name) if run.granted]
        stuck = [run for run in granted if now.mono >= max(run.granted_at, member.came_at) + STUCK_AFTER]
        if member.stuck or (granted and member.stuck is None):
            self._help_at = now.mono + RESEND_AFTER
        if stuck and not member.stuck:
            member.stuck = True
            return self._say(c.RaiseAlert("publish.stuck", f"node/{member.name}", _why_stuck(member, stuck), now.wall))
        if (member.stuck and not stuck) or (member.stuck is None and not granted):
            member.stuck = False
            return self._say(c.ClearAlert("publish.stuck", f"node/{member.name}", now.wall))
        return []

    def _give_away_stuck(self, member: Member, now: Moment) -> Effects:
        """What needs a volume that is in trouble there, and only there: another node could do it."""
        effects: Effects = []
        for run in () if member.lost else self._crew.runs.on(member.name):
            word = member.ill_for(run)
            if word and now.mono >= member.ill_since[word] + ILL_PATIENCE and self._crew.able_elsewhere(run):
                volume = word.partition(":")[2]
                effects += self._give_away([run], f"volume {volume} on {member.name} is in trouble", now)
        return effects

    def _is_away(self, node: str) -> bool:
        member = self._crew.member(node)
        return member is None or member.lost

    def look_after(self, run: Run, now: Moment) -> None:
        """A publish is under way, or an attempt was given to a node that may be gone meanwhile."""
        if self._is_away(run.node):
            self._help_at = now.mono
        elif self._help_at is None and (run.granted or self._is_ill(run)):
            self._help_at = now.mono + RESEND_AFTER

    def _is_ill(self, run: Run) -> bool:
        member = self._crew.member(run.node)
        return member is not None and member.ill_for(run) is not None

    def _ask_another(self, run: Run) -> Effects:
        """The able nodes in turn: one of them may hang on the volume."""
        assert run.output is not None, "only a granted publish is finished by others"
        volume = run.output.path.partition(":")[0]
        able = [view.name for view in self._crew.views() if may_rename(view, volume) and view.name != run.node]
        if not able:
            return []
        run.asked += 1
        return [grant_to(run, able[run.asked % len(able)])]

    def _blame(self, run: Run, now: Moment) -> Effects:
        """Its node says that it has room, and takes no order: as it is, everything sent there would be stuck."""
        if run.key in self._giving:
            return []
        self._giving.add(run.key)

        def done(_: w.Carried, at: Moment) -> Effects:
            self._giving.discard(run.key)
            return []

        text = f"{run.node} said that it has room and did not begin it"
        return self._crew.commit(c.FailAttempt(run.task, run.attempt, text, False, now.wall, True), done)

    def _give_away(self, runs: Iterable[Run], reason: str, now: Moment) -> Effects:
        keys = tuple(run.key for run in runs if not run.granted and run.key not in self._giving)
        if not keys:
            return []
        self._giving.update(keys)

        def done(_: w.Carried, at: Moment) -> Effects:
            self._giving.difference_update(keys)
            return []

        return self._crew.commit(c.GiveAway(keys, reason, now.wall), done)


def _why_stuck(member: Member, stuck: list[Run]) -> str:
    volumes = sorted({run.output.path.partition(":")[0] for run in stuck if run.output})
    why = "is lost" if member.lost else "does not end it"
    what = "1 granted output is" if len(stuck) == 1 else f"{len(stuck)} granted outputs are"
    return (
        f"{what} not published after {STUCK_AFTER / 60:g} minutes, the first of task {stuck[0].task}: "
        f"{member.name} {why}. That ends when {member.name} or another node has volume {', '.join(volumes)} again"
    )


def _about(alarm: Alarm) -> About:
    if isinstance(alarm, c.NodeCame):
        return "node.lost", f"node/{alarm.node}"
    return alarm.kind, alarm.subject


def grant_to(run: Run, node: str) -> w.Tell:
    assert run.output is not None, "only a committed grant is told"
    return w.Tell(node, w.Grant(run.task, run.attempt, run.part, run.output, run.replace, run.source, run.spare))
