"""One attempt on this node, from its order to a complete, verified, fsynced part.

What can be known without encoding is asked first: the volumes, the source, the destination. The source is opened
beneath its volume's root and handed to ffmpeg as an open descriptor, so what was checked is what is read, and nothing
here could write to it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fa.core.commands import Order
from fa.core.model import Cause, Output, Spare
from fa.core.places import Place, parse_place
from fa.core.recipe import parse_factory
from fa.core.recipe_values import Factory, Product
from fa.core.work import AttemptFailed, Encoded, Running
from fa.errors import FaError
from fa.node import parts, scratch
from fa.node.beneath import folder_beneath, let_go, open_beneath, split
from fa.node.failpoints import reached
from fa.node.mishap import NO_ROOM, Hopeless, NoRoom, NotFromHere, ScratchFull, failed, failed_by
from fa.node.probes import Probes
from fa.node.replacing import Destination, InTheWay, look, spared
from fa.node.shortage import PLENTY, Shortages, space_of
from fa.node.volumes import Volumes
from fa.replication.durable import sync_folder
from fa.transcode import classify
from fa.transcode.perform import EncodeFailure, EncodeRequest, EncodeResult, Report, perform
from fa.transcode.presets import presets
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

log = logging.getLogger(__name__)

_CRUMBS = 64 << 10  # bytes; where no more is free, an encode failed of that, whatever its tool said

Show = Callable[[Running], None]

_recipe = lru_cache(maxsize=64)(parse_factory)  # a factory is a value, and most attempts are of the same few


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every attempt on this node uses. `programs`: what exec products may start, by name."""

    volumes: Volumes
    tools: Tools
    sandbox: Sandbox
    logs: Path
    scratch: Path
    localise: bool
    programs: Mapping[str, str]
    probes: Probes = field(default_factory=Probes)
    shortages: Shortages = field(default_factory=Shortages)

    def log_of(self, task: int, attempt: int) -> Path:
        return self.logs / f"{task}-{attempt}.log"


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was looked at. `path` is what its child is given: of the open descriptor, or, without one, on its
    volume."""

    fd: int | None
    path: str
    bytes: int


async def carry_out(shop: Workshop, order: Order, show: Show) -> Encoded | AttemptFailed:
    """Encode; removes its part when it fails or is cancelled. Never raises but `CancelledError`."""
    part: Place | None = None
    source: Source | None = None
    try:
        recipe = _recipe(order.recipe)
        product = recipe.product(order.product)
        if product is None:
            raise Hopeless(f"Factory {order.factory} has no product {order.product}.")
        by_name = bool(product.exec) and not (recipe.localise or shop.localise)
        source = await _prepared(asyncio.to_thread(_prepare, shop, order, recipe, product, by_name))
        part = _part_for(order)
        try:
            return await _encode(shop, order, recipe, product, source, part, show)
        finally:
            if source.fd is not None:
                let_go(source.fd)
    except asyncio.CancelledError:
        await _clean(shop, part)
        raise
    except (FaError, OSError) as error:
        await _clean(shop, part)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            await _note_shortage(shop, order, error.errno == errno.EDQUOT)
        mishap = failed_by(order, error)
        return replace(mishap, error=_named(mishap.error, source, order))


async def _prepared(preparing: Coroutine[Any, Any, Source]) -> Source:
    """A thread cannot be cancelled: what it opens when nobody waits for it any more is let go."""
    thread = asyncio.create_task(preparing)
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        thread.add_done_callback(_let_go_of)
        raise


def _let_go_of(thread: asyncio.Task[Source]) -> None:
    if not thread.cancelled() and thread.exception() is None and (fd := thread.result().fd) is not None:
        let_go(fd)


async def _note_shortage(shop: Workshop, order: Order, quota: bool) -> None:
    try:
        root = shop.volumes.root(parse_place(order.destination).volume, room=False)
        shop.shortages.found(order.task, await asyncio.to_thread(space_of, root), quota)
    except (FaError, OSError) as error:
        log.warning("what is free for %s could not be seen: %s", order.destination, error)


def _named(sentence: str, source: Source | None, order: Order) -> str:
    """Children name the path that they were given; people know the file by its place."""
    return sentence.replace(source.path, order.source) if source else sentence


def _part_for(order: Order) -> Place:
    owner = parts.Owner(order.node, order.boot)
    return parts.new_part(parse_place(order.destination).volume, owner, order.job, order.product, order.attempt)


def _prepare(shop: Workshop, order: Order, recipe: Factory, product: Product, by_name: bool) -> Source:
    """Open the source, look at the destination, and make the folder for parts. Blocking. `by_name`: a site's tool gets
    the path as the volume has it."""
    volumes = shop.volumes
    source, final = parse_place(order.source), parse_place(order.destination)
    with volumes.pinned(source.volume, write=False) as source_root:
        opened = _open_source(source_root, source)
    assert opened.fd is not None, "what is opened has a descriptor"
    try:
        with volumes.pinned(final.volume) as root:
            destination = Destination(root, final, os.fstat(opened.fd))
            if final.covers(source):
                raise Hopeless(f"At {final} lies the source.", hint="Deliver to another place.")
            _check_room(shop, order, root)
            _prepare_destination(destination, recipe.replace, product, order.spare)
    except BaseException:
        os.close(opened.fd)
        raise
    if not by_name:
        return opened
    os.close(opened.fd)
    return Source(None, f"{volumes.root(source.volume, write=False)}/{source.path}", opened.bytes)


def _prepare_destination(destination: Destination, replace: bool, product: Product, spare: Spare | None) -> None:
    root, final = destination.root, destination.place
    folder, name = split(final.path)
    try:
        with folder_beneath(root, folder, make=True) as fd:
            _check_free(fd, name, destination, replace, product, spare)
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=fd) or os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                raise NotFromHere(f"{final.volume}:{folder or '.'} is read-only.", hint="Correct its permissions.")
    except (NotADirectoryError, FileExistsError):
        raise Hopeless(f"A file stands where {final} needs a folder.", hint="Move it away.") from None
    parts.make_part_folder(root)


def _check_room(shop: Workshop, order: Order, root: str) -> None:
    space = space_of(root)
    if shop.shortages.lasts(order.task, space):
        words = f"Its output found no room on volume {parse_place(order.destination).volume}, and there is no more now"
        raise NoRoom(f"{words}: {space.free // 1024} KiB.", hint="Make room there; it goes on by itself.")


def _check_free(
    fd: int, name: str, destination: Destination, replace: bool, product: Product, spare: Spare | None
) -> None:
    if look(fd, name) is None:
        return
    if not replace:
        what = f"{destination.place} exists already."
        raise Hopeless(what, hint="Remove it, or set replace = true in the factory.")
    try:
        standing = destination.check(fd, name)
        if standing is not None and product.preset:
            destination.check_kind(standing, folder=presets()[product.preset].kind == "ladder")
        if standing is not None and stat.S_ISREG(standing.st_mode) and spare and not spare.delivered:
            raise spared(destination.place, spare)
    except InTheWay as error:
        raise Hopeless(error.detail, hint=error.hint) from None


def _open_source(root: str, place: Place) -> Source:
    """Open for reading, beneath the root. Raises `Hopeless` for what can never be encoded, `NotFromHere` for what is
    not there: a file server's directories may be cached. Blocking."""
    try:
        fd = open_beneath(root, place.path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFromHere(f"The source {place} is not there.", hint="Put it there and retry the job.") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EXDEV):
            raise Hopeless(f"The source {place} is a link or lies behind one.", hint="Use its real path.") from None
        raise
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise Hopeless(f"The source {place} is not a file.", hint="Submit the files in a folder one by one.")
    if found.st_size == 0:
        os.close(fd)
        raise Hopeless(f"The source {place} is empty.", hint="Deliver it again and retry the job.")
    return Source(fd, f"/proc/self/fd/{fd}", found.st_size)


