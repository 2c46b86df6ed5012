#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_two.sh SECONDS LEAST: the rig's guest, under shadow paging, and another one like it,
# under nested paging. Both work, and look at all that they write, while first neither of
# them changes its mode, then the one and then the other, for SECONDS and LEAST times or more
# (paging_flip.sh). Neither has anything of the other's changes.
#
# Their command begins when the host's word is 1, and makes the guest's own 2 at its end.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/second.sh
. second.sh

first=${QMP%/qmp}
first_dir=$KVMDIR

# count DIR COUNTER: KVM's, of that VM
count()
{
	cat "$1/$2"
}

# rises DIR COUNTER: within 20 seconds
rises()
{
	was=$(count "$1" "$2") n=0
	until [ "$(count "$1" "$2")" -gt "$was" ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.2
	done
}

# seen DIR [COUNTER]: what a change of its mode would change. Flushes of single pages are exits
# under shadow paging alone.
seen()
{
	for counter in paging_mode paging_shadow paging_switches ${2:-}; do
		count "$1" "$counter"
	done
}

# works DIRECTORY: its command has not ended
works()
{
	symcall -q "$1/qmp" info | grep -q '^guest-word 0x0$'
}

trap second_leave EXIT
second_start ''
if ! second_says ready; then
	result 1 'the second guest'
	plan
	exit
fi
second_loose

check 'the second to nested paging' symcall -q "$second/qmp" paging nested
equal 'the first is in the other' "$(count "$first_dir" paging_mode)" shadow
equal 'the second in nested' "$(count "$second_dir" paging_mode)" nested
second_tell go
for vm in "$first" "$second"; do
	check 'begin' symcall -q "$vm/qmp" word 1
done
# Each in its own.
before=$(seen "$second_dir" invlpg)
check 'the first is shadowed' rises "$first_dir" invlpg
equal 'the second is not' "$(seen "$second_dir" invlpg)" "$before"

subtest 'the first changes' paging_flip.sh "$1" "$2" shadow
equal 'the second has nothing of it' "$(seen "$second_dir" invlpg)" "$before"
before=$(seen "$first_dir")
export QMP="$second/qmp" KVMDIR="$second_dir"
subtest 'the second changes' paging_flip.sh "$1" "$2" nested
equal 'the first has nothing of it' "$(seen "$first_dir")" "$before"
for vm in "$first" "$second"; do
	check 'all the time it was at work' works "$vm"
done

second_says exit
# shellcheck disable=SC2154 # of second_says
equal 'the second has lost nothing' "$verb $rest" 'exit 0'
sed 's/^/# second: /' "$second/out"
second_tell bye
plan
