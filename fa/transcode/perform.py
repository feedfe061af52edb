"""One product, from a source path to a verified output path: the single entry that the node calls.

    request = EncodeRequest(product, source="/mnt/san/in/clip.mxf", output="/mnt/san/.fa/part/6f1c…", log_path=…, …)
    result = await perform(request, report)

``perform`` probes the source, decides and plans, runs one or two steps, and puts the output through the acceptance
check. It answers an ``EncodeResult`` or an ``EncodeFailure`` and raises neither for bad media nor for bad recipes;
cancelling the task ends the child's whole session first. The source is only read. What a failed or cancelled attempt
wrote stays at ``output``, for the caller to remove. The output of a ladder is a folder: publishing it is a rename all
the same.

Call it on the event loop of the node's main thread: children die with the thread that started them (see ``sandbox``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fa.core.recipe_values import Product
from fa.errors import FaError
from fa.transcode.accept import check_output, check_source
from fa.transcode.classify import CONTRADICTS, Verdict, classify, is_transient
from fa.transcode.digest import Digest, digest
from fa.transcode.errors import BadOutput, BadRecipe, BadSource, Transient
from fa.transcode.expect import Expected, expected_of
from fa.transcode.loudness import loudness_of
from fa.transcode.media import MediaInfo
from fa.transcode.plan import Step, encode_step, exec_step, measure_step
from fa.transcode.presets import presets
from fa.transcode.probe import file_size, probe
from fa.transcode.progress import Progress
from fa.transcode.runner import Outcome, run
from fa.transcode.sandbox import Limits, Sandbox
from fa.transcode.sound import Gain, Loudness, gain_for
from fa.transcode.target import Loud, Target, decide
from fa.transcode.tools import Tools

OUTPUT_BYTES_PER_SECOND = 500_000_000
"""No preset comes near 4 Gb/s; an output that does is endless."""

OUTPUT_BYTES_LEAST = 4 << 30

LIMITS = Limits()

CORRECTIONS = 4
LOUDNESS_CLOSE = 0.2
"""LU that a limited programme may be off its target (EBU R128 allows 0.5), and how often it is corrected."""


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Everything about one attempt. Paths are absolute; ``output`` is a name never used before, on the file system of
    the destination. ``programs`` are the tools that this node allows to exec products, by name. ``info`` saves the
    probe when the caller has it already, ``opened`` a look at a source that the caller has open. ``pass_fds`` are
    descriptors that the child inherits, for sources of the form ``/proc/self/fd/N``. ``finish`` is called with the
    accepted output, in the thread that has read it. ``stall_after`` is in seconds."""

    product: Product
    source: str
    output: str
    log_path: Path
    tools: Tools
    sandbox: Sandbox
    stall_after: float = 60.0
    limits: Limits = LIMITS
    programs: Mapping[str, str] = field(default_factory=dict)
    info: MediaInfo | None = None
    pass_fds: tuple[int, ...] = ()
    opened: bool = False
    finish: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How far it is: ``what`` is probe, measure, encode, exec, or accept once nothing encodes any more; ``progress``
    0..1 of the whole product; pictures per second, multiple of real time, and seconds left (None while unknown)."""

    what: str
    progress: float
    fps: float = 0.0
    speed: float = 0.0
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """An accepted output. ``info`` describes it (None for exec products and stills that say nothing), ``cpu`` is the
    processor time of its steps in seconds, ``loudness`` what the source was measured at."""

    digest: Digest
    info: MediaInfo | None
    cpu: float
    loudness: Loudness | None = None


@dataclass(frozen=True, slots=True)
class EncodeFailure:
    """Why there is no output. ``permanent``: another attempt would end alike. ``sentence`` holds ffmpeg's own words."""

    permanent: bool
    code: str
    sentence: str
    cpu: float = 0.0


async def perform(request: EncodeRequest, report: Callable[[Report], None]) -> EncodeResult | EncodeFailure:
    """Make the product. See the head of this module."""
    attempt = _Attempt(request, report)
    try:
        return await attempt.make()
    except _StepFailed as failed:
        return EncodeFailure(failed.verdict.permanent, failed.verdict.code, failed.verdict.sentence, attempt.cpu)
    except BadRecipe as error:
        return EncodeFailure(True, CONTRADICTS, str(error), attempt.cpu)
    except BadSource as error:
        return EncodeFailure(True, error.code, str(error), attempt.cpu)
    except FaError as error:
        return EncodeFailure(False, error.code, str(error), attempt.cpu)
    except OSError as error:
        return EncodeFailure(False, "surroundings", f"{error.strerror or error}. Look at the volumes.", attempt.cpu)


class _StepFailed(Exception):
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.sentence)
        self.verdict = verdict