async def _encode(
    shop: Workshop, order: Order, recipe: Factory, product: Product, source: Source, part: Place, show: Show
) -> Encoded | AttemptFailed:
    root = shop.volumes.root(part.volume)
    local: Path | None = None
    try:
        path = source.path
        info = None
        if source.fd is not None and not product.exec:
            info = await shop.probes.of(source.fd, path, shop.tools, shop.sandbox)
        if recipe.localise or shop.localise:
            local = scratch.copy_for(shop.scratch, order)
            await _localise(source, local, order, recipe.stall_after, show)
            path = str(local)
        durable = _Durable()
        request = EncodeRequest(
            product,
            path,
            f"{root}/{part.path}",
            shop.log_of(order.task, order.attempt),
            shop.tools,
            shop.sandbox,
            stall_after=recipe.stall_after,
            programs=shop.programs,
            info=info,
            pass_fds=(source.fd,) if source.fd is not None and path == source.path else (),
            opened=True,
            finish=durable.make,
        )
        result = await perform(request, lambda report: show(_running(order, report)))
        durable.check()
        return await _conclude(order, result, part, source, shop)
    finally:
        if local:
            await asyncio.to_thread(local.unlink, missing_ok=True)


def _running(order: Order, report: Report) -> Running:
    return Running(
        order.task,
        order.attempt,
        "delivering" if report.what == "accept" else "flipping",
        min(1.0, max(0.0, report.progress)),
        report.fps or None,
        report.speed or None,
        report.eta,
    )


