#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# migrate_live.sh: the rig's guest, which writes to its memory all the time, migrates to another
# QEMU of this host while it runs. It ends there, and then, let go on, here as well: its
# command has looked at all that it wrote, and so at all that was logged as dirty.

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh
# shellcheck source=vmm-side/qemu/tests/host/second.sh
. second.sh

# What may explain a failure.
show()
{
	symcall qmp query-migrate
	symcall qmp cont
	sed 's/^/# /' "$second/log"
}

# rounds: how often it has looked for dirty pages
rounds()
{
	symcall qmp query-migrate | sed -n 's/.*"dirty-sync-count": *\([0-9]*\).*/\1/p'
}

rounds_are()
{
	[ "$(rounds)" -ge "$1" ]
}

status()
{
	symcall qmp query-migrate | grep -q "\"status\": *\"$1\""
}

ended()
{
	status completed || status failed
}

# answers: QEMU, at last
answers()
{
	symcall -q "$second/qmp" qmp query-status >/dev/null 2>&1
}

trap second_leave EXIT
second_start "-incoming unix:$second/migration"
wait_for answers
second_loose

# Slowly at first, so that the guest writes to what has been sent, under either mode.
symcall qmp migrate-set-parameters '{"max-bandwidth":67108864,"downtime-limit":1}' >/dev/null ||
	fail 'slow'
symcall qmp migrate "{\"uri\":\"unix:$second/migration\"}" >/dev/null || fail 'does not start'
wait_for rounds_are 4
ok 'looks for dirty pages'
symcall qmp migrate-set-parameters '{"max-bandwidth":1073741824,"downtime-limit":10000}' \
	>/dev/null || fail 'fast'
wait_for ended
status completed || fail 'not completed'
ok 'migrated'

second_says exit || fail 'the guest that has migrated'
# shellcheck disable=SC2154 # of second_says
[ "$rest" = 0 ] || fail "the guest that has migrated: $verb $rest"
ok 'it has lost nothing'
sed 's/^/# second: /' "$second/out"
if grep -E 'BUG:|WARNING:|Oops' "$second/console"; then
	fail 'its kernel complains'
fi
second_tell bye
# Only now, as both have as much left to do, and this one has to be at work for longer.
symcall qmp cont >/dev/null || fail 'cont'
plan
