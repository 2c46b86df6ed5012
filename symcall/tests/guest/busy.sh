#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# busy.sh user|kernel|idle|irqsoff: keep CPU 0 in one kind of code while the
# host makes symcalls to it, then see that all is well. The work is checked: a
# register that a call does not restore would show.
#
# call_busy.sh is the host's side: it starts when the guest's word is 1 and
# writes 9 to its own when it has made its calls.

# shellcheck source=/dev/null
. ./lib.sh

# pti=on must mean it.
! grep -qw pti=on /proc/cmdline || check 'page-table isolation' grep -qw pti /proc/cpuinfo
deadline=$(($(date +%s) + 90))

# called: the host has made its calls, or it is too late for them
called()
{
	[ "$(attr host_word)" = 0x9 ] || [ "$(date +%s)" -ge "$deadline" ]
}

before=$(attr cpu0/calls)
echo 1 >"$SYSFS/guest_word"

case $1 in
user)
	# Arithmetic on registers only; the result is known.
	sum=$(taskset -c 0 timeout 120 awk -v end="$deadline" -v file="$SYSFS/host_word" 'BEGIN {
		while (word != "0x9" && now < end) {
			s = 0
			for (i = 0; i < 200000; i++)
				s = (s * 31 + i) % 1000003
			if (first == "") first = s
			if (s != first) { print "wrong"; exit }
			srand(); now = srand()
			getline word <file
			close(file)
		}
		print "right"
	}')
	equal 'arithmetic in user mode' "$sum" right
	;;
kernel)
	until called; do
		taskset -c 0 dd if=/dev/zero of=/dev/null bs=64k count=200 2>/dev/null || break
	done
	check 'work in the kernel' called
	;;
idle)
	until called; do
		sleep 0.5
	done
	;;
irqsoff)
	until called; do
		taskset -c 0 sh -c "echo 90 >$DEBUG/irqs_off"
	done
	;;
esac

check 'the host made its calls' [ "$(($(attr cpu0/calls) - before))" -ge 40 ]
all_cpus_work
finish
