#!/usr/bin/env bash
# Installs or upgrades fa from the unpacked bundle: `sudo ./install.sh`. Every version keeps a folder of its own and
# /opt/fa points at the one in use, so going back is one `ln -sfn`. It starts nothing and touches no state.
#   --root DIR    install below DIR (an image, a test) instead of into this system
set -euo pipefail
cd "$(dirname "$0")"

root=
if [ "${1:-}" = --root ]; then
    root=${2:?--root wants a folder}
elif [ $# -gt 0 ]; then
    echo "usage: install.sh [--root DIR]" >&2 && exit 2
elif [ "$(id -u)" != 0 ]; then
    echo "install: this writes to /opt and makes a user, so run it as root: sudo ./install.sh" >&2 && exit 1
fi

sha256sum --check --quiet --strict SHA256SUMS || {
    echo "install: this copy of the bundle is damaged; copy it again. Nothing was changed." >&2
    exit 1
}

version=$(cat VERSION)
target=$root/opt/fa-$version
mkdir -p "$root/opt" "$root/usr/local/bin" "$root/etc/systemd/system"
rm -rf "$target.new"
cp -a . "$target.new"
rm -rf "$target"
mv "$target.new" "$target"
ln -sfn "fa-$version" "$root/opt/fa"
ln -sfn /opt/fa/fa "$root/usr/local/bin/fa"
install -m 644 fa.service "$root/etc/systemd/system/fa.service"

if [ -z "$root" ]; then
    getent passwd fa >/dev/null || useradd --system --user-group --home-dir /var/lib/fa --shell /usr/sbin/nologin fa
    for group in video render; do # GPU encoders
        if getent group "$group" >/dev/null; then usermod -aG "$group" fa; fi
    done
    install -d -o fa -g fa -m 700 /var/lib/fa
    if command -v systemctl >/dev/null; then systemctl daemon-reload || true; fi
fi

cat <<TEXT
fa $version is installed in $target.
First server:   sudo -u fa fa init --name ARRAY --node $(hostname -s) --listen ADDRESS:7001 --volume san=/mnt/san
Other servers:  sudo -u fa fa join https://FIRST:7001 --token-file FILE --node $(hostname -s) --listen ADDRESS:7001 --volume san=/mnt/san
Then, on each:  sudo systemctl enable --now fa
Upgrading?      sudo systemctl restart fa, one server at a time, the coordinator last (docs/operating.md).
TEXT
