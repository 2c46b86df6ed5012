#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Test QEMU's commands and the symcall tool, on the host of a running guest:
#
#   symcall_test.sh CASE [WORD]		$QMP names QEMU's socket
#
# The guest does its part until the host's word is 9 ("wait_host.sh 9" there);
# in the case "offline" CPU 1 goes at 1 and comes back at 2. Cases that do
# something else while a call runs need a second monitor at $WORK/qmp2.

set -u
trap 'symcall word 9' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

# other COMMAND...: symcall by the other monitor
other()
{
	symcall -q "$WORK/qmp2" "$@"
}

# begin [-t SECONDS] VCPU NUMBER [ARGUMENT...]: a call that is under way on return;
# end STATUS PATTERN: what comes of it
begin()
{
	seconds=200
	[ "$1" != -t ] || { seconds=$2; shift 2; }
	symcall -t "$seconds" call "$@" >"$WORK/call" 2>&1 &
	caller=$!
	n=0
	until other info | grep -q "^vcpu $1 .*symcall-active 1"; do
		n=$((n + 1))
		if [ $n -gt 300 ] || ! kill -0 $caller; then
			cat "$WORK/call"
			fail "call $*: not seen to run"
		fi
	done
	ok "call $* has begun"
}

end()
{
	wait $caller
	status=$?
	if [ "$status" != "$1" ] || ! grep -q -- "$2" "$WORK/call"; then
		cat "$WORK/call"
		fail "the call: status $status, expected $1 and /$2/"
	fi
	ok "the call has ended with $2"
}

# now: in hundredths of a second
now()
{
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}

# long VCPU: a number of loops that take a call seconds
long()
{
	loops=1000000 took=0
	while [ $took -lt 200 ]; do
		loops=$((loops * 2))
		start=$(now)
		symcall call "$1" 0x180 6 $loops >/dev/null || exit
		took=$(($(now) - start))
	done
}

# reads: of the guest from its disks so far
reads()
{
	other qmp query-blockstats | tr , '\n' |
		awk -F : '/"rd_operations":/ { n += $NF } END { print n }'
}

# from_now; so_far: sets $took and $got to the time and the reads since then
from_now()
{
	start=$(now) before=$(reads)
}

so_far()
{
	took=$(($(now) - start)) got=$(($(reads) - before))
	echo "# $got reads in $took hundredths of a second"
}

# as_fast: in a call on vCPU 0, which goes on, the disk is at least a quarter as fast as it was
# before ($alone_got reads in $alone_took). If reads wait for the end of a call there are none; if
# short calls follow each other, one for each, a twentieth. What a call interrupts may hold a
# lock that the other vCPU spins for: then the guest stands still, whatever QEMU does, and the
# call is over before anything is as fast.
as_fast()
{
	begin 0 0x180 6 $((loops * 5))
	from_now
	sleep 3
	until so_far && [ $((4 * got * alone_took)) -ge $((alone_got * took)) ]; do
		if ! other info | grep -q '^vcpu 0 .*symcall-active 1'; then
			end 0 '^status 0 '
			return 1
		fi
		sleep 1
	done
}

# Enabled on both vCPUs of the guest: the start of most cases.
wait_info.sh 'vcpu 1 .*symcall-enabled 1' || exit
expect 0 '^features 0x3f$' symcall info

