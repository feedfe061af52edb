"""Where the frozen `fa` begins."""

import os
import sys
from multiprocessing import freeze_support


def main() -> int:
    freeze_support()
    _give_children_their_own_libraries()
    if sys.argv[1:2] == ["_launcher"]:  # see fa/transcode/launching.py; it is to be small
        from fa.transcode.launcher import main as launcher

        return launcher(int(sys.argv[2]))
    if sys.argv[1:] and sys.argv[1].startswith("_"):  # a helper process of a node, see fa/node/helper.py
        from fa.node.helper import main as helper

        return helper(sys.argv[1:])
    from fa.cli.main import main as command_line

    return command_line()


def _give_children_their_own_libraries() -> None:
    """The loader points LD_LIBRARY_PATH at the bundle; an ffmpeg of the system must not find our libraries there."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before


if __name__ == "__main__":
    sys.exit(main())
