#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hotplug.sh: CPUs go and come back; so do their page and their symcalls.

# shellcheck source=/dev/null
. ./lib.sh

all_cpus_work
for i in 1 2 3; do
	for dir in "$CPUS"/cpu[1-9]*; do
		n=${dir##*cpu}
		check "round $i: CPU $n off" sh -c "echo 0 >$dir/online"
		equal "CPU $n: no symcall" "$(attr "cpu$n/symcall")" 0
		equal "CPU $n: no local page" "$(attr "cpu$n/local_page")" 0x0
	done
	all_cpus_work
	for dir in "$CPUS"/cpu[1-9]*; do
		check "round $i: CPU ${dir##*cpu} on" sh -c "echo 1 >$dir/online"
	done
	all_cpus_work
done

check 'all off' sh -c "echo stop >$DEBUG/control"
equal state "$(attr state)" off
equal 'no symcall' "$(symcall 0 1 0x100 2>/dev/null)" 'no symcall'
check 'all on' sh -c "echo start >$DEBUG/control"
equal state "$(attr state)" on
all_cpus_work
finish
