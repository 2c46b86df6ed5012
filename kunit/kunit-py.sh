#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit-py.sh BUILD: run the suites by the kernel's own kunit.py, and let it judge what they
# said. Its QEMU configuration (symbiotic_vmm.py) finds our QEMU, or on a machine without
# the extended KVM the bench, under the name qemu-system-x86_64.

set -u

top=$(realpath "$(dirname "$0")/..")
build=$(realpath "$1")
log=$build/log/kunit-py.log
mkdir -p "$build/log"
# shellcheck source=vmm-side/e2e/ktap.sh
. "$top/vmm-side/e2e/ktap.sh"

cd "$build/src/linux-guest" || exit 1
kunit=tools/testing/kunit/kunit.py
# timeout has a process group of its own, to which it passes a signal on.
trap 'trap "" INT TERM HUP; kill $job; wait $job; exit 143' INT TERM HUP
timeout 400 python3 $kunit exec --arch x86_64 --timeout 300 --raw_output=kunit \
	--build_dir "$(realpath "$build/guest")" --qemu_config "$top/kunit/symbiotic_vmm.py" >"$log" 2>&1 &
job=$!
wait $job
result $? 'the machine'
# Their KTAP is nested in this one, as in kunit.py's account of it.
sed 's/^/  /' "$log"
python3 $kunit parse "$log" >"$log.verdict" 2>&1
status=$?
[ $status = 0 ] || sed 's/^/  # /' "$log.verdict"
result $status "kunit.py's verdict"
plan
