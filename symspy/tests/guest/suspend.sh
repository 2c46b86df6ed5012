#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# suspend.sh [deep]: the features survive sleep. The kernel's test mode goes
# through all callbacks, down to the syscore operations, and back. With "deep"
# also real sleep, twice, on a machine whose firmware can resume (qboot cannot)
# and that the host wakes up.

# shellcheck source=/dev/null
. ./lib.sh

echo 1 >/sys/power/pm_debug_messages 2>/dev/null
page=$(attr global_page)
all_cpus_work

if [ -e /sys/power/pm_test ]; then
	check 'mem means deep' grep -qF '[deep]' /sys/power/mem_sleep
	echo core >/sys/power/pm_test
	for i in 1 2; do
		check "core test $i" sh -c 'echo mem >/sys/power/state'
		equal state "$(attr state)" on
		equal 'same page' "$(attr global_page)" "$page"
		all_cpus_work
	done
	echo none >/sys/power/pm_test
else
	check 'no /sys/power/pm_test' false
fi

if [ "$1" = deep ]; then
	echo deep >/sys/power/mem_sleep
	for i in 1 2; do
		check "deep sleep $i" sh -c 'echo mem >/sys/power/state'
		equal state "$(attr state)" on
		equal 'same page' "$(attr global_page)" "$page"
		all_cpus_work
	done
fi
finish
