#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kvm_selftests.sh: of the kernel's own tests of KVM (../selftests), those that pass here
# do so, too, in VMs that change their paging mode all the time.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# short NAME: options of those that take a lot of time or memory without
short()
{
	case $1 in
	demand_paging_test | kvm_page_table_test) echo '-b 32M' ;;
	dirty_log_test) echo '-M clear-log -i 4' ;;
	# Not reads and writes of 512 MiB: they have ten seconds, however often all of it has
	# to be mapped anew.
	memslot_perf_test) echo '-s 64 -l 1 -e 4' ;;
	esac
}

ran=0
for program in "${0%/*}"/selftest-*; do
	name=${program##*/selftest-}
	options=$(short "$name")
	# shellcheck disable=SC2086 # a list
	timeout 120 "$program" $options >/run/said 2>&1
	status=$?
	if [ $status != 0 ]; then
		skip "$name" "its status is $status without changes"
		continue
	fi
	# shellcheck disable=SC2086
	PAGING=switched timeout 300 "$program" $options >/run/said 2>&1
	status=$?
	changes=$(sed -n 's/^changes //p' /run/said)
	[ "${changes:-0}" = 0 ] || ran=$((ran + 1))
	[ $status = 0 ] || sed 's/^/# /' /run/said
	result $status "$name, ${changes:-0} changes"
done
# Or else this has tested little.
check "$ran had changes" [ $ran -ge 10 ]
plan
