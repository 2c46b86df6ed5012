#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_flip.sh SECONDS LEAST [MODE]: change the VM's paging mode back and forth, by KVM's
# own file, for that long and at least so many times; leave it in MODE (nested). QEMU
# has noticed in the end, and the file and QEMU agree.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

F=$KVMDIR/paging_mode

# paging NAME: a line of what QEMU says
paging()
{
	symcall paging | sed -n "s/^$1 //p"
}

check 'may switch' [ "$(paging may-switch)" = true ]
before=$(paging switches)
end=$(($(date +%s) + $1))
n=0 refused=0
while [ "$(date +%s)" -lt "$end" ]; do
	for m in shadow nested; do
		# As root of the host may, whatever the guest does.
		if echo $m >"$F" 2>/dev/null; then
			n=$((n + 1))
		else
			refused=$((refused + 1))
		fi
		# Now and then long enough for the working set to be mapped, in either mode.
		[ $(((n + refused) % 7)) != 0 ] || sleep "0.$(((n + refused) / 7 % 4))"
	done
done
echo "# $n changes, $refused refused"
check "changed $n times, at least $2" [ "$n" -ge "$2" ]
check 'none refused' [ $refused = 0 ]
check 'QMP sets it' symcall paging "${3:-nested}"
equal 'the file agrees' "$(cat "$F")" "${3:-nested}"
equal 'and QEMU' "$(paging mode)" "${3:-nested}"
# The first may have been none.
switches=$(($(paging switches) - before))
check "QEMU counts $switches changes" [ $switches -ge $((n - 1)) ]
plan
