#!/bin/sh
# Whether the demo can run here, asked before anything is built: what is in the way and what to do about it, in one
# sentence; then the Debian packages that are missing, by name, and their installation.
set -eu

stop() {
    echo "$*" >&2
    exit 1
}

# CAP_SYS_ADMIN is capability 21: bit 1 of the sixth hexadecimal digit from the right.
has_sys_admin() {
    digit=$(sed -n 's/^CapEff:[[:space:]]*[0-9a-f]*\([0-9a-f]\)[0-9a-f]\{5\}$/\1/p' /proc/self/status)
    case $digit in
        [2367abef]) true ;;
        *) false ;;
    esac
}

# Programs that are needed, each with the Debian package that brings it.
missing_packages() {
    while read -r program package; do
        command -v "$program" > /dev/null || echo "$package"
    done << PROGRAMS | sort -u | tr '\n' ' '
unshare util-linux
nsenter util-linux
losetup mount
ip iproute2
mkfs.ext4 e2fsprogs
nbdkit nbdkit
nbdfuse libnbd-bin
bindfs bindfs
curl curl
cc gcc
PROGRAMS
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y -qq --no-install-recommends $1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends $1; }
}

# The tools of a root that became one by `su` may not be on its path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

test "$(id -u)" = 0 ||
    stop "the demo makes network namespaces and mounts a file system: run it as root (sudo make demo)"
has_sys_admin ||
    stop "root lacks CAP_SYS_ADMIN here, as in most containers: run the demo on a machine or in a virtual machine, or start the container with --privileged"
test -e /dev/fuse ||
    stop "/dev/fuse is missing, and the shared disk needs it: modprobe fuse"
test -e /dev/loop-control ||
    stop "/dev/loop-control is missing, and the shared disk needs it: modprobe loop"
{ test -e /sys/fs/cgroup/cgroup.controllers || test -e /sys/fs/cgroup/unified/cgroup.controllers; } ||
    stop "no control groups of version 2 are mounted, and applications run in them: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
command -v "${CARGO:-cargo}" > /dev/null ||
    stop "cargo is not on root's path: install Rust from https://rustup.rs, or keep your own path (sudo env PATH=\"\$PATH\" make demo)"

packages=$(missing_packages)
test -z "$packages" && exit 0
command -v apt-get > /dev/null ||
    stop "programs are missing that Debian has in these packages: install ${packages% } by the means of this system"
echo "installing ${packages% }"
install_packages "$packages" || stop "apt-get could not install them: install ${packages% } by hand"
