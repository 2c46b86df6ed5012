#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# calls.sh shadow|nested: what a symcall may and may not do. A call that goes
# wrong is aborted: the caller sees -5 (SYMB_HC_EIO), and the vCPU takes no
# calls until the guest registers its entry again.

# shellcheck source=/dev/null
. ./lib.sh

TEST=1 NULL=0x100 WHO=0x101 SELFTEST=0x180
SPIN=0 EXITS=1 FAULT=2 HLT=3 STI=4 NESTED=5 DELAY=6

rearm()
{
	echo stop >"$DEBUG/control"
	echo start >"$DEBUG/control"
}

# aborted NAME ARGUMENTS...: the call is aborted, then calls work again
aborted()
{
	what=$1
	aborts=$(attr cpu0/aborts)
	shift
	equal "$what: aborted" "$(symcall 0 1 "$@")" -5
	equal "$what: calls are off" "$(symcall 0 1 $NULL)" -5
	equal "$what: the kernel knows" "$(attr cpu0/aborts)" $((aborts + 1))
	check "$what: the page says so" [ $(($(attr cpu0/flags) & 2)) = 0 ]
	rearm
	equal "$what: calls are on again" "$(symcall 0 1 $NULL)" 0
	# Other frames on the stack on which it was aborted.
	equal "$what: who" "$(symcall 0 1 $WHO)" 0
}

before=$(attr cpu0/calls)
equal 'null' "$(symcall 0 1 $NULL)" 0
equal '1000 null calls' "$(symcall 0 1000 $NULL)" 0
check 'counted' [ $(($(attr cpu0/calls) - before)) -ge 1001 ]
equal 'test' "$(symcall 0 1 $TEST 41)" 0
equal 'who' "$(symcall 0 1 $WHO)" 0
equal 'interrupts off' "$(symcall 0 100 $NULL 0 0 irqsoff)" 0

equal 'unknown number' "$(symcall 0 1 0x1ff)" 1
equal 'number beyond the table' "$(symcall 0 1 0x12345)" 1
equal '64-bit number' "$(symcall 0 1 0x100000001)" 1
equal 'bad argument' "$(symcall 0 1 $SELFTEST 99)" 2
equal 'memory lookup of nothing' "$(symcall 0 1 10 0 0)" "$(symcall 0 1 10 0 0)"
equal 'still fine' "$(symcall 0 1 $NULL)" 0

echo 1000 >"$DEBUG/context"
equal 'all registers come back' "$(cat "$DEBUG/context")" 'calls 1000 status 0 0'

equal 'exits inside a call' "$(symcall 0 100 $SELFTEST $EXITS)" 0
equal 'delay' "$(symcall 0 1 $SELFTEST $DELAY 100000)" 0
equal 'interrupts enabled inside a call' "$(symcall 0 20 $SELFTEST $STI 10000)" 0
equal 'a call inside a call' "$(symcall 0 1 $SELFTEST $NESTED)" 0
equal 'not active now' "$(($(attr cpu0/flags) & 1))" 0

if [ "$1" = shadow ]; then
	# Here KVM would have to inject the exception.
	aborted 'page fault' $SELFTEST $FAULT
else
	equal 'page fault, handled inside the call' "$(symcall 0 1 $SELFTEST $FAULT)" 0
fi
aborted 'HLT' $SELFTEST $HLT
aborted 'never returns' $SELFTEST $SPIN
aborted 'never returns, interrupts off' $SELFTEST $SPIN 0 irqsoff

# Wherever it is aborted, on its way in or out, or (5) as an RCU reader, the kernel can
# do without.
for where in 1 2 3 4 5; do
	aborts=$(attr cpu0/aborts)
	echo $where >"$DEBUG/spin_at"
	equal "stopped at $where: aborted" "$(symcall 0 1 $NULL)" -5
	echo 0 >"$DEBUG/spin_at"
	equal "stopped at $where: the kernel knows" "$(attr cpu0/aborts)" $((aborts + 1))
	rearm
	equal "stopped at $where: calls are on again" "$(symcall 0 1 $NULL)" 0
	check "stopped at $where: this CPU sleeps" taskset -c 0 sleep 0.1
done

# Time goes on, and so does everything else.
check 'timers work' sleep 1
all_cpus_work
finish
