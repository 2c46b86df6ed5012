# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For test scripts in L1 that look at a VM's paging mode, to be read by "." from the PATH. A
# second monitor is at $WORK/qmp2.

# paging NAME: a line of what QEMU says
paging()
{
	symcall paging | sed -n "s/^$1 //p"
}

# From now on: a change of the mode. Who waits has a monitor of its own.
listen()
{
	rm -f /run/event /run/waiting
	symcall -q "$WORK/qmp2" -t 60 event PAGING_CHANGED >/run/event 2>/run/waiting &
	listener=$!
	until grep -qs waiting /run/waiting || ! kill -0 $listener 2>/dev/null; do sleep 0.1; done
}

# event_is MODE SWITCHES REASON: it has come; its members come in any order
event_is()
{
	wait "$listener"
	grep -q "\"mode\":\"$1\"" /run/event && grep -q "\"switches\":$2[,}]" /run/event &&
		grep -q "\"reason\":\"$3\"" /run/event
}

# refused COMMAND...: with an error of QEMU's, in /run/refused
refused()
{
	"$@" 2>/run/refused
	[ $? = 3 ]
}
