#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kvm_selftests.sh: of the kernel's own tests of KVM (../selftests), those that pass here
# do so, too, in VMs that change their paging mode all the time.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

ran=0
for program in "${0%/*}"/selftest-*; do
	name=${program##*/selftest-}
	timeout 120 "$program" >/run/said 2>&1
	status=$?
	if [ $status != 0 ]; then
		skip "$name" "its status is $status without changes"
		continue
	fi
	PAGING=switched timeout 300 "$program" >/run/said 2>&1
	status=$?
	changes=$(sed -n 's/^changes //p' /run/said)
	[ "${changes:-0}" = 0 ] || ran=$((ran + 1))
	[ $status = 0 ] || sed 's/^/# /' /run/said
	result $status "$name, ${changes:-0} changes"
done
# Or else this has tested little.
check "$ran had changes" [ $ran -ge 10 ]
plan
