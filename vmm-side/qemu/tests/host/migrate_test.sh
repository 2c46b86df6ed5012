#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Migrate a VM whose guest uses more and more of what it is offered: see
# vmm-side/qemu/tests/migrate.sh, its other half. On the host of the running guest
# ($QMP, $WORK and $SWAPFILE are set).

set -u

# shellcheck source=vmm-side/tools/tests/host/host_lib.sh
. host_lib.sh

show()
{
	symcall qmp query-migrate
	step 9
	symcall qmp cont
}

# said NAME: a good result of the guest's
said()
{
	grep -qx "ok [0-9]* $1" "$WORK/out"
}

step()
{
	echo "$1" | dd of="$SWAPFILE" conv=notrunc 2>/dev/null
}

# status WORD: of the migration
status()
{
	symcall qmp query-migrate | grep -q "\"status\":\"$1\""
}

ended()
{
	status completed || status failed || status cancelled
}

# migrate: start one, to a file that nobody reads, and wait for its end
migrate()
{
	symcall qmp migrate '{"uri":"exec:cat >/dev/null"}' || fail "does not start"
	wait_for ended
}

# migrates WHEN: and the guest goes on here
migrates()
{
	migrate
	status completed || fail "$1: not completed"
	symcall qmp cont || fail "$1: cont"
	ok "$1"
}

wait_for said idle
migrates 'nothing is used'
step 1
wait_for said accepted
migrate
status failed || fail 'features were accepted, and it did not fail'
symcall qmp query-status | grep -q '"running":true' || fail 'the guest has stopped'
ok 'features accepted'
step 2
wait_for said withdrawn
migrates 'withdrawn'

# In bytes a second; a tenth of it is the limit of a step, and 0 would be none.
symcall qmp migrate-set-parameters '{"max-bandwidth":10000}' || fail 'slow'
symcall qmp migrate '{"uri":"exec:cat >/dev/null"}' || fail 'does not start'
wait_for status active
step 3
wait_for said refused
status active || fail 'the migration was over'
symcall qmp migrate_cancel || fail 'cancel'
wait_for status cancelled
symcall qmp migrate-set-parameters '{"max-bandwidth":1073741824}' || fail 'fast'
ok 'refused meanwhile'
step 4
wait_for said mapped
symcall qmp migrate '{"uri":"exec:cat >/dev/null"}' 2>&1 | grep -q 'cannot be saved or migrated' || fail 'starts'
ok 'a page is mapped'
step 5
wait_for said unmapped
migrates 'unmapped'
step 6
plan
