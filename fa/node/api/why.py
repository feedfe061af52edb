"""`/v1/jobs/{id}/why`: for every node, why a task is not running there; and whether any node ever could."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fa.core.lifecycle import FINAL, JobState, TaskState
from fa.core.model import Group, Job, NodeView, Role, Task
from fa.core.scheduling import Board, Reason, may_rename, still_blocked, why_never, why_not
from fa.errors import NotFound
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.jobs import job_id
from fa.node.api.render import stamp
from fa.node.api.route import Route


async def why(call: Call) -> Answer:
    row = await call.gateway.readers.job(job_id(call.names["id"]))
    if row is None:
        raise NotFound(f"There is no job {call.names['id'][:40]}.", hint="`fa jobs` lists them.")
    views = sorted((node.view for node in call.gateway.nodes()), key=lambda view: view.name)
    tasks = []
    for task in row.tasks:
        group = await call.gateway.readers.group(task.group)
        assert group is not None, "a task has its group"
        held_back = await _held_back(call, task, group, views)
        tasks.append(why_task(task, group, views, held_back, call.at))
    never = any(task.never for task in tasks)
    return Answer(s.WhyShape(row.job.id, row.job.state.value, sentence(row.job, tasks), never, tasks))


async def _held_back(call: Call, task: Task, group: Group, views: Sequence[NodeView]) -> frozenset[str]:
    """The nodes whose open slots wait for a larger task ahead of this one, as dispatch would find."""
    if task.state is not TaskState.QUEUED:
        return frozenset()
    readers, board, ahead = call.gateway.readers, Board(views), []
    for large, _ in await readers.waiting():
        head = await readers.head(large.id) if large.cost > 1 and large.slot_class == group.slot_class else None
        if head is not None and (-head.priority, head.id) < (-task.priority, task.id):
            ahead.append((-head.priority, head.id, large, head))
    for _, _, large, head in sorted(ahead, key=lambda each: each[:2]):
        board.place(large, head.priority, still_blocked(large, views, head.priority, head.blocked))
    return board.held_back(group.slot_class)


def why_task(
    task: Task, group: Group, views: Sequence[NodeView], held_back: Collection[str] = (), at: int = 0
) -> s.WhyTask:
    """What keeps one task; nodes are looked at only while it waits for one. `at`: the time (ms)."""
    nodes, never = [], False
    if task.state in (TaskState.QUEUED, TaskState.HELD):
        blocked = still_blocked(group, views, task.priority, task.blocked)
        nodes = [_node(why_not(group, view, task.priority, blocked, view.name in held_back), view) for view in views]
        never = all(why_never(group, view, task.priority) is not None for view in views)
    text = _task_sentence(task, nodes, never, at)
    if task.state is TaskState.PUBLISHING:
        text = _publisher(task, views)
    return s.WhyTask(task.product, task.state.value, text, never, nodes)


def _publisher(task: Task, views: Sequence[NodeView]) -> str:
    """Whoever has the volume may end it, once its own node does not."""
    volume = task.destination.partition(":")[0]
    own = next((view for view in views if view.name == task.node and view.up), None)
    if own and may_rename(own, volume):
        return f"runs on {task.node}"
    ill = dict(own.unhealthy).get(f"volume:{volume}") if own else None
    trouble = f"has no volume {volume}" + (f" ({ill})" if ill else "") if own else "is lost"
    others = [view.name for view in views if may_rename(view, volume)]
    if others:
        then = f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} asked to do it"
    else:
        then = f"no node that is there has volume {volume}"
    return f"{task.node} is to publish its output and {trouble}; {then}"


def _node(reason: Reason | None, view: NodeView) -> s.WhyNode:
    if reason is None:
        return s.WhyNode(view.name, None, "could start it as soon as it is its turn", True)
    return s.WhyNode(view.name, reason.why.value, reason.text, reason.passes)


def _task_sentence(task: Task, nodes: Sequence[s.WhyNode], never: bool, at: int) -> str:
    if task.state in FINAL:
        return f"is {task.state}" + (f": {task.error}" if task.error else "")
    if task.node and not nodes:
        return f"runs on {task.node}"
    if never:
        told = "; ".join(f"{node.node} {node.text}" for node in nodes) or "there is no node"
        return f"can never run as the array is set up: {told}"
    if task.state is TaskState.HELD:
        return "is held: release it to let it start" + (f" ({task.error})" if task.error else "")
    if task.deferred_until is not None and at < task.deferred_until:
        return f"is deferred until {stamp(task.deferred_until)}" + (f": {task.error}" if task.error else "")
    if any(node.why is None for node in nodes):
        return "starts as soon as it is its turn"
    told = "; ".join(f"{node.node} {node.text}" for node in nodes)
    return f"waits: {told}"


def sentence(job: Job, tasks: Sequence[s.WhyTask]) -> str:
    if job.state in (JobState.SUCCEEDED, JobState.CANCELLED):
        return f"Job {job.id} is {job.state}."
    return " ".join(_ended(f"{task.product} {task.text}") for task in tasks)


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


ROUTES = (Route("GET", "/v1/jobs/{id}/why", Role.VIEWER, "Say why a job is not running, per node", why, s.WhyShape),)
