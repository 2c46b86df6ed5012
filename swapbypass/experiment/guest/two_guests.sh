#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# two_guests.sh MIB OPERATIONS: what each of two guests runs that share memory of the host: a
# key-value store of MIB, OPERATIONS a pass. It begins, works, rests and ends as the host's
# word says (the host's two_guests.sh). Writes 1 to the guest's word when it has begun, and
# prints "passes N" since then.

words=/sys/kernel/symbiotic
out=/dev/shm/kv

told()
{
	echo $(($(cat $words/host_word)))
}

passes()
{
	grep -c ^pass $out
}

until [ "$(told)" = 1 ]; do sleep 0.1; done
./kv -m "$1" -n 1000 -u "$2" -o >$out &
store=$!
until [ "$(passes)" -gt 0 ]; do sleep 0.1; done
echo 1 >$words/guest_word
before=$(passes)
while :; do
	case $(told) in
	1) kill -CONT $store ;;
	2) kill -STOP $store ;;
	3) break ;;
	esac
	sleep 0.1
done
kill -CONT $store
kill $store
echo "passes $(($(passes) - before))"
