#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# busy.sh user|kernel|idle|irqsoff [SECONDS]: keep CPU 0 in one kind of code
# while the host makes symcalls to it, then see that all is well. The work is
# checked: a register that a call does not restore would show.

# shellcheck source=/dev/null
. ./lib.sh

# pti=on must mean it.
! grep -qw pti=on /proc/cmdline || check 'page-table isolation' grep -qw pti /proc/cpuinfo
seconds=${2:-5}
before=$(attr cpu0/calls)

case $1 in
user)
	# Arithmetic on registers only; the result is known.
	sum=$(taskset -c 0 timeout "$((seconds + 60))" awk -v end="$seconds" 'BEGIN {
		srand(); start = srand()
		while (t - start < end) {
			s = 0
			for (i = 0; i < 200000; i++)
				s = (s * 31 + i) % 1000003
			if (first == "") first = s
			if (s != first) { print "wrong"; exit }
			srand(); t = srand()
		}
		print "right"
	}')
	equal 'arithmetic in user mode' "$sum" right
	;;
kernel)
	end=$(($(date +%s) + seconds))
	while [ "$(date +%s)" -lt "$end" ]; do
		taskset -c 0 dd if=/dev/zero of=/dev/null bs=64k count=200 2>/dev/null ||
			failures=$((failures + 1))
	done
	;;
idle)
	sleep "$seconds"
	;;
irqsoff)
	i=0
	while [ $i -lt "$((seconds * 10))" ]; do
		taskset -c 0 sh -c "echo 90 >$DEBUG/irqs_off"
		i=$((i + 1))
	done
	;;
esac

echo "calls $(($(attr cpu0/calls) - before))"
if [ "$3" != quiet ]; then
	check 'the host made calls' [ $(($(attr cpu0/calls) - before)) -gt 0 ]
fi
all_cpus_work
finish
