#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit-py.sh BUILD: run the suites by the kernel's own kunit.py. Its QEMU
# configuration (kunit/symbiotic_vmm.py) finds our QEMU, or on a machine without
# the extended KVM the bench, under the name qemu-system-x86_64.

set -u

top=$(realpath "$(dirname "$0")/../..")
build=$(realpath "$1")
log=$build/log/kunit-py.log
mkdir -p "$build/log"

cd "$build/src/linux-guest" || exit 1
# timeout has a process group of its own, to which it passes a signal on.
trap 'trap "" INT TERM HUP; kill $job; wait $job; exit 143' INT TERM HUP
timeout 400 python3 tools/testing/kunit/kunit.py exec --arch x86_64 --timeout 300 \
	--build_dir "$(realpath "$build/guest")" --qemu_config "$top/kunit/symbiotic_vmm.py" >"$log" 2>&1 &
job=$!
wait $job
status=$?

# "Testing complete. Ran 63 tests: passed: 62, skipped: 1"
line=$(grep -E 'Testing complete' "$log" | tail -n 1)
number()
{
	n=$(echo "$line" | grep -oE "$1: [0-9]+" | grep -oE '[0-9]+')
	echo "${n:-0}"
}
passed=$(number passed)
failed=$(($(number failed) + $(number crashed) + $(number errors)))
skipped=$(number skipped)
if [ $status != 0 ] && [ $failed = 0 ]; then
	failed=1
fi
if [ $failed != 0 ] || [ "$passed" = 0 ]; then
	tail -n 40 "$log"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ "$passed" != 0 ]
