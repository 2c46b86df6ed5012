#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# module_times.sh: load and unload nvme-core.ko ten times by symcall, and see what that takes;
# then the guest does it by insmod ("modules.sh times" there).

set -u
trap 'symcall word 9' EXIT

SYMBIOTIC_MODULES=$(dirname "$(command -v module_test.sh)")/modules
export SYMBIOTIC_MODULES

# now: in hundredths of a second
now()
{
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}

until symcall module list | grep -q '^policy signed'; do
	sleep 0.2
done
start=$(now)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	symcall module load nvme_core >/dev/null && symcall module unload nvme_core >/dev/null ||
		exit
done
echo "symcall module load and unload of nvme-core.ko: $(($(now) - start)) ms each"
symcall word 1
wait_info.sh 'guest-word 0x1$'
