#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# discovery.sh shadow|nested|off|ignored: the guest has found the VMM and agreed on everything,
# or there is none and the kernel is quiet, or it was told not to look and says nothing.

# shellcheck source=/dev/null
. ./lib.sh

lines=$(dmesg | grep -c 'symbiotic:')

case $1 in
shadow | nested)
	features='symspy symcall '
	# SwapBypass rests on shadow paging.
	[ "$1" = shadow ] && features="${features}swapbypass "
	features="${features}dma-offset swap-grant "
	equal state "$(attr state)" on
	equal version "$(attr version)" 1.5
	equal features "$(attr features)" "$features"
	# Modules are for guests that were told to take them.
	equal offered "$(attr offered)" "${features}modules "
	check 'base in the hypervisor range' [ "$(attr cpuid_base)" != 0 ]
	check 'global page' [ "$(attr global_page)" != 0 ]
	check 'in the resource tree' grep -q ' : symspy' /proc/iomem
	equal 'lines in the log' "$lines" 1
	check 'discovered again' sh -c "echo discover >$DEBUG/control"
	all_cpus_work
	# As any other user would look.
	if command -v cpuid >/dev/null; then
		check 'cpuid shows the leaf' \
			sh -c 'cpuid -1 -r -l 0x90000000 | grep -q "eax=0x00563356"'
		check 'cpuid shows the base' \
			sh -c "cpuid -1 -r -l $(attr cpuid_base) | grep -q 'ebx=0x626d7953'"
	fi
	;;
off)
	equal state "$(attr state)" absent
	equal features "$(attr features)" ''
	check 'quiet' [ "$lines" -le 1 ]
	check 'no CPU directories' [ ! -e "$SYSFS/cpu0" ]
	check 'no symcall' [ "$(symcall 0 1 0x100 2>/dev/null)" = 'no symcall' ]
	# QEMU's own emulation reads 0 where hardware raises #GP.
	check 'no MSR' [ "$(./msr_test get 0 0x400000d0 2>/dev/null || echo 0)" = 0 ]
	check 'no published MSR' [ "$(./msr_test get 0 0x534 2>/dev/null || echo 0)" = 0 ]
	if command -v cpuid >/dev/null; then
		check 'no published leaf' \
			sh -c '! cpuid -1 -r -l 0x90000000 | grep -q "eax=0x00563356"'
	fi
	;;
ignored)
	equal state "$(attr state)" absent
	equal 'lines in the log' "$lines" 0
	;;
*)
	echo "usage: discovery.sh shadow|nested|off|ignored" >&2
	exit 2
	;;
esac
finish