class _Attempt:
    def __init__(self, request: EncodeRequest, report: Callable[[Report], None]) -> None:
        self._request = request
        self._report = report
        self.cpu = 0.0
        self.loudness: Loudness | None = None

    async def make(self) -> EncodeResult:
        self._report(Report("probe", 0.0))
        if self._request.product.exec:
            return await self._make_by_tool()
        request = self._request
        info = request.info or await probe(request.tools, request.sandbox, request.source, request.pass_fds)
        target = decide(request.product, presets()[request.product.preset], info)
        expected = expected_of(target, info)
        gain = Gain()
        if target.audio is not None and target.audio.loud is not None:
            gain = await self._level(target, info, target.audio.loud)
        outcome = await self._encode(target, info, gain)
        return await self._accept(target, expected, outcome)

    async def _level(self, target: Target, info: MediaInfo, wanted: Loud) -> Gain:
        """The gain that brings the programme to its loudness. What a limiter takes away is measured and made up for."""
        self.loudness = await self._measure(target, info, Gain())
        gain = gain_for(self.loudness, wanted)
        for _ in range(CORRECTIONS if gain.ceiling is not None else 0):
            missing = wanted.integrated - (await self._measure(target, info, gain)).integrated
            if abs(missing) <= LOUDNESS_CLOSE:
                break
            gain = gain.raised(missing)
        return gain

    async def _measure(self, target: Target, info: MediaInfo, gain: Gain) -> Loudness:
        step = measure_step(self._request.tools.ffmpeg, target, info, self._request.source, gain)
        outcome = await self._run(step, target.duration)
        measured = loudness_of(outcome.lines)
        if measured is None:
            raise BadOutput("The loudness could not be measured: ffmpeg printed no summary.")
        return measured

    async def _encode(self, target: Target, info: MediaInfo, gain: Gain) -> Outcome:
        request = self._request
        if target.preset.kind == "ladder":
            await asyncio.to_thread(Path(request.output).mkdir, exist_ok=True)
        step = encode_step(request.tools.ffmpeg, target, info, request.source, request.output, gain)
        return await self._run(step, target.duration)

    async def _accept(self, target: Target, expected: Expected, outcome: Outcome) -> EncodeResult:
        self._report(Report("accept", 1.0))
        request, output = self._request, Path(self._request.output)
        check_source(target, expected, outcome)
        made = await check_output(request.tools, request.sandbox, target, expected, outcome, output)
        return EncodeResult(await asyncio.to_thread(_finished, output, request.finish), made, self.cpu, self.loudness)

    async def _make_by_tool(self) -> EncodeResult:
        request = self._request
        name = request.product.exec[0]
        if name not in request.programs:
            raise Transient(f"This node does not allow the program {name}.", hint="Add it to the node's settings.")
        if not request.opened:
            await asyncio.to_thread(file_size, request.source)
        await self._run(exec_step(request.product.exec, request.programs[name], request.source, request.output), None)
        self._report(Report("accept", 1.0))
        made = await asyncio.to_thread(_written, Path(request.output), request.finish)
        return EncodeResult(made, None, self.cpu)

    async def _run(self, step: Step, duration: float | None) -> Outcome:
        request = self._request

        def on_progress(progress: Progress) -> None:
            done = step.start + step.share * progress.share_of(step.duration)
            self._report(Report(step.what, done, progress.fps, progress.speed, progress.eta(step.duration)))

        outcome = await run(
            step,
            log_path=request.log_path,
            sandbox=request.sandbox,
            limits=_bounded(request.limits, duration),
            stall_after=request.stall_after,
            on_progress=on_progress,
            pass_fds=request.pass_fds,
        )
        self.cpu += outcome.cpu
        if outcome.stalled or outcome.returncode or (outcome.errors and is_transient(" ".join(outcome.errors))):
            raise _StepFailed(
                classify(outcome.returncode, outcome.errors, outcome.lines, stalled=outcome.stalled, what=step.what)
            )
        return outcome


def _bounded(limits: Limits, duration: float | None) -> Limits:
    if duration is None:
        return limits
    most = OUTPUT_BYTES_LEAST + int(duration * OUTPUT_BYTES_PER_SECOND)
    return replace(limits, file_size=min(limits.file_size, most))


def _finished(output: Path, finish: Callable[[Path], None] | None) -> Digest:
    made = digest(output)
    if finish:
        finish(output)
    return made


def _written(output: Path, finish: Callable[[Path], None] | None) -> Digest:
    if not output.exists():
        raise BadOutput(
            "The tool ended well, but wrote no output.", hint="It must write to the path given as {output}."
        )
    made = digest(output)
    if not made.bytes:
        raise BadOutput("The tool ended well, but its output is empty.")
    if finish:
        finish(output)
    return made
