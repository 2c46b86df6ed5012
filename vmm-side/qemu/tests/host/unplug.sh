#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# unplug.sh: take CPU 1 away from a guest that says "mapped".

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

wait_for grep -qx mapped "$WORK/out"
eject 1
ok 'ejected'
plan