case $1 in
basic)
	expect 0 '^vcpu 0: ok' symcall ping 0
	expect 0 '^vcpu 1: ok' symcall ping
	expect 0 '^ *1 .*\(user\|idle\|kernel\)' symcall who
	expect 0 '^rbx 0x2a$' symcall call 0 1 41 0xffffffffffffffff
	expect 0 '^rcx 0xffffffffffffffff$' symcall call 1 1 41 0xffffffffffffffff
	expect 1 '^status 1 ' symcall call 0 999
	expect 1 '^status 1 ' symcall call 0 0xffffffffffffffff
	expect 2 'not a valid' symcall call 0 1 x
	expect 2 'wrong command' symcall call 0 1 1 2 3 4 5 6
	expect 3 'There is no vCPU 7' symcall ping 7
	expect 0 '' symcall word 77
	expect 0 '^host-word 0x4d$' symcall info
	# The state lives in KVM; saving the VM would lose it.
	# shellcheck disable=SC2016 # JSON
	expect 3 'cannot be saved or migrated' \
		symcall qmp migrate '{"uri":"exec:cat >/dev/null"}'
	expect 0 'cannot be saved or migrated' \
		symcall qmp human-monitor-command '{"command-line":"savevm x"}'
	;;
who)
	# The guest runs an endless loop of the program WORD on each vCPU.
	n=0
	until symcall who | grep -c " $2  *user$" | grep -q 2; do
		n=$((n + 1))
		[ $n -le 50 ] || { symcall who; fail 'user mode is never seen'; }
	done
	ok 'user mode on both'
	;;
many)
	# Under load; each must answer, whatever it interrupts.
	i=0
	while [ $i -lt 60 ]; do
		symcall ping >/tmp/many.out || { cat /tmp/many.out; fail "ping $i"; }
		i=$((i + 1))
	done
	ok "$i pings"
	;;
paused)
	expect 0 '' symcall qmp stop
	expect 3 'not running' symcall ping 0
	expect 0 '^vcpu 1 .*enabled 1' symcall info
	expect 0 '' symcall qmp cont
	expect 0 '^vcpu 1: ok' symcall ping
	;;
aborts)
	# An aborted call ends symcalls on its vCPU, and only there.
	expect 0 '^status 0 ' symcall call 0 0x180 1
	expect 0 '^status 0 ' symcall call 0 0x180 6 1000
	expect 1 '^status -5 ' symcall call 0 0x180 2
	expect 1 '^status -6 ' symcall call 0 1
	expect 0 '^vcpu 1: ok' symcall ping 1
	expect 1 '^status -110 ' symcall call 1 0x180 0
	expect 1 '^status -6 ' symcall call 1 1
	expect 0 'vcpu 1 .*symcall-enabled 0 symcall-active 0' symcall info
	;;
async)
	# vCPU 0 is in a call, and the rest goes on: the other vCPU's disk, the other monitor,
	# a call on the other vCPU. All of it before the call ends. The guest must be at it:
	# what starts it may be on vCPU 0.
	n=0
	until [ "$(reads)" -gt 100 ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || fail 'the guest reads nothing'
	done
	long 0
	from_now
	sleep 3
	until so_far && [ $got -ge 20 ]; do
		sleep 1
	done
	alone_took=$took alone_got=$got
	n=0
	until as_fast; do
		n=$((n + 1))
		[ $n -lt 5 ] || fail 'the disk stands still while there is a call'
	done
	ok 'the disk is at least a quarter as fast as before the call'
	expect 0 '^vcpu 1: ok' other ping 1
	expect 3 'still in a symcall' other call 0 1
	expect 0 '"status":"running"' other qmp query-status
	expect 0 '^vcpu 0 .*symcall-active 1' other info
	end 0 '^status 0 '
	;;
meanwhile)
	long 0
	# Who has asked goes away: the call ends well, and nobody hears of it.
	begin 0 0x180 6 $loops
	kill $caller
	expect 0 '^vcpu 0 .*symcall-active 1' symcall info
	wait_info.sh 'vcpu 0 .*symcall-enabled 1 symcall-active 0' || exit
	expect 0 '^vcpu 0: ok' symcall ping 0
	# The VM is paused in the call, which is finished afterwards.
	begin 0 0x180 6 $loops
	expect 0 '' other qmp stop
	expect 0 '^vcpu 0 .*symcall-active 1' other info
	expect 3 'not running' other ping 1
	expect 0 '' other qmp cont
	end 0 '^status 0 '
	# It is paused for longer than the caller waits, who is told in time.
	begin -t 2 0 0x180 6 $((loops * 4))
	expect 0 '' other qmp stop
	end 3 'no answer in time'
	expect 0 '' other qmp cont
	expect 3 'still in a symcall' other call 0 1
	wait_info.sh 'vcpu 0 .*symcall-enabled 1 symcall-active 0' || exit
	expect 0 '^vcpu 0: ok' symcall ping 0
	# One name, two calls; no name, no call; none waits for weeks.
	name='{"id":"a","cpu-index":0,"number":384,"args":[6,'$loops']}'
	expect 0 '' other qmp x-symcall "$name"
	expect 3 'There is a symcall' other qmp x-symcall '{"id":"a","cpu-index":1,"number":1}'
	wait_info.sh 'vcpu 0 .*symcall-enabled 1 symcall-active 0' || exit
	expect 0 '' other qmp x-symcall '{"id":"a","cpu-index":1,"number":1}'
	expect 3 'timeout must be' other qmp x-symcall '{"id":"b","cpu-index":1,"number":1,"timeout":4294967295}'
	expect 3 'timeout must be' other qmp x-symcall '{"id":"b","cpu-index":1,"number":1,"timeout":0}'
	expect 3 'no vCPU 4294967296' other qmp x-symcall '{"id":"b","cpu-index":4294967296,"number":1}'
	;;
