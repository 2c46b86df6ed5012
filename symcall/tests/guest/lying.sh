#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lying.sh: the guest registers an entry that cannot work. Only for shadow
# paging: with nested paging the guest's own page-fault handler gets the fault,
# on a stack that is not there, and the guest dies of its lie.

# shellcheck source=/dev/null
. ./lib.sh

RIP=0x536 RSP=0x537 CS=0x538 GS=0x539
HOLE=0xffff800000001000		# canonical, never mapped

rearm()
{
	echo stop >"$DEBUG/control"
	echo start >"$DEBUG/control"
}

# lie NAME MSR VALUE
lie()
{
	good=$(./msr_test get 0 "$2")
	check "$1: accepted" ./msr_test set 0 "$2" "$3"
	equal "$1: aborted" "$(symcall 0 1 0x100)" -5
	equal "$1: off" "$(symcall 0 1 0x100)" -5
	./msr_test set 0 "$2" "$good"
	equal "$1: the kernel knows" "$(attr cpu0/symcall)" 0
	rearm
	equal "$1: works again" "$(symcall 0 1 0x100)" 0
}

lie 'RIP in a hole' $RIP $HOLE
lie 'RIP in user space' $RIP 0x1000
lie 'RSP in a hole' $RSP $HOLE
lie 'RSP in user space' $RSP 0x8000
lie 'GS in a hole' $GS $HOLE

# CS only names the selector: what counts is loaded by the VMM.
good=$(./msr_test get 0 $CS)
check 'CS: another selector' ./msr_test set 0 $CS 0x40
equal 'CS: call' "$(symcall 0 1 0x100)" 0
./msr_test set 0 $CS "$good"

# No entry at all.
./msr_test set 0 $RIP 0
equal 'RIP 0: off' "$(symcall 0 1 0x100)" -5
rearm
equal 'RIP back: on' "$(symcall 0 1 0x100)" 0
all_cpus_work
finish
