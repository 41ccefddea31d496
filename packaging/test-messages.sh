#!/bin/sh
# Every message id that people may see has its place in the documentation, and no other has.
set -eu
cd "$(dirname "$0")/.."

ids='PHX-[A-Z][0-9][0-9][0-9]'
spoken=$(grep -rhoE --include='*.rs' "$ids" apps/*/src shell/*/src core/*/src | sort -u)
explained=$(grep -ohE "^(## |[|] )$ids" docs/admin/messages*.md | grep -oE "$ids" | sort)
twice=$(echo "$explained" | uniq -d)
explained=$(grep -ohE "^(## |[|] )$ids" docs/admin/messages*.md | grep -oE "$ids" | sort)

faults=0
# complain SENTENCE ID...
complain() {
    sentence=$1
    shift
    for id in "$@"; do
        echo "test-messages: $id $sentence" >&2
        faults=1
    done
}

only_in() {
    echo "$1" | while read -r id; do
        echo "$2" | grep -qx "$id" || echo "$id"
    done
}

# Ids have no blanks in them.
# shellcheck disable=SC2046
complain "is in the sources and not explained in docs/admin/messages.md" $(only_in "$spoken" "$explained")
# shellcheck disable=SC2046
complain "is explained and not in the sources" $(only_in "$explained" "$spoken")
# shellcheck disable=SC2086
complain "is explained twice" $twice
test "$faults" = 0 || exit 1
echo "test-messages: $(echo "$spoken" | wc -l) ids, each explained"
