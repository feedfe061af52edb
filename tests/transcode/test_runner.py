"""Children: fenced, watched, ended with everything they started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fa.core.recipe import Product
from fa.transcode.perform import EncodeFailure, EncodeResult, Report
from fa.transcode.plan import Step
from fa.transcode.progress import Progress
from fa.transcode.runner import Outcome, run
from fa.transcode.sandbox import Limits, Sandbox
from fa.transcode.session import session_members
from tests.transcode.conftest import Encode, product_of

PATIENCE = 60.0


def shell(script: str, what: str = "encode") -> Step:
    return Step(what, ("/bin/sh", "-c", script), None)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


@pytest.fixture(params=["by the launcher", "by programs"])
def either(request: pytest.FixtureRequest, sandbox: Sandbox) -> Sandbox:
    """The two ways to put up the same fences."""
    if request.param == "by programs":
        return replace(sandbox, launcher=None)
    if sandbox.launcher is None:
        pytest.skip("the launcher does not work on this machine")
    return sandbox


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path) -> Callable[..., asyncio.Task[Outcome]]:
    """Start a step; answers the task."""

    def starter(
        step: Step, *, stall_after: float = PATIENCE, limits: Limits | None = None, fences: Sandbox | None = None
    ) -> asyncio.Task[Outcome]:
        return asyncio.ensure_future(
            run(
                step,
                log_path=tmp_path / "log",
                sandbox=sandbox if fences is None else fences,
                limits=limits or Limits(),
                stall_after=stall_after,
                on_progress=lambda progress: None,
            )
        )

    return starter


async def test_the_log_holds_what_was_said(start: Callable[..., asyncio.Task[Outcome]], tmp_path: Path) -> None:
    outcome = await start(shell("echo '[h264 @ 0x55aa] [error] broken' >&2; printf 'last words' >&2; exit 3"))
    assert outcome.returncode == 3
    assert outcome.errors == ("h264: broken",)
    assert outcome.lines[-1] == "last words"
    assert (tmp_path / "log").read_bytes().endswith(b"last words")


async def test_progress_is_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    seen: list[Progress] = []
    script = "printf 'frame=1\\nout_time_us=40000\\nprogress=continue\\nframe=2\\nprogress=end\\n'"
    outcome = await run(
        shell(script),
        log_path=tmp_path / "log",
        sandbox=sandbox,
        limits=Limits(),
        stall_after=PATIENCE,
        on_progress=seen.append,
    )
    assert [each.frames for each in seen] == [1, 2]
    assert outcome.progress.ended


@pytest.mark.parametrize("what", ["encode", "exec"])
async def test_a_cancelled_child_takes_its_whole_session_along(
    what: str, start: Callable[..., asyncio.Task[Outcome]], tmp_path: Path, either: Sandbox
) -> None:
    """One descendant ignores SIGTERM; one has left the process group (of a tool: even the session)."""
    leave = "setsid" if what == "exec" else "setpgrp"
    (tmp_path / "leave.py").write_text(
        f"import os, time; os.{leave}(); open({str(tmp_path / 'left')!r}, 'x'); time.sleep(1000)"
    )
    script = f"""
        sh -c 'trap "" TERM; : > {tmp_path}/stubborn; while :; do sleep 1; done' &
        {sys.executable} {tmp_path}/leave.py &
        wait
    """
    task = start(shell(script, what), fences=either)
    await until(lambda: (tmp_path / "stubborn").exists() and (tmp_path / "left").exists(), "the children started")
    session = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _started_by_us(pid, tmp_path)]
    assert session
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [pid for pid in session if alive(pid)]


def _started_by_us(pid: int, tmp_path: Path) -> bool:
    try:
        return os.fsencode(str(tmp_path)) in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid()
    except OSError:
        return False


@pytest.mark.parametrize(("contained", "leave"), [(True, "setsid"), (False, "setpgrp")])
async def test_what_a_tool_leaves_behind_ends_with_it(
    contained: bool, leave: str, start: Callable[..., asyncio.Task[Outcome]], either: Sandbox, tmp_path: Path
) -> None:
    """With a process namespace nothing gets away; without one, nothing that stays in the session."""
    if contained and not either.contain:
        pytest.skip("needs a process namespace (unshare --pid)")
    (tmp_path / "leave.py").write_text(
        f"import os, time; os.{leave}(); open({str(tmp_path / 'left')!r}, 'x'); time.sleep(1000)"
    )
    script = f"""
        {sys.executable} {tmp_path}/leave.py &
        while [ ! -e {tmp_path}/left ]; do sleep 0.05; done
    """
    fences = either if contained else replace(either, contain=())
    outcome = await start(shell(script, "exec"), fences=fences)
    assert outcome.returncode == 0
    assert not [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _started_by_us(pid, tmp_path)]


async def test_a_second_cancellation_does_not_leave_the_child(
    start: Callable[..., asyncio.Task[Outcome]], tmp_path: Path
) -> None:
    task = start(shell(f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done"))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "", "it started")
    task.cancel()
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_child_that_does_nothing_is_stalled(start: Callable[..., asyncio.Task[Outcome]]) -> None:
    outcome = await start(shell("sleep 1000"), stall_after=1.0)
    assert outcome.stalled
    assert outcome.returncode == -signal.SIGTERM


async def test_one_that_computes_is_not(start: Callable[..., asyncio.Task[Outcome]]) -> None:
    script = "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done"
    outcome = await start(shell(script), stall_after=1.0)
    assert (outcome.stalled, outcome.returncode) == (False, 0)


async def test_a_stopped_encode_is_stalled(clips: Path, encode: Encode, tmp_path: Path) -> None:
    """SIGSTOP: the state of an ffmpeg whose volume hangs, as far as anybody can see."""
    reports: list[Report] = []
    product = product_of("h264-mp4", speed="placebo", fps="50", width=1920, height=1080)
    task = asyncio.ensure_future(encode(clips / "p25.mp4", product, reports.append, stall_after=2.0))
    await until(lambda: any(each.what == "encode" for each in reports), "the encode reports")
    for pid in _encoders(tmp_path):
        os.kill(pid, signal.SIGSTOP)
    result = await task
    assert isinstance(result, EncodeFailure)
    assert (result.permanent, result.code) == (False, "stalled")
    assert not _encoders(tmp_path)


def _encoders(tmp_path: Path) -> list[int]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"ffmpeg") and os.fsencode(f"file:{tmp_path}/out.part") in words and alive(int(pid)):
            found.append(int(pid))
    return found


async def test_a_killed_encode_is_worth_another_try(clips: Path, encode: Encode, tmp_path: Path) -> None:
    reports: list[Report] = []
    product = product_of("h264-mp4", speed="placebo", fps="50", width=1920, height=1080)
    task = asyncio.ensure_future(encode(clips / "p25.mp4", product, reports.append))
    await until(lambda: any(each.what == "encode" for each in reports), "the encode reports")
    for pid in _encoders(tmp_path):
        os.kill(pid, signal.SIGKILL)
    result = await task
    assert isinstance(result, EncodeFailure)
    assert (result.permanent, result.code) == (False, "killed")
    assert "SIGKILL" in result.sentence


NODE = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from fa.transcode.plan import Step
from fa.transcode.runner import run
from fa.transcode.sandbox import Limits, find_sandbox
folder, what = Path(sys.argv[1]), sys.argv[2]
step = Step(what, ("/bin/sh", "-c", f"echo started > {folder}/started; exec sleep 1000 # {folder}"), None)
sandbox = find_sandbox() if sys.argv[3] == "launcher" else replace(find_sandbox(), launcher=None)
more = {"sandbox": sandbox, "limits": Limits(), "stall_after": 1e6, "on_progress": print}
asyncio.run(run(step, log_path=folder / "log", **more))
"""


