#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# paging_flip.sh SECONDS LEAST [MODE [WORD]]: change the VM's paging mode back and forth, by
# KVM's own file, for that long, or up to two minutes longer if vCPUs have not followed LEAST
# changes by then, or if there is a file $BESIDE; leave it in MODE (nested). Nothing counts once
# the guest's command has ended; one that waits for the host's WORD is given it then. QEMU has
# noticed in the end, and the file and QEMU agree.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh
# shellcheck source=vmm-side/qemu/tests/host/paging_lib.sh
. paging_lib.sh

F=$KVMDIR/paging_mode

# busy: the guest's command has not ended
busy()
{
	[ ! -e "$WORK/ended" ]
}

# change MODE: as root of the host may, whatever the guest does. Then a vCPU has its turn:
# a change that is taken back before one has followed is none.
change()
{
	busy || return
	if ! echo "$1" >"$F" 2>/dev/null; then
		refused=$((refused + 1))
		return
	fi
	n=$((n + 1)) tries=0
	while [ $tries -lt 50 ] && busy; do
		{ read -r follows <"$KVMDIR/paging_follows"; } 2>/dev/null || return
		if [ "$follows" != "$seen" ]; then
			seen=$follows followed=$((followed + 1))
			break
		fi
		tries=$((tries + 1))
	done
	# Now and then long enough for the working set to be mapped, in either mode.
	[ $((n % 33)) != 0 ] || sleep "0.$((n / 33 % 4))"
}

check 'may switch' [ "$(paging may-switch)" = true ]
before=$(paging switches)
seen=$(cat "$KVMDIR/paging_follows")
end=$(($(date +%s) + $1))
n=0 followed=0 refused=0
while now=$(date +%s) && [ $refused -lt 100 ] && [ "$now" -lt $((end + 120)) ] && busy; do
	[ "$now" -lt $end ] || [ $followed -lt "$2" ] || [ -e "${BESIDE:-}" ] || break
	for m in shadow nested shadow nested shadow nested shadow nested; do
		change $m
	done
done
check "followed $followed of $n changes, at least $2" [ $followed -ge "$2" ]
check 'none refused' [ $refused = 0 ]
[ -z "${BESIDE:-}" ] || check 'the command beside has ended first' [ ! -e "$BESIDE" ]
if [ -n "${4:-}" ]; then
	check 'the guest was at work all the time' busy
	check 'it is told' symcall word "$4"
fi
check 'QMP sets it' symcall paging "${3:-nested}"
equal 'the file agrees' "$(cat "$F")" "${3:-nested}"
equal 'and QEMU' "$(paging mode)" "${3:-nested}"
# The first may have been none.
switches=$(($(paging switches) - before))
check "QEMU counts $switches changes" [ $switches -ge $((n - 1)) ]
plan
