#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_beside.sh SECONDS LEAST MODE COMMAND...: the command succeeds while paging_flip.sh
# changes the VM's paging mode, as long as it runs; MODE is the one in the end.

flips=$(mktemp)
BESIDE=$(mktemp)
export BESIDE
paging_flip.sh "$1" "$2" "$3" >"$flips" &
flipper=$!
shift 3
"$@"
status=$?
rm "$BESIDE"
wait $flipper || status=$?
cat "$flips"
exit $status
