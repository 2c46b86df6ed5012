#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# exits.sh [N]: read and write both SymSpy pages N times. The bench compares
# the exit counters with a run of N = 0.

# shellcheck source=/dev/null
. ./lib.sh

n=${1:-1000000}
check "$n reads and writes" sh -c "echo $n >$DEBUG/spy"
cat "$DEBUG/spy"
finish
