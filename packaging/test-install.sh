#!/bin/sh
# Installs into a folder of its own and removes it again: nothing is missing, nothing is left, state is kept.
# BIN names programs that are built already; without it the development build is used.
set -eu
cd "$(dirname "$0")/.."

if test -z "${BIN:-}"; then
    "${CARGO:-cargo}" build --quiet -p phalanx -p phalanxd -p phalanx-deadman -p phalanx-shop -p ha_gs
    BIN=${CARGO_TARGET_DIR:-target}/debug
fi
export BIN
DESTDIR=$(mktemp -d)
export DESTDIR
trap 'rm -rf "$DESTDIR"' EXIT

fail() {
    echo "test-install: $*" >&2
    exit 1
}

# check_prefix PREFIX: a whole life of an installation below it.
check_prefix() {
    export PREFIX=$1
    packaging/install.sh install > "$DESTDIR/said"
    grep -q 'groupadd --system phalanx' "$DESTDIR/said" || fail "the group is not named: $(cat "$DESTDIR/said")"
    rm "$DESTDIR/said"
    there=$DESTDIR$PREFIX
    for program in bin/phalanx sbin/phalanxd sbin/phalanx-deadman lib/phalanx/demo/shop; do
        test -x "$there/$program" || fail "$PREFIX/$program is missing"
        "$there/$program" --version > /dev/null || fail "$PREFIX/$program does not run"
    done
    for page in share/man/man1/phalanx.1 share/doc/phalanx/docs/admin/first-cluster.md; do
        test -s "$there/$page" || fail "$PREFIX/$page is missing"
    done
    check_names
    check_library
    check_paths
    check_removal
}

# Every name of old answers for itself: it knows what it is asked, and finds no daemon.
check_names() {
    for name in hagsgr hagsns hagsvote "lssrc -ls cthags" "lssrc -ls cthats"; do
        # The words of the name are its arguments.
        # shellcheck disable=SC2086
        said=$(PHALANX_RUN_DIR=$DESTDIR "$there"/lib/phalanx/compat/$name 2>&1) && fail "$name finds a daemon"
        echo "$said" | grep -q PHX-C002 || fail "$name says: $said"
    done
}

# A program in C is compiled and linked with what was installed, where there is a compiler.
check_library() {
    test -s "$there/include/ha_gs.h" && test -s "$there/lib/libha_gs.so.1" || fail "the C library is missing"
    command -v cc > /dev/null || return 0
    printf '#include <ha_gs.h>\nint main(void) { return ha_gs_quit() != HA_GS_NO_INIT; }\n' > "$DESTDIR/c.c"
    cc -I "$there/include" "$DESTDIR/c.c" -L "$there/lib" -lha_gs -o "$DESTDIR/c" || fail "no program can be linked"
    LD_LIBRARY_PATH=$there/lib "$DESTDIR/c" || fail "a program with the C library does not run"
    rm "$DESTDIR/c" "$DESTDIR/c.c"
}

# No placeholder is left, and every program that a unit or the example starts was installed.
check_paths() {
    units=$there/lib/systemd/system
    if grep -rn '@[A-Z]*@' "$units" "$there/share/phalanx"; then
        fail "paths were not filled in"
    fi
    started=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$units"/*.service
        sed -n 's/^start *= \["\([^"]*\)".*/\1/p' "$there/share/phalanx/examples/demo.toml")
    test "$(echo "$started" | wc -l)" -eq 3 || fail "expected two units and one application, not: $started"
    for program in $started; do
        test -x "$DESTDIR$program" || fail "$program is started and not installed"
    done
    check_units
}

# systemd's own eye, where it is there; it looks for programs on this host, so the paths are those of the folder.
check_units() {
    command -v systemd-analyze > /dev/null || return 0
    mkdir "$DESTDIR/units"
    for unit in "$units"/*.service; do
        sed -e "s|=$PREFIX/|=$there/|" -e '/^Documentation=/d' "$unit" > "$DESTDIR/units/${unit##*/}"
    done
    said=$(SYSTEMD_UNIT_PATH="$DESTDIR/units:" systemd-analyze verify --man=no "$DESTDIR"/units/*.service 2>&1 |
        grep "^$DESTDIR\|phalanx" || true)
    test -z "$said" || fail "systemd says: $said"
    rm -r "$DESTDIR/units"
}

check_removal() {
    mkdir -p "$DESTDIR/var/lib/phalanx"
    touch "$DESTDIR/var/lib/phalanx/identity"
    packaging/install.sh uninstall | grep -q 'kept' || fail "uninstall does not say that state is kept"
    left=$(find "$DESTDIR" -type f -o -type l)
    test "$left" = "$DESTDIR/var/lib/phalanx/identity" || fail "left behind: $left"
    packaging/install.sh install > /dev/null
    PURGE=1 packaging/install.sh uninstall > /dev/null
    left=$(find "$DESTDIR" -type f -o -type l)
    test -z "$left" || fail "left behind after PURGE=1: $left"
    if packaging/install.sh uninstall 2> /dev/null; then
        fail "removing what is not there should fail"
    fi
}

check_prefix /usr/local
check_prefix /usr
check_prefix /opt/phalanx-0.1
for prefix in '/opt/a b' 'opt' '/opt/"'; do
    if PREFIX=$prefix packaging/install.sh install 2> /dev/null; then
        fail "PREFIX=$prefix should be refused"
    fi
done
echo "test-install: installed and removed under three prefixes"
