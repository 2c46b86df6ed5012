#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # run by the lines behind
#
# jobs.sh COUNTER...: runs in the guest, with lines "job COMMAND..." behind it: one benchmark
# program after the other, with a mark before each and its status behind it. The bench takes
# KVM's counters in between. The programs read the symbiotic COUNTERs that this guest has around
# each of their passes.

counters=$*
later=''

job()
{
	if [ -n "$later" ]; then
		echo mark >&3
		read -r _ <&3
	fi
	later=1
	echo '--- job'
	echo '--- job' >&2
	grep -E '^(MemTotal|MemAvailable|SwapTotal)' /proc/meminfo
	for counter in $counters; do
		counter=/sys/kernel/symbiotic/bypass/$counter
		[ ! -r "$counter" ] || set -- "$@" -C "$counter"
	done
	"$@" 3>&-
	echo "--- status $?"
}

