#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_beside.sh [-w WORD] SECONDS LEAST MODE COMMAND...: the command succeeds while
# paging_flip.sh changes the VM's paging mode, as long as it runs; MODE is the one in the end.
# With -w the guest's command waits for that word of the host's, however long all takes.

word=
if [ "$1" = -w ]; then
	word=$2
	shift 2
fi
flips=$(mktemp)
BESIDE=$(mktemp)
export BESIDE
paging_flip.sh "$1" "$2" "$3" "$word" >"$flips" &
flipper=$!
shift 3
"$@"
status=$?
rm "$BESIDE"
wait $flipper || status=$?
cat "$flips"
exit $status
