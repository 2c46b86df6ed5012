#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# module_test.sh CASE [WORD...]: offer modules to a running guest; its part is modules.sh.
# Modules are beside this script: modules/BUILD-ID/, and bad ones in modules/bad/.
# Cases in which two monitors are needed have the second one at $WORK/qmp2.

set -u
trap 'symcall word 9' EXIT

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

case=$1
here=$(dirname "$(command -v module_test.sh)")
export SYMBIOTIC_MODULES="$here/modules"

# Of this guest's kernel.
find_dirs()
{
	id=$(symcall module list | sed -n 's/^build-id //p')
	good=$SYMBIOTIC_MODULES/$id bad=$SYMBIOTIC_MODULES/bad/$id
}

other()
{
	symcall -q "$WORK/qmp2" "$@"
}

load()
{
	expect 0 '^symtest loaded$' symcall module load symtest "$@"
}

unload()
{
	expect 0 '^symtest unloaded$' symcall module unload symtest
}

# The offer to unload is written to as well: one of another name, or of nothing. How often
# that comes too late for the writer is a matter of the machine, so it rests in the end.
unload_changed()
{
	tries=0
	until symcall module unload symtest >"$WORK/said" 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ] || ! grep -q '(2)\|(22)\|(27)\|(61)\|(95)' "$WORK/said"; then
			fail "unload: $(cat "$WORK/said")"
		fi
		[ $tries != 100 ] || kill -STOP "$writer"
	done
	kill -CONT "$writer"
}

# Nothing is shown to the guest, and nobody is busy.
nothing_shown()
{
	expect 0 '^offer none$' symcall module list
	result "$(symcall qmp human-monitor-command '{"command-line":"info mtree -f"}' |
		grep -c symbiotic-module)" 'nothing is shown to the guest'
}

# refused FILE ERRNO...: the guest says one of these of a bad module
refused()
{
	file=$1
	shift
	out=$(symcall module offer "$bad/$file.ko" symtest 2>&1)
	status=$?
	for errno; do
		case $out in
		*"($errno)") [ $status != 1 ] || { ok "$file: $errno"; return; } ;;
		esac
	done
	fail "$file: status $status, $out"
}

# Another kernel, or the same anew: what was there is not, and the test's module can come.
another_boot()
{
	wait_for sh -c 'symcall module list | grep -q "^policy signed"'
	symcall module list | grep -q '^module' && fail 'modules of another boot'
	load
}

# in_background COMMAND...; then ended STATUS PATTERN
in_background()
{
	"$@" >"$WORK/said" 2>&1 &
	caller=$!
}

ended()
{
	wait $caller
	status=$?
	if [ $status != "$1" ] || ! grep -q -- "$2" "$WORK/said"; then
		cat "$WORK/said"
		fail "status $status, expected $1 and /$2/"
	fi
	ok "ended with $2"
}

# symtest itself, and not what it needs, which the guest takes before it
wait_taken()
{
	wait_for sh -c "symcall -q $WORK/qmp2 module list >$WORK/list &&
		grep -q '^offer taken$' $WORK/list && grep -q '^module symtest_base ' $WORK/list"
}

# After the guest has booted, and has seen that there is no module yet.
case $case in
off | none) ;;
*)
	wait_for sh -c 'symcall module list | grep -q "^policy signed"'
	find_dirs
	[ "$case" = reset ] || wait_info.sh 'guest-word 0x[12]$' || exit
	;;
esac

case $case in
off)
	# A guest that was not told to take modules; or kitten, which cannot.
	wait_info.sh 'vcpu 0 .*symcall-enabled 1' || exit
	expect 0 '^policy none$' symcall module list
	expect 1 'takes no modules' symcall module load symtest
	expect 3 'takes no modules' symcall module offer "$0" symtest
	expect 1 '^status 1 ' symcall call 0 0x120 1 0x1000 0x1000
	nothing_shown
	;;
none)
	# A VM that offers none.
	expect 3 'offers no modules' symcall module offer "$0" symtest
	;;
load)
	expect 0 '^vermagic 6' symcall module list
	load 'text="a b"'
	expect 0 '^module symtest_base loaded$' symcall module list
	expect 0 '^module symtest loaded$' symcall module list
	expect 3 'already' symcall module load symtest
	symcall word 1
	wait_for sh -c '! symcall module list | grep -q "^module symtest "'
	ok 'it has gone by hand'
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	i=0
	while [ $i -lt 20 ]; do
		load
		unload
		expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
		i=$((i + 1))
	done
	nothing_shown
	;;
