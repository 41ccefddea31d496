#!/bin/sh
# Installs Phalanx, or removes it: packaging/install.sh install | uninstall
#
#   PREFIX   where it lives                    default /usr/local
#   DESTDIR  put in front of every path, for packages; then nothing of this host is touched
#   BIN      where the built programs lie      default target/release
#   PURGE    1: uninstall removes the node's state too: identity, key, configuration, events
#
# What was installed is written down in PREFIX/share/phalanx/installed; uninstall removes exactly that.
set -eu

prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
built=${BIN:-target/release}
list=$prefix/share/phalanx/installed
state=/var/lib/phalanx
cd "$(dirname "$0")/.."

fail() {
    echo "$*" >&2
    exit 1
}

# It is written into units and into a TOML file.
case $prefix in
    *[!A-Za-z0-9/._+-]*) fail "PREFIX holds letters, digits, / . _ + and - only, not '$prefix'" ;;
    /*) ;;
    *) fail "PREFIX is an absolute path, not '$prefix'" ;;
esac

# put MODE SOURCE TARGET: the file, with its paths filled in if it is a text that has any.
put() {
    mkdir -p "$root${3%/*}"
    case $2 in
        *.service | *.toml)
            sed -e "s|@PREFIX@|$prefix|g" -e "s|/usr/lib/phalanx|$prefix/lib/phalanx|g" "$2" > "$root$3.new"
            chmod "$1" "$root$3.new"
            ;;
        *) install -m "$1" "$2" "$root$3.new" ;;
    esac
    # By rename: a program that runs is not written into.
    mv -f "$root$3.new" "$root$3"
    echo "$3" >> "$root$list.new"
}

# link TEXT TARGET: a symbolic link.
link() {
    mkdir -p "$root${2%/*}"
    ln -sfn "$1" "$root$2"
    echo "$2" >> "$root$list.new"
}

install_all() {
    for program in phalanx phalanxd phalanx-deadman phalanx-shop libha_gs.so; do
        test -x "$built/$program" || fail "$built/$program is not built: make build"
    done
    mkdir -p "$root${list%/*}" 2>/dev/null && test -w "$root${list%/*}" ||
        fail "$root$prefix cannot be written to: run it as root, or choose another PREFIX"
    : > "$root$list.new"
    put 755 "$built/phalanx" "$prefix/bin/phalanx"
    put 755 "$built/phalanxd" "$prefix/sbin/phalanxd"
    # The names of old, in a folder that is on nobody's PATH: a host may have the real ones.
    for name in hagsgr hagsns hagsvote lssrc; do
        link ../../../bin/phalanx "$prefix/lib/phalanx/compat/$name"
    done
    put 755 "$built/phalanx-deadman" "$prefix/sbin/phalanx-deadman"
    put 755 "$built/phalanx-shop" "$prefix/lib/phalanx/demo/shop"
    # Programs are linked with the one name and ask for the other: that stands for what they were compiled for.
    put 644 "$built/libha_gs.so" "$prefix/lib/libha_gs.so.1"
    link libha_gs.so.1 "$prefix/lib/libha_gs.so"
    put 644 clients/ha_gs/include/ha_gs.h "$prefix/include/ha_gs.h"
    put 644 examples/demo.toml "$prefix/share/phalanx/examples/demo.toml"
    for unit in packaging/systemd/*.service; do
        put 644 "$unit" "$prefix/lib/systemd/system/${unit##*/}"
    done
    for text in README.md CHANGELOG.md SECURITY.md GLOSSARY.md LICENSE; do
        put 644 "$text" "$prefix/share/doc/phalanx/$text"
    done
    for text in docs/admin/*.md; do
        put 644 "$text" "$prefix/share/doc/phalanx/docs/admin/${text##*/}"
    done
    put 644 docs/demo.svg "$prefix/share/doc/phalanx/docs/demo.svg"
    install_pages
    mv -f "$root$list.new" "$root$list"
}

# Manual pages and completions come from the program itself.
install_pages() {
    pages=$(mktemp -d)
    "$built/phalanx" man "$pages"
    "$built/phalanx" completions bash > "$pages/bash"
    for page in "$pages"/*.1; do
        put 644 "$page" "$prefix/share/man/man1/${page##*/}"
    done
    put 644 "$pages/bash" "$prefix/share/bash-completion/completions/phalanx"
    rm -r "$pages"
}

# On this host itself: the groups whose members may read, and be clients of Group Services; systemd and the dynamic linker
# told of what is new.
settle() {
    for group in phalanx phalanx-groups; do
        if ! getent group $group > /dev/null && test "$(id -u)" = 0; then
            groupadd --system $group
        fi
    done
    tell_linker
    if test -d /run/systemd/system; then
        systemctl daemon-reload
    fi
}

# Only root's word counts there.
tell_linker() {
    if test "$(id -u)" = 0 && command -v ldconfig > /dev/null; then
        ldconfig
    fi
}

say_what_is_next() {
    echo "Phalanx is installed below $root$prefix."
    if test -n "$root"; then
        echo "Not done here: the group whose members may read (root may change): groupadd --system phalanx"
        echo "and the one whose members may be clients of Group Services: groupadd --system phalanx-groups; and ldconfig"
    else
        echo "Members of group phalanx may read, root may change: usermod -aG phalanx NAME"
    fi
    echo "Next: $prefix/share/doc/phalanx/docs/admin/first-cluster.md"
    echo "A daemon that runs goes on with the old program until: systemctl restart phalanxd"
}

uninstall_all() {
    if test -z "$root" && test -d /run/systemd/system && systemctl --quiet is-active phalanxd phalanx-deadman; then
        fail "Phalanx runs here: systemctl disable --now phalanxd phalanx-deadman"
    fi
    test -f "$root$list" || fail "nothing is installed below $root$prefix"
    while read -r path; do
        rm -f "$root$path"
        rmdir -p "$root${path%/*}" 2>/dev/null || true
    done < "$root$list"
    rm -f "$root$list"
    rmdir -p "$root${list%/*}" 2>/dev/null || true
    test -n "$root" || tell_linker
    if test -z "$root" && test -d /run/systemd/system; then
        systemctl daemon-reload
    fi
    forget_state
}

forget_state() {
    test -d "$root$state" || return 0
    case ${PURGE:-0} in
        1)
            rm -r "$root$state"
            echo "The node's state is gone ($root$state)."
            ;;
        *) echo "The node's state is kept in $root$state; PURGE=1 removes it." ;;
    esac
}

case ${1:-} in
    install)
        install_all
        test -n "$root" || settle
        say_what_is_next
        ;;
    uninstall) uninstall_all ;;
    *) fail "usage: packaging/install.sh install | uninstall" ;;
esac
