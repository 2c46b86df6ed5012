#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kexec.sh [crash]: boot the same kernel (./bzImage) again without a reset of
# the machine, in peace or from a crash. All features must work again. The
# second kernel gets this machine's root file system as its initrd, so it
# runs this script again and reports to the bench.

# shellcheck source=/dev/null
. ./lib.sh

if grep -q symb_kexec=1 /proc/cmdline; then
	equal state "$(attr state)" on
	equal 'lines in the log' "$(dmesg | grep -c 'symbiotic:')" 1
	all_cpus_work
	finish
fi

all_cpus_work
check 'kernel log' quiet_kernel
plan || exit

mkdir -p /tmp/root
cp -a /init /bin /job /tmp/root
for dir in etc lib lib64 usr; do
	[ -L "/$dir" ] || [ ! -e "/$dir" ] || cp -a "/$dir" /tmp/root
done
mkdir -p /tmp/root/proc /tmp/root/sys /tmp/root/dev /tmp/root/files /tmp/root/tmp
(cd /tmp/root && find . | cpio -o -H newc) >/tmp/initrd 2>/dev/null

cmdline="$(cat /proc/cmdline) symb_kexec=1"
if [ "$1" = crash ]; then
	cmdline="$cmdline nr_cpus=1 reset_devices"
	./kexec_file ./bzImage /tmp/initrd "$cmdline" crash || exit 1
	taskset -c "${2:-0}" sh -c 'echo c >/proc/sysrq-trigger'
else
	./kexec_file ./bzImage /tmp/initrd "$cmdline"
fi
echo 'no kexec'
exit 1
