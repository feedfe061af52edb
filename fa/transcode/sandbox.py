"""How a child is fenced in: an empty network namespace (its own; of a root one for all children), limits, low priority,
no new privileges, and death together with its node.

It is done by the launcher (see `launcher`), for a millisecond of CPU. Where that does not work it is done with the
small programs of util-linux, one after the other in front of the command: together they cost some milliseconds, and
code between fork and exec is not safe in a process with threads.

The order matters. Entering a user namespace changes credentials, and that clears the parent-death signal: so
``setpriv --pdeathsig`` comes after ``unshare``. A parent may die before the signal is set: so a last look at the
parent's id comes after it. The signal follows the *thread* that started the child: start children from the event
loop's thread.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fa.transcode.launching import Fences, Launcher, Listener, Start, launcher_command, launcher_works, start_directly

NICENESS = 10
GIB = 1 << 30

_GUARD = '[ "$PPID" = "$0" ] || exit 125; exec "$@"'
"""A constant script; the command comes as its arguments."""

_CONTAIN = ("--pid", "--fork", "--kill-child=KILL", "--mount-proc")

_INHERITED = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "LIBVA_DRIVER_NAME",
    "NVIDIA_VISIBLE_DEVICES",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one child, in bytes: address space, one output file; and how many files it may hold open."""

    memory: int = 32 * GIB
    file_size: int = 4096 * GIB
    open_files: int = 1024


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The fences that this machine has. ``notes`` says in a sentence each which are missing, and why. With a
    ``launcher`` the programs are not used."""

    no_network: tuple[str, ...] = ()
    contain: tuple[str, ...] = ()
    setpriv: str = ""
    prlimit: str = ""
    nice: str = ""
    shell: str = ""
    notes: tuple[str, ...] = ()
    launcher: Launcher | None = None

    def start(self, start: Start, limits: Limits, listener: Listener, *, contain: bool = False) -> None:
        """Begin a child behind the fences, in a session of its own. Raises OSError. ``contain``: see `wrap`."""
        if self.launcher is None:
            start_directly(replace(start, argv=self.wrap(start.argv, limits, contain=contain)), listener)
        else:
            self.launcher.start(start, self._fences(limits, contain), listener)

    def close(self) -> None:
        """Start nothing more; what runs ends."""
        if self.launcher is not None:
            self.launcher.close()

    def _fences(self, limits: Limits, contain: bool) -> Fences:
        words = {"CORE": 0, "AS": limits.memory, "FSIZE": limits.file_size, "NOFILE": limits.open_files}
        user, network = "-rn" in self.no_network, bool(self.no_network)
        return Fences(words, NICENESS, user, network, contain and bool(self.contain))

    def wrap(self, argv: Sequence[str], limits: Limits, *, contain: bool = False) -> list[str]:
        """``argv`` behind the fences. ``contain``: in a process namespace of its own, which ends with its first
        process, so that nothing that detaches itself survives (for a site's own tools)."""
        words: list[str] = list(self.no_network)
        if self.prlimit:
            words += [self.prlimit, *_limit_words(limits), "--"]
        if self.nice:
            words += [self.nice, "-n", str(NICENESS)]
        if self.setpriv:
            words += [self.setpriv, "--no-new-privs", "--pdeathsig", "KILL"]
        if self.setpriv and self.shell:
            words += [self.shell, "-c", _GUARD, str(os.getpid())]
        if contain:
            words += self.contain
        return words + list(argv)


def find_sandbox() -> Sandbox:
    """Try every fence once and keep those that work here. Blocking, some milliseconds: call it once, at start."""
    notes: list[str] = []
    unshare = _program("unshare", notes, "encodes keep the network, and detached children may survive")
    no_network = _first_that_works([(unshare, "-n"), (unshare, "-rn")]) if unshare else ()
    if unshare and not no_network:
        notes.append("Encodes keep the network: this user may make no network namespace (unshare -n and -rn failed).")
    contain = _first_that_works([(unshare, *_CONTAIN)], behind=no_network) if unshare else ()
    if unshare and not contain:
        notes.append("Detached children of exec products may survive: unshare --pid failed.")
    found = Sandbox(
        no_network=no_network,
        contain=contain,
        setpriv=_program("setpriv", notes, "a killed node may leave encodes behind"),
        prlimit=_program("prlimit", notes, "memory and file size of encodes are not limited"),
        nice=_program("nice", notes, "encodes run at normal priority"),
        shell=_program("sh", notes, "an encode that starts while its node is killed may stay behind"),
        notes=tuple(notes),
    )
    works = launcher_works(found._fences(Limits(), contain=True))  # who may do that may do less
    return replace(found, launcher=Launcher(launcher_command())) if works else found


def child_environment() -> dict[str, str]:
    """What a child inherits: no secrets of the node, and a language in which its messages can be read."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C.UTF-8", "AV_LOG_FORCE_NOCOLOR": "1"}


def _limit_words(limits: Limits) -> list[str]:
    """Never above the hard limits that the node itself was given: raising those is not for everybody."""
    wanted = {
        "--as": (limits.memory, resource.RLIMIT_AS),
        "--fsize": (limits.file_size, resource.RLIMIT_FSIZE),
        "--nofile": (limits.open_files, resource.RLIMIT_NOFILE),
    }
    words = ["--core=0"]
    for option, (value, which) in wanted.items():
        hard = resource.getrlimit(which)[1]
        words.append(f"{option}={value if hard == resource.RLIM_INFINITY else min(value, hard)}")
    return words


def _program(name: str, notes: list[str], lack: str) -> str:
    path = shutil.which(name) or ""
    if not path:
        notes.append(f"{name} is not installed: {lack}.")
    return path


def _first_that_works(prefixes: list[tuple[str, ...]], behind: tuple[str, ...] = ()) -> tuple[str, ...]:
    return next((prefix for prefix in prefixes if _works((*behind, *prefix, "true"))), ())


def _works(argv: tuple[str, ...]) -> bool:
    try:
        tried = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
