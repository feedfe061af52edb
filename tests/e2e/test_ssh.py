"""The recipe of docs/ssh-forcecommand.md with a real sshd and ssh: the dashboard, and nothing but the dashboard."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import kit
from tests.e2e.screen import Screen

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ssh-forcecommand.md"
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")

pytestmark = pytest.mark.skipif(not SSHD or not shutil.which("ssh"), reason="sshd and ssh are not installed")


def recipe(command: str) -> str:
    """The configuration of the manual, for this user and this array."""
    block = re.search(r"^```\n(Match User fa-ops\n.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    assert block, "the manual holds the configuration"
    text = block[1].replace("Match User fa-ops", f"Match User {getpass.getuser()}")
    return re.sub(r"ForceCommand .*", lambda _: f"ForceCommand {command}", text)


class Door:
    """An sshd that lets the holder of one key in, and the words of an ssh that has it."""

    def __init__(self, folder: Path, command: str) -> None:
        self.port = kit.free_port()
        self.folder = folder
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PermitRootLogin prohibit-password\nUsePAM no\n{recipe(command)}"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        assert SSHD is not None
        with (folder / "sshd.log").open("wb") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)

    def ssh(self, *words: str) -> list[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "SendEnv=LANG",
                   "LogLevel=ERROR", f"IdentityFile={self.folder}/key"]  # fmt: skip
        flags = [part for option in options for part in ("-o", option)]
        return ["ssh", "-F", "none", *flags, "-p", str(self.port), *words]

    @property
    def address(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("ssh")
    with kit.array(tmp_path_factory.mktemp("array")) as array:
        node = array.found("a")
        token = folder / "token"
        token.write_text(node.fa("token", "create", "--dir", str(node.root), "--role", "viewer"))
        reach = f"--addr https://{node.listen} --token-file {token} --cacert {node.root}/tls/ca.pem"
        made = Door(folder, f"{sys.executable} -m fa.cli tui {reach}")
        kit.wait_until("sshd listens", lambda: _answers(made))
        try:
            yield made
        finally:
            made.process.terminate()
            made.process.wait(kit.DEADLINE)


def _answers(door: Door) -> bool:
    done = subprocess.run(["ssh-keyscan", "-p", str(door.port), "127.0.0.1"], capture_output=True, check=False)
    return b"ssh-ed25519" in done.stdout


def test_the_dashboard_over_ssh(door: Door) -> None:
    screen = Screen(door.ssh("-t", "-C", door.address))
    screen.until(b"SOLO")
    assert b"\x1b[?1003h" not in screen.seen, "over SSH the mouse is left to the terminal"
    screen.press(b"2")
    screen.until(b"all jobs")
    screen.press(b"n")
    screen.until(b"your role, viewer")
    screen.press(b"q")
    assert screen.over() == 0
    assert b"\x1b[?1049l" in screen.seen, "the terminal is given back as it was"


@pytest.mark.parametrize("words", [("-T", "{to}"), ("{to}", "id"), ("-t", "{to}", "sh -c id")])
def test_nothing_else_is_run(door: Door, words: tuple[str, ...]) -> None:
    command = door.ssh(*(word.replace("{to}", door.address) for word in words))
    if "-t" in words:
        screen = Screen(command)
        screen.until(b"SOLO")
        screen.press(b"q")
        assert screen.over() == 0 and b"uid=" not in screen.seen
        return
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=kit.DEADLINE, check=False)
    assert done.returncode == 1 and b"needs a terminal" in done.stderr and b"uid=" not in done.stdout


def test_nothing_is_forwarded(door: Door) -> None:
    command = door.ssh("-W", f"127.0.0.1:{door.port}", door.address)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=kit.DEADLINE, check=False)
    assert done.returncode != 0 and b"SSH-2.0" not in done.stdout
