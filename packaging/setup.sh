#!/usr/bin/env bash
# Makes .venv from the lock files: `packaging/setup.sh run` for fa itself, `packaging/setup.sh dev` for its tests too.
# Works on a fresh Debian or Ubuntu, as root or not. A second call with nothing changed does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

want=${1:-run}
case $want in
    run) lock=requirements.txt ;;
    dev) lock=requirements-dev.txt ;;
    *) echo "usage: packaging/setup.sh run|dev" >&2 && exit 2 ;;
esac

say() { echo "setup: $*" >&2; }

find_python() { # the first Python that is new enough
    local name
    for name in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    say "fa needs Python 3.11 or newer and found none (Debian 12 and Ubuntu 24.04 bring one: apt-get install python3)."
    say "Elsewhere: install one and name it, for example 'make setup PYTHON=/usr/local/bin/python3.12'."
    exit 1
}

as_root() { # runs a command as root where that needs no password
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_venv_module() { # Debian keeps the venv module in a package of its own
    local version
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "installing python$version-venv with apt-get"
    as_root apt-get -qq -o Acquire::Retries=3 update >&2 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
        install "python$version-venv" >&2
}

make_venv() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null || install_venv_module; then
        "$python" -m venv .venv && return
    fi
    if "$python" -m virtualenv --version >/dev/null 2>&1 || "$python" -m pip install -qq --user virtualenv 2>/dev/null; then
        "$python" -m virtualenv --quiet .venv && return
    fi
    rm -rf .venv
    say "this Python has no venv module and it could not be installed without a password. Type these two lines:"
    say "    sudo apt-get install python3-venv"
    say "    make setup"
    exit 1
}

# The interpreter and the path are part of the stamp: a virtual environment that was moved or whose Python went is made anew.
python=$(find_python)
stamp=.venv/.fa-$want
inputs=$({ pwd && cat requirements.txt "$lock" pyproject.toml packaging/setup.sh; } | sha256sum)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$inputs" ] && .venv/bin/python -c 'import fa' 2>/dev/null; then
    exit 0
fi

.venv/bin/python -m pip --version >/dev/null 2>&1 || { rm -rf .venv && say "making .venv with $python" && make_venv; }
say "installing what $lock pins"
pip=(.venv/bin/python -m pip --disable-pip-version-check -qq)
# The lock is whole, so pip has nothing to resolve: left to itself it may want a newer release of what is pinned.
"${pip[@]}" install --require-hashes --no-deps --requirement "$lock"
"${pip[@]}" install --no-deps --no-build-isolation --editable .
echo "$inputs" >"$stamp"
if ! command -v ffmpeg >/dev/null; then
    say "no ffmpeg on PATH: fa uses the one that came with imageio-ffmpeg"
fi