unplug)
	# The vCPU goes in the middle of a call. The guest, which knows nothing of it,
	# is good for nothing after that.
	begin 1 0x180 0
	eject 1 -q "$WORK/qmp2"
	end 3 'was unplugged'
	expect 3 'There is no vCPU 1' other ping 1
	expect 0 '^vcpu 0: ok' other ping 0
	plan
	trap - EXIT
	other qmp quit
	exit
	;;
quit)
	# QEMU is to end, whatever a vCPU does.
	begin 0 0x180 0
	plan
	trap - EXIT
	other qmp quit
	exit
	;;
abandoned)
	# For a budget (kvm.symcall_budget_ms) far beyond 2 s.
	expect 3 'no answer in time' symcall -t 2 call 0 0x180 0
	expect 3 'still in a symcall' symcall call 0 1
	expect 0 '^vcpu 1: ok' symcall ping 1
	expect 0 'vcpu 0 .*symcall-active 1' symcall info
	wait_info.sh 'vcpu 0 .*symcall-enabled 0 symcall-active 0' || exit
	# The vCPU's thread gives the call back just after that.
	n=0
	while [ $n -lt 300 ] && symcall call 0 1 2>&1 | grep -q 'still in a symcall'; do
		n=$((n + 1))
	done
	expect 1 '^status -6 ' symcall call 0 1
	;;
offline)
	expect 0 '^vcpu 1: ok' symcall ping
	expect 0 '' symcall word 1
	wait_info.sh 'vcpu 1 local-page 0x0 symcall-enabled 0' || exit
	expect 1 '^vcpu 1: .*no symcalls' symcall ping
	expect 0 '^vcpu 0: ok' symcall ping 0
	expect 0 '' symcall word 2
	wait_info.sh 'vcpu 1 .*symcall-enabled 1' || exit
	expect 0 '^vcpu 1: ok' symcall ping
	;;
reset)
	expect 0 '' symcall word 77
	begin 0 0x180 0
	expect 0 '' other qmp system_reset
	end 3 'was reset'
	wait_info.sh '^global-page 0x0$' || exit
	expect 0 '^vcpu 1 local-page 0x0 symcall-enabled 0' symcall info
	wait_info.sh 'vcpu 1 .*symcall-enabled 1' || exit
	expect 0 '^host-word 0x0$' symcall info
	expect 0 '^vcpu 1: ok' symcall ping
	;;
*)
	echo "symcall_test.sh: no such case: $1"
	exit 2
	;;
esac
plan