bad)
	# EBADMSG 74, EKEYREJECTED 129, ENOEXEC 8, ENOENT 2; ENOKEY, ENODATA and ENOPKG are
	# EKEYREJECTED by the time that the guest says so.
	expect 0 'symtest_base loaded' symcall module load symtest_base
	refused unsigned 129
	refused wrong-key 129
	refused flipped-text 129
	refused flipped-signature 129 74 22
	refused flipped-size 129 74
	refused signature-alone 129 74
	refused overlapping 129
	refused relocation-outside 129
	refused truncated 8
	refused no-elf 8
	refused tiny 8
	refused huge-section 8
	refused huge-modinfo 8
	refused section-outside 8
	refused vermagic 8
	refused unknown-symbol 2
	# What the tool says before the guest is asked.
	expect 1 'is for .*, the guest is' symcall module load "$bad/vermagic.ko"
	expect 1 'is cut off' symcall module load "$bad/truncated.ko"
	# Signed or not, a module has no parameters then that turn it to other hardware.
	if [ "${2:-}" = locked ]; then
		expect 1 '(1)' symcall module load symtest port=1
	else
		load port=1
		unload
	fi
	# Another name than it has.
	expect 1 '(22)' symcall module offer "$good/symtest.ko" other
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	nothing_shown
	;;
args)
	long=$(head -c 1000 /dev/zero | tr '\0' x)
	load "text=$long"
	unload
	expect 2 'may have 1023' symcall module load symtest "text=$long$long"
	# Beneath the tool: what QEMU says; the guest's own checks are KUnit's.
	name='"id":"a","fd":"x","name":"symtest"'
	expect 3 'File descriptor' symcall qmp x-symbiotic-module-load "{$name}"
	: >"$WORK/empty"
	expect 3 '0 bytes' symcall module offer "$WORK/empty" symtest
	truncate -s 17M "$WORK/big"
	expect 3 ' 17825792 bytes, the guest takes' symcall module offer "$WORK/big" symtest
	expect 3 "letters, digits" symcall module offer "$0" 'a/b'
	expect 1 '^none failed.*(2)' symcall module unload none
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	nothing_shown
	;;
fail)
	expect 1 '(5)' symcall module load symtest init=fail
	load
	expect 1 '^symtest_base failed.*(11)' symcall module unload symtest_base
	unload
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	nothing_shown
	;;
sleep)
	# The guest's deadline is 5 s; while an init sleeps no other module is taken.
	in_background symcall -t 100 module load symtest init=sleep
	wait_taken
	expect 3 'There is an offer already' other module load symtest_base
	ended 1 '^symtest overdue'
	expect 0 '^module symtest overdue$' symcall module list
	expect 1 'busy with another' symcall module offer "$bad/tiny.ko" tiny
	in_background symcall -t 100 event SYMBIOTIC_MODULE
	wait_for grep -q waiting "$WORK/said"
	other word 1
	ended 0 '"change":"loaded"'
	expect 0 '^module symtest loaded$' symcall module list
	unload
	# Its exit, too. It is there until that has ended, and nobody else has a turn.
	load exit=sleep
	expect 1 "exit takes too long" symcall -t 100 module unload symtest
	expect 0 '^module symtest loaded$' symcall module list
	expect 1 'busy with another' symcall module offer "$bad/tiny.ko" tiny
	symcall word 2
	wait_for sh -c '! symcall module list | grep -q "^module symtest "'
	wait_for sh -c 'symcall module unload symtest_base >/dev/null'
	nothing_shown
	;;
oops)
	# In its init, by oops or bug, or in its exit. The kernel goes on, and takes others.
	if [ "$2" = exit ]; then
		load exit=oops
		expect 1 '^symtest dead' symcall module unload symtest
		expect 0 '^module symtest dead$' symcall module list
	else
		expect 1 '^symtest dead' symcall module load symtest "init=$2"
	fi
	expect 1 '(8)' symcall module offer "$bad/tiny.ko" tiny
	expect 1 '(11)' symcall module unload symtest_base
	nothing_shown
	;;
crash)
	load
	in_background symcall -t 100 event SYMBIOTIC_MODULE
	wait_for grep -q waiting "$WORK/said"
	other word 1
	ended 0 '"change":"dead"'
	expect 0 '^module symtest dead$' symcall module list
	;;
withdraw)
	# Sooner or later: each time one of two things is so, and nothing stays.
	expect 3 'There is no offer' symcall module withdraw
	expect 0 'symtest_base loaded' symcall module load symtest_base
	i=0 withdrawn=0 taken=0 busy=0
	while [ $i -lt 40 ]; do
		in_background symcall module load symtest
		until other module withdraw >"$WORK/withdraw" 2>&1; do
			! grep -q 'has taken' "$WORK/withdraw" || break
			kill -0 $caller 2>/dev/null || break
		done
		if wait $caller; then
			taken=$((taken + 1))
			symcall module unload symtest >/dev/null || fail 'unload'
		elif grep -q 'busy with another' "$WORK/said"; then
			# The one before, whose memory it finds gone.
			busy=$((busy + 1))
		else
			grep -q 'failed: withdrawn' "$WORK/said" || fail "$(cat "$WORK/said")"
			withdrawn=$((withdrawn + 1))
		fi
		i=$((i + 1))
	done
	echo "# $withdrawn withdrawn, $taken taken, $busy too early"
	# The guest may still be busy with the last one.
	wait_for sh -c 'symcall module unload symtest_base | grep -q "^symtest_base unloaded$"'
	nothing_shown
	;;
