#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# suspend.sh: the features survive sleep. Deep sleep if the machine can wake up
# from it by its clock; else the kernel's test mode, which goes through all the
# same callbacks.

# shellcheck source=/dev/null
. ./lib.sh

echo 1 >/sys/power/pm_debug_messages 2>/dev/null
page=$(attr global_page)
all_cpus_work

# The kernel's own test: everything down to the syscore operations, and back.
if [ -e /sys/power/pm_test ]; then
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

if grep -qw deep /sys/power/mem_sleep 2>/dev/null && [ -e /dev/rtc0 ]; then
	echo deep >/sys/power/mem_sleep
	check 'deep sleep' rtcwake -s 3 -m mem
	equal state "$(attr state)" on
	equal 'same page' "$(attr global_page)" "$page"
	all_cpus_work
else
	echo 'note: no deep sleep here'
fi
finish
