#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lies.sh SECONDS: the VMM lies in the SymSpy pages while the guest starts and stops its
# features and calls come; the guest goes on, and with the truth all is as before.

# shellcheck source=/dev/null
. ./lib.sh

# What is offered has nothing to do with the pages.
offered=$(attr offered)
all_cpus_work
check 'lies, with the features off and on' ./vmm_lies -t "$1" -s 1 -r
equal 'on again' "$(attr state)" on
equal 'as much is offered' "$(attr offered)" "$offered"
all_cpus_work

# The same while they stay on, and calls come from both sides.
./vmm_lies -t "$1" -s 2 &
lying=$!
while kill -0 $lying 2>/dev/null; do
	for n in 0 1; do
		symcall "$n" 100 0x100 >/dev/null
	done
done
check 'lies, with the features on' wait $lying
echo stop >"$DEBUG/control"
check 'on once more' sh -c "echo start >$DEBUG/control"
all_cpus_work
finish
