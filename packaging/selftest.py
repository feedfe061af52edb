"""Prove that a built `fa` stands on its own: ``python3 packaging/selftest.py PATH/TO/fa``.

Nothing of this machine helps it: PATH is empty, HOME is a temporary folder, so ffmpeg and litestream are those of the
bundle. It makes a clip with that ffmpeg, starts a node, submits the clip, and looks at what came out; then it restores
the store with the bundle's litestream. Standard library only: it runs on any server.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """
name = "proxy"
[[products]]
name = "proxy"
preset = "h264-mp4"
max_height = 240
destination = "san:out/{source.stem}.mp4"
"""
READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Bench:
    """A built `fa`, alone in a folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder, self.state = program, folder, folder / "state"
        self.env = {"PATH": str(folder / "empty"), "HOME": str(folder), "LANG": "C.UTF-8"}

    def run(self, *args: str | Path) -> str:
        done = subprocess.run(args, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=300)
        if done.returncode:
            sys.exit(f"selftest: {' '.join(map(str, args))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def fa(self, *args: str) -> str:
        return self.run(self.program, *args, "--dir", str(self.state))

    def ready(self, node: subprocess.Popen[bytes]) -> None:
        """Wait until the node takes work."""
        give_up = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up and node.poll() is None:
            asked = [self.program, "api", "--dir", str(self.state), "GET", "/readyz"]
            if subprocess.run(asked, env=self.env, capture_output=True, timeout=60).returncode == 0:
                return
            time.sleep(0.2)
        sys.exit(f"selftest: the node was not ready within {READY_SECONDS} s\n{(self.folder / 'node.log').read_text()}")


def transcode(bench: Bench, ffmpeg: Path) -> None:
    """One clip through one factory, and a look at what came out."""
    san = bench.folder / "san"
    made = ["-f", "lavfi", "-i", "testsrc2=d=2:s=320x240:r=25", "-f", "lavfi", "-i", "sine=d=2", "-shortest"]
    bench.run(ffmpeg, "-v", "error", *made, san / "in/clip.mov")
    (bench.folder / "proxy.toml").write_text(RECIPE)
    bench.fa("factory", "apply", "-f", "proxy.toml")
    bench.fa("submit", "san:in/clip.mov", "-f", "proxy", "--wait")
    bench.run(ffmpeg, "-v", "error", "-i", san / "out/clip.mp4", "-f", "null", "-")
    left = [path for path in (san / ".fa/part").rglob("*") if path.is_file()] if (san / ".fa/part").exists() else []
    assert not left, f"left behind: {left}"


def main() -> None:
    program = Path(sys.argv[1]).resolve()
    ffmpeg = next(program.parent.rglob("ffmpeg-linux-*"))
    with tempfile.TemporaryDirectory(prefix="fa-selftest-") as tmp:
        bench = Bench(program, Path(tmp))
        for name in ("empty", "san/in", "san/out"):
            (bench.folder / name).mkdir(parents=True)
        print(bench.run(program, "version").strip())
        listen, volume = f"127.0.0.1:{free_port()}", f"san={bench.folder / 'san'}"
        bench.fa("init", "--name", "selftest", "--node", "a", "--listen", listen, "--volume", volume)
        with (bench.folder / "node.log").open("wb") as log:
            command = [program, "run", "--dir", str(bench.state)]
            node = subprocess.Popen(command, env=bench.env, stdout=log, stderr=log, cwd=bench.folder)
        try:
            bench.ready(node)
            transcode(bench, ffmpeg)
        finally:
            node.send_signal(signal.SIGTERM)
            code = node.wait(timeout=60)
        assert code == 0, f"the node ended with {code}"
        restored = bench.folder / "restored.db"
        bench.run(program.with_name("litestream"), "restore", "-o", restored, f"file://{bench.state / 'replica'}")
        assert restored.stat().st_size > 0 and os.access(restored, os.R_OK)
    print("selftest: a clip was transcoded and the store restored, with nothing but what the bundle brings")


if __name__ == "__main__":
    main()
