#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_beside.sh SECONDS LEAST MODE COMMAND...: the command succeeds while paging_flip.sh
# changes the VM's paging mode, which is MODE in the end.

flips=$(mktemp)
paging_flip.sh "$1" "$2" "$3" >"$flips" &
flipper=$!
shift 3
"$@"
status=$?
wait $flipper || status=$?
cat "$flips"
exit $status
