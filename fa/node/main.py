"""`fa run`: one node in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from fa.node.node import Node, NodeStopped
from fa.node.settings import Settings, StateDir, load

log = logging.getLogger(__name__)

EXIT_STORE = 70  # EX_SOFTWARE: the disk of the store failed, nothing may be written any more (SAFETY.md scenario 8)
SWITCH_SECONDS = 0.002  # Python's own 5 ms let a thread wait long; with 0.5 ms a task cost a tenth more, in switches
THREADS = 64  # made when needed; Python's own few would soon all wait for one volume that hangs
GARBAGE_AFTER = (20_000, 20, 20)  # objects, and young collections; Python's own 700 look through all of them too often


def run(place: StateDir) -> int:
    """Run the node of this state directory; the exit code of the process. Raises `FaError` when it cannot start."""
    settings = load(place)
    place.make()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner() as runner:
        return runner.run(_run(place, settings))


async def _run(place: StateDir, settings: Settings) -> int:
    name = settings.node.name
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "work"))
    node = await Node.start(place, settings)
    _leave_alone_what_stays()
    log.info("node %s listens on %s", name, settings.node.listen)
    notify("READY=1")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(node.run(), name="runtime")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        return _ended(running)
    notify("STOPPING=1")
    log.info("node %s stops", name)
    await node.take_leave()
    running.cancel()
    await node.stop()
    return _leave(0)


def _leave_alone_what_stays() -> None:
    """Modules, classes and routes live as long as the node: no collection of garbage looks at them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_AFTER)


def _ended(running: asyncio.Task[None]) -> int:
    """The core or a performer ended the node: leave at once, without touching the store again."""
    trouble = running.exception()
    log.critical("this node ends: %s", trouble, exc_info=None if isinstance(trouble, NodeStopped) else trouble)
    return _leave(EXIT_STORE)


def _leave(code: int) -> int:
    """At once: Python would wait, for ever, for its threads, of which one may wait for a volume that hangs."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    address = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", state, error)
