#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# replug.sh ROUNDS: take CPU 1 away from a guest that has said so in its word, 1, 3 and so on,
# give it another one, and say 2, 4 and so on (paging_plug.sh).

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

# plug: as QEMU describes it
plug()
{
	symcall qmp device_add \
		'{"driver":"host-x86_64-cpu","socket-id":0,"core-id":1,"thread-id":0}'
}

round=0
while [ $round -lt "$1" ]; do
	wait_info.sh "^guest-word 0x$((2 * round + 1))\$" || fail 'the guest'
	eject 1
	plug || fail 'no CPU comes'
	ok "round $((round + 1)): a CPU went, another one came"
	symcall word $((2 * round + 2)) || fail 'word'
	round=$((round + 1))
done
plan