changed)
	# Somebody writes to the offer's memory while the guest copies it: it is loaded as it
	# was, or not at all.
	expect 0 'symtest_base loaded' symcall module load symtest_base
	symcall module offer "$bad/tiny.ko" tiny >/dev/null
	slot_writer "$(cat "$WORK/pid")" &
	writer=$!
	i=0 good=0 wrong=0
	while [ $i -lt 40 ]; do
		if symcall module load symtest >"$WORK/said" 2>&1; then
			good=$((good + 1))
			unload_changed
		else
			grep -q '(74)\|(129)\|(22)\|(61)\|(95)\|(27)' "$WORK/said" || fail "$(cat "$WORK/said")"
			wrong=$((wrong + 1))
		fi
		i=$((i + 1))
	done
	kill $writer
	echo "# $good loaded, $wrong refused"
	check 'some were refused' [ $wrong -gt 0 ]
	load
	unload
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	nothing_shown
	;;
reset)
	in_background symcall -t 100 module load symtest init=sleep
	wait_taken
	other qmp system_reset >/dev/null
	ended 1 'the VM was reset'
	another_boot
	;;
kexec)
	in_background symcall -t 100 module load symtest init=sleep
	wait_taken
	other word 1
	ended 1 'does not listen any more'
	another_boot
	;;
suspend)
	in_background symcall -t 100 module load symtest init=sleep
	wait_taken
	other word 1
	ended 0 '^symtest loaded'
	symcall word 2
	# It sleeps and wakes up, and has what it had.
	wait_info.sh 'guest-word 0x1$' || exit
	expect 0 '^module symtest loaded$' symcall module list
	expect 0 '^symtest unloaded$' symcall module unload symtest
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	;;
deep)
	load
	symcall word 1
	wake_up.sh 1 >/dev/null || fail 'it does not sleep'
	wait_info.sh 'guest-word 0x1$' || exit
	expect 0 '^module symtest loaded$' symcall module list
	unload
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	;;
disabled)
	expect 1 '(1)' symcall module load symtest_base
	expect 0 '^e1000e loaded$' symcall module load e1000e
	expect 0 '^e1000e unloaded$' symcall module unload e1000e
	symcall word 1
	wait_info.sh 'guest-word 0x1$' || exit
	expect 1 '(1)' symcall module load e1000e
	nothing_shown
	;;
revoked)
	# A good signature does not help what the guest's root has revoked, by the hash of what
	# was signed; others with that key are taken as before.
	expect 0 'symtest_base loaded' symcall module load symtest_base
	expect 0 '^symtest loaded$' symcall module offer "$bad/revoked.ko" symtest
	unload
	symcall word 1
	wait_info.sh 'guest-word 0x1$' || exit
	refused revoked 129
	load
	unload
	expect 0 '^symtest_base unloaded$' symcall module unload symtest_base
	nothing_shown
	;;
attach)
	# ADDRESS MODULE: the guest's kernel has no driver for the device; then it has it.
	expect 0 'attached$' symcall attach-device "$2" --driver "$3"
	expect 0 "^module $3 loaded$" symcall module list
	;;
again)
	# ADDRESS MODULE: the driver goes with the device, and both come back.
	expect 0 'attached$' symcall attach-device "$2" --driver "$3"
	wait_info.sh 'guest-word 0x1$' || exit
	expect 0 'detached$' symcall detach-device "$2"
	expect 0 "^$3 unloaded$" symcall module unload "$3"
	expect 0 'attached$' symcall attach-device "$2" --driver "$3"
	;;
before)
	# ADDRESS: the device is there, and what its right hangs on has not come yet.
	id=pci-$(echo "$2" | tr : -)
	expect 0 '' symcall qmp x-symbiotic-module-guard '{"device":"'"$id"'","module":"symtest"}'
	expect 0 'attached$' symcall attach-device "$2"
	symcall word 1
	wait_info.sh 'guest-word 0x1$' || exit
	load
	# The guest's own, which it has loaded for its disk.
	expect 1 '^nvme failed.*(2)' symcall module unload nvme
	;;
guard)
	# ADDRESS: the device's right hangs on a module that is not its driver.
	expect 0 'attached$' symcall attach-device "$2" --driver symtest
	symcall word 1
	wait_for sh -c 'symcall module list | grep -q "^module symtest dead" ||
		! symcall module list | grep -q "^module symtest "'
	ok 'the module has gone, or is dead'
	;;
*)
	echo "module_test.sh: no such case: $case"
	exit 2
	;;
esac
plan
