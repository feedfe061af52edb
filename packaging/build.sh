#!/usr/bin/env bash
# Builds dist/fa-VERSION-linux-ARCH.tar.gz: all that a server without internet needs (the program, ffmpeg, litestream, the
# systemd unit, an installer, checksums, the manual). Runs on the oldest distribution that shall be supported: the program
# needs the C library of the machine that built it, or a newer one. Builds in a virtual environment of its own, because
# PyInstaller takes along whatever lies in the one it runs in.
set -euo pipefail
cd "$(dirname "$0")/.."

python3=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "build: a clean virtual environment" >&2
"$python3" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --disable-pip-version-check -qq)
"${pip[@]}" install --require-hashes --no-deps --requirement requirements-build.txt
"${pip[@]}" install --no-deps --no-build-isolation .

echo "build: freezing" >&2
(cd packaging && "$work/venv/bin/pyinstaller" --noconfirm --log-level ERROR \
    --workpath "$work/build" --distpath "$work/dist" fa.spec)

version=$("$work/venv/bin/python" -c 'import fa; print(fa.__version__)')
name=fa-$version-linux-$(uname -m)
bundle=$work/$name
mv "$work/dist/fa" "$bundle"
install -m 755 "$work/venv/bin/litestream" packaging/install.sh "$bundle"
install -m 644 packaging/fa.service README.md CHANGELOG.md "$bundle"
cp -r docs "$bundle/docs"
echo "$version" >"$bundle/VERSION"
"$work/venv/bin/python" packaging/third_party.py >"$bundle/THIRD-PARTY.txt"
(cd "$bundle" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS)

echo "build: trying it" >&2
"$python3" packaging/selftest.py "$bundle/fa"

mkdir -p dist
tar -C "$work" --owner 0 --group 0 --sort name -czf "dist/$name.tar.gz" "$name"
(cd dist && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
