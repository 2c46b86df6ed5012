# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables for the scripts that use it
#
# For the test scripts that run in the guest: `. ./lib.sh`, any number of
# checks (ktap.sh), `finish` last. A script that ends without it has failed.

# shellcheck source=vmm-side/e2e/ktap.sh
. ./ktap.sh

SYSFS=/sys/kernel/symbiotic
DEBUG=/sys/kernel/debug/symbiotic
CPUS=/sys/devices/system/cpu

# wait_for TENTHS COMMAND...: until the command succeeds, for so many tenths of
# a second at least; the caller checks what it waited for
wait_for()
{
	n=$1
	shift
	until "$@" || [ "$n" -le 0 ]; do
		n=$((n - 1))
		sleep 0.1
	done
}

# attr NAME: an attribute below $SYSFS
attr()
{
	cat "$SYSFS/$1"
}

# symcall CPU N NR [ARG0 [ARG1 [irqsoff]]]: print the status of the last call
symcall()
{
	cpu=$1
	shift
	taskset -c "$cpu" sh -c "echo $* >$DEBUG/symcall" || {
		echo "no symcall"
		return
	}
	# shellcheck disable=SC2046 # words wanted
	set -- $(cat "$DEBUG/symcall")
	echo "$8"
}

# all_cpus_work: every online CPU has its page and answers symcalls
all_cpus_work()
{
	for dir in "$CPUS"/cpu[0-9]*; do
		n=${dir##*cpu}
		[ "$(cat "$dir/online" 2>/dev/null || echo 1)" = 1 ] || continue
		equal "CPU $n: symcall enabled" "$(attr "cpu$n/symcall")" 1
		check "CPU $n: local page" [ "$(attr "cpu$n/local_page")" != 0 ]
		equal "CPU $n: call" "$(symcall "$n" 10 0x100)" 0
	done
}

# The kernel has nothing to complain about.
# (KVM's emulated xstate sizes are no concern of ours.)
quiet_kernel()
{
	! dmesg | grep -E 'BUG|WARNING|Oops|suspicious RCU|rcu.*stall|lockup' |
		grep -v fpu__init_system_xstate
}

finish()
{
	check 'kernel log' quiet_kernel
	plan
	exit
}