@pytest.mark.parametrize("what", ["encode", "exec"])
def test_encodes_die_with_their_node(what: str, tmp_path: Path, either: Sandbox) -> None:
    if not either.setpriv:
        pytest.skip("setpriv of util-linux is missing")
    how = "launcher" if either.launcher else "programs"
    node = subprocess.Popen([sys.executable, "-c", NODE, str(tmp_path), what, how], cwd=Path(__file__).parents[2])
    try:
        wait_for(lambda: (tmp_path / "started").exists(), "the child started")
        children = _descendants(node.pid)
        assert children
    finally:
        node.kill()
        node.wait()
    wait_for(lambda: not [pid for pid in children if alive(pid)], "the child died with its node")


def _descendants(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    found = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return found + [deeper for pid in found for deeper in _descendants(pid)]


def test_a_child_whose_node_died_first_never_starts(sandbox: Sandbox) -> None:
    if not (sandbox.setpriv and sandbox.shell):
        pytest.skip("setpriv of util-linux, or sh, is missing")
    words = sandbox.wrap(["/bin/echo", "alive"], Limits())
    orphaned = [str(os.getpid() + 1) if word == str(os.getpid()) else word for word in words]
    tried = subprocess.run(orphaned, capture_output=True, check=False)
    assert (tried.returncode, tried.stdout) == (125, b"")


@pytest.mark.parametrize("what", ["encode", "exec"])
async def test_the_fences_stand(
    what: str, start: Callable[..., asyncio.Task[Outcome]], either: Sandbox, tmp_path: Path
) -> None:
    if not (either.setpriv and either.prlimit and either.nice):
        pytest.skip("setpriv, prlimit or nice is missing")
    script = f"""
        nice > {tmp_path}/nice; ulimit -n > {tmp_path}/files; ulimit -v > {tmp_path}/memory; ulimit -c > {tmp_path}/core
        grep NoNewPrivs /proc/self/status > {tmp_path}/privileges; cat /proc/self/net/dev > {tmp_path}/network
        ps -o sid= -p $$ > {tmp_path}/session; echo $$ >> {tmp_path}/session; env > {tmp_path}/env
        ls /proc | grep -c '^[0-9]' > {tmp_path}/processes
    """
    os.environ["FA_TOKEN_FILE"] = "/secret"
    try:
        outcome = await start(shell(script, what), limits=Limits(memory=1 << 30, open_files=99), fences=either)
    finally:
        del os.environ["FA_TOKEN_FILE"]
    assert outcome.returncode == 0, outcome.lines
    told = {each.name: each.read_text().split() for each in tmp_path.iterdir()}
    assert int(told["nice"][0]) >= 10
    assert (told["files"], told["memory"]) == (["99"], [str(1 << 20)])
    assert told["privileges"] == ["NoNewPrivs:", "1"]
    assert told["core"] == ["0"]
    if either.no_network:
        assert [word for word in told["network"] if word.endswith(":")] == ["lo:"]
    outside = "0" if what == "exec" and not either.launcher else ""  # its leader stays outside of the namespace
    assert told["session"][0] in (told["session"][1], outside)
    assert "FA_TOKEN_FILE=/secret" not in told["env"]
    if what == "exec" and either.contain:
        assert int(told["processes"][0]) <= 4, "it sees nobody but itself, and what it started"


async def test_an_endless_output_is_cut_off(start: Callable[..., asyncio.Task[Outcome]], tmp_path: Path) -> None:
    outcome = await start(
        Step("encode", ("/bin/dd", "if=/dev/zero", f"of={tmp_path}/big"), None), limits=Limits(file_size=1 << 20)
    )
    assert outcome.returncode != 0
    assert (tmp_path / "big").stat().st_size == 1 << 20


async def test_a_machine_without_fences_still_encodes(start: Callable[..., asyncio.Task[Outcome]]) -> None:
    assert (await start(shell("exit 0"), fences=Sandbox())).returncode == 0


async def test_nothing_is_left_open(start: Callable[..., asyncio.Task[Outcome]]) -> None:
    await start(shell("exit 0"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await start(shell("echo x; echo y >&2"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert not session_members(2**22)


async def test_an_exec_product_runs_the_allowed_program(clips: Path, encode: Encode, tmp_path: Path) -> None:
    tool = tmp_path / "tool.sh"
    tool.write_text('#!/bin/sh\nhead -c 10 "$2" > "$4"\n')
    tool.chmod(0o755)
    product = Product("p", "san:x", exec=("shorten", "--in", "{input}", "--out", "{output}"))
    result = await encode(clips / "p25.mp4", product, programs={"shorten": str(tool)})
    assert isinstance(result, EncodeResult), result
    assert result.digest.bytes == 10


@pytest.mark.parametrize(
    ("script", "permanent", "part"),
    [
        ("exit 7", True, "code 7"),
        ("true", False, "wrote no output"),
        (': > "$2"', False, "empty"),
        ('echo "cannot open: Stale file handle" >&2; exit 1', False, "Stale file handle"),
    ],
)
async def test_an_exec_product_that_fails(
    script: str, permanent: bool, part: str, clips: Path, encode: Encode, tmp_path: Path
) -> None:
    tool = tmp_path / "tool.sh"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    product = Product("p", "san:x", exec=("tool", "{input}", "{output}"))
    result = await encode(clips / "p25.mp4", product, programs={"tool": str(tool)})
    assert isinstance(result, EncodeFailure)
    assert result.permanent is permanent
    assert part in result.sentence


async def test_a_program_that_the_node_does_not_allow(clips: Path, encode: Encode) -> None:
    result = await encode(clips / "p25.mp4", Product("p", "san:x", exec=("sh", "{input}", "{output}")))
    assert isinstance(result, EncodeFailure)
    assert "does not allow the program sh" in result.sentence
