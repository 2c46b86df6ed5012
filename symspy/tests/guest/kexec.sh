#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kexec.sh KERNEL INITRD: boot the same kernel again without a reset of the
# machine. The new kernel's command line says symb_kexec=1; there, the test is
# whether all features work again.

# shellcheck source=/dev/null
. ./lib.sh

if grep -q symb_kexec=1 /proc/cmdline; then
	equal state "$(attr state)" on
	equal 'lines in the log' "$(dmesg | grep -c 'symbiotic:')" 1
	all_cpus_work
	finish
fi

all_cpus_work
# shellcheck disable=SC2154 # from lib.sh
[ "$failures" = 0 ] || finish
kexec -l "$1" --initrd="$2" --append="$(cat /proc/cmdline) symb_kexec=1" || {
	echo 'FAILED kexec -l'
	exit 1
}
kexec -e
echo 'FAILED kexec -e'
exit 1
