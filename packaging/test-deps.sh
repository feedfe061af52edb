#!/usr/bin/env bash
# Installs the Debian packages that the tests use, only those that are missing, when it may (root, or sudo without a
# password). Where it may not, it names what is missing and goes on: the tests that need it skip and say so.
set -euo pipefail

# command (or library) -> package
needs=(
    ffmpeg:ffmpeg ffprobe:ffmpeg # presets and read-back of what they made
    ip:iproute2 iptables:iptables # network namespaces, partitions, the virtual IP
    fusermount3:fuse3 libfuse3.so:libfuse3-3 # disks and shares that fail on demand
    tmux:tmux # the dashboard in a real terminal
    sshd:openssh-server ssh:openssh-client # the ForceCommand recipe
    ps:procps unshare:util-linux curl:curl
)

present() {
    case $1 in
        lib*) PATH=$PATH:/sbin ldconfig -p | grep -q "$1" ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    esac
}

missing=()
for need in "${needs[@]}"; do
    present "${need%%:*}" || missing+=("${need##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

packages=$(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')
root=(env DEBIAN_FRONTEND=noninteractive)
[ "$(id -u)" = 0 ] || root=(sudo -n "${root[@]}")
if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
    echo "test-deps: missing, and not mine to install: $packages(some tests will skip)" >&2
    exit 0
fi

echo "test-deps: installing $packages" >&2
apt=("${root[@]}" apt-get -qq -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
for try in 1 2 3; do
    # shellcheck disable=SC2086  # the list is meant to be split
    if "${apt[@]}" update >&2 && "${apt[@]}" install --no-install-recommends $packages >&2; then
        exit 0
    fi
    echo "test-deps: try $try failed" >&2
    sleep 5
done
echo "test-deps: could not install $packages(some tests will skip)" >&2
