#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_plug.sh ROUNDS: CPU 1 goes, the host takes it away and plugs in another one
# (replug.sh), which then works; the other CPU does so all the time.

# shellcheck source=/dev/null
. ./lib.sh

taskset -c 0 ./gups -m 16 -u 1000000000000 >/dev/null &
busy=$!
round=0
while [ $round -lt "$1" ]; do
	check 'CPU 1 off' sh -c "echo 0 >$CPUS/cpu1/online"
	echo $((2 * round + 1)) >"$SYSFS/guest_word"
	./wait_host.sh $((2 * round + 2))
	check 'CPU 1 on' sh -c "echo 1 >$CPUS/cpu1/online"
	all_cpus_work
	subtest 'CPU 1 works' taskset -c 1 ./gups -m 16 -u 200000 -n 5
	round=$((round + 1))
done
check 'CPU 0 has worked' kill $busy
finish