async def _conclude(
    order: Order, result: EncodeResult | EncodeFailure, part: Place, source: Source, shop: Workshop
) -> Encoded | AttemptFailed:
    if isinstance(result, EncodeFailure):
        return await _conclude_failure(order, result, part, source, shop)
    reached("part durable")
    made = Output(order.destination, result.digest.bytes, result.digest.sha256)
    return Encoded(order.task, order.attempt, str(part), made)


async def _conclude_failure(
    order: Order, failure: EncodeFailure, part: Place, source: Source, shop: Workshop
) -> AttemptFailed:
    sentence = _named(failure.sentence, source, order)
    full = await asyncio.to_thread(_found_no_room, shop.volumes.root(part.volume, room=False), failure)
    await _clean(shop, part)
    if full:
        await _note_shortage(shop, order, failure.code == classify.QUOTA)
        return failed(order, sentence, False, blame=False, cause=Cause.ROOM)
    return failed(order, sentence, failure.permanent, failure.code not in classify.SURROUNDED)


def _found_no_room(root: str, failure: EncodeFailure) -> bool:
    """While its part is there still. The words of a tool may be about another disk, such as that of its temporary
    files, and a tool may have none. Blocking."""
    space = space_of(root)
    full = failure.code == classify.NO_ROOM and space.free * PLENTY <= space.total
    return full or failure.code == classify.QUOTA or space.free <= min(_CRUMBS, space.total // 10)


class _Durable:
    """Makes a part durable in the thread that has read it. Its trouble is that of this destination, not of the encode:
    it is kept, and raised where the others of the kind are judged."""

    def __init__(self) -> None:
        self._trouble: OSError | None = None

    def make(self, path: Path) -> None:
        reached("part written")
        try:
            _make_durable(path)
        except OSError as error:
            self._trouble = error

    def check(self) -> None:
        if self._trouble is not None:
            raise self._trouble


def _make_durable(path: Path) -> None:
    """fsync everything of a part, so that what is granted survives a power cut."""
    if path.is_dir():
        for below in sorted(path.rglob("*")):
            if below.is_file():
                _sync_file(below)
            else:
                sync_folder(below)
        sync_folder(path)
    else:
        _sync_file(path)
    sync_folder(path.parent)


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


async def _localise(source: Source, local: Path, order: Order, stall_after: float, show: Show) -> None:
    """Copy the source to local scratch."""
    assert source.fd is not None, "what is copied is open"

    def tell(share: float) -> None:
        show(Running(order.task, order.attempt, "uploading", share))

    try:
        await scratch.copy(source.fd, source.bytes, local, stall_after, tell)
    except scratch.BecameShorter:
        raise Hopeless(f"The source {order.source} became shorter while it was copied.") from None
    except scratch.CopyStalled:
        words = f"For {stall_after:g} s no byte of {order.source} came while it was copied; the copy was ended."
        raise scratch.CopyStalled(words, hint="Look at its volume.") from None
    except OSError as error:
        if error.errno in NO_ROOM:
            raise ScratchFull(f"There is no room in {local.parent} for a copy of {order.source}.") from None
        raise


async def _clean(shop: Workshop, part: Place | None) -> None:
    """Remove what the attempt wrote. What cannot be removed now is swept later."""
    if part is None:
        return
    try:
        await asyncio.to_thread(discard, shop.volumes, part)
    except (FaError, OSError) as error:
        log.warning("the part %s could not be removed: %s; the sweep does it", part, error)


def discard(volumes: Volumes, part: Place) -> None:
    """Remove a part. Blocking."""
    with volumes.pinned(part.volume, room=False) as root:
        parts.remove_part(root, part.path)
