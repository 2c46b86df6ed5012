# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For test scripts in the host of a guest, to be read by "." from the PATH: they say what
# was good by ktap.sh, and end at the first thing that was not. `plan` is last.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

# What may explain a failure; scripts have their own.
show()
{
	symcall info
}

fail()
{
	result 1 "$*"
	show
	plan
	exit 1
}

# ok NAME
ok()
{
	result 0 "$*"
}

# expect STATUS PATTERN COMMAND...: its exit status and one line of its output
expect()
{
	want=$1 pattern=$2
	shift 2
	out=$("$@" 2>&1)
	status=$?
	if [ "$status" != "$want" ] || ! echo "$out" | grep -q -- "$pattern"; then
		echo "$out"
		fail "$*: status $status, expected $want and /$pattern/"
	fi
	ok "$*"
}

# eject VCPU [OPTION...]: as a guest does that has seen to its unplugging, by the registers
# of QEMU's PIIX4 for it; the first write turns to them from older ones. Options of symcall.
eject()
{
	vcpu=$1
	shift
	for line in 'o/b 0xaf00 0' "o/w 0xaf00 $vcpu" 'o/b 0xaf04 8'; do
		symcall "$@" qmp human-monitor-command "{\"command-line\":\"$line\"}" >/dev/null ||
			fail "$line"
	done
}

# wait_for COMMAND...: until it succeeds, a minute at most
wait_for()
{
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 300 ] || fail "waited in vain: $*"
		sleep 0.2
	done
}
