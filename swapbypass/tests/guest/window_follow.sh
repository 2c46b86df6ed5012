#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# window_follow.sh [COMMAND...]: the window in mode auto follows what the VMM says of its
# paging, both ways, and pages stay where they are. With a command: follows back and forth
# while that runs, and it must succeed. The host's paging is shadow; what the VMM says is
# pretended.

# shellcheck source=/dev/null
. ./lib.sh

W=/sys/block/symswap0/symswap
MAY=256 NESTED=1 SHADOW=2
switches=0

# say MODE: as the VMM would; the guest has followed when this returns
say()
{
	switches=$((switches + 1))
	echo "$(((switches << 32) + MAY + $1))" >"$DEBUG/paging"
}

equal 'mode' "$(sed 's/.*\[\(.*\)\].*/\1/' $W/mode)" auto
before=$(cat $W/followed)
if [ $# -gt 0 ]; then
	"$@" >/tmp/said 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		say $NESTED
		sleep "0.$((switches % 7))"
		say $SHADOW
		sleep "0.$((switches % 5))"
	done
	wait $pid
	status=$?
	sed 's/^/  /' /tmp/said
	equal "$1" $status 0
	followed=$(($(cat $W/followed) - before))
	echo "# followed $followed times"
	check 'followed' [ $followed -ge 4 ]
	finish
	exit
fi

say $NESTED
equal 'nested: what it says' "$(attr paging)" nested
equal 'nested: in place' "$(cat $W/active)" in-place
equal 'nested: detached' "$(attr bypass/attached)" 0
say $SHADOW
equal 'shadow: what it says' "$(attr paging)" shadow
equal 'shadow: bypassed' "$(cat $W/active)" shadow-bypass
equal 'switches' "$(attr paging_switches)" $switches
say 3
equal 'nonsense: not known' "$(attr paging)" unknown
equal 'nonsense: as ever' "$(cat $W/active)" shadow-bypass

# A mode that somebody has set stays.
echo in-place >$W/mode
followed=$(cat $W/followed)
say $NESTED
say $SHADOW
equal 'in-place stays' "$(cat $W/active)" in-place
equal 'is not moved' "$(cat $W/followed)" "$followed"
echo auto >$W/mode
equal 'auto again' "$(cat $W/active)" shadow-bypass

# Pages stay where they are: bypassed ones come in place, and those in place stay
# there, without being read. The program fills 48 MiB, waits, and looks at all of it.
subtest 'handed over' ./hand_over 48

# Over a swapoff and swapon, too.
say $NESTED
swapoff /dev/symswap0
say $SHADOW
equal 'not swapped on' "$(cat $W/active)" ''
swapon /dev/symswap0
equal 'swapped on' "$(cat $W/active)" shadow-bypass
swapoff /dev/symswap0
say $NESTED
swapon /dev/symswap0
equal 'swapped on, nested' "$(cat $W/active)" in-place
say $SHADOW

# What the administrator wishes.
for wish in nested shadow none; do
	echo $wish >"$SYSFS/paging_wish"
	equal "wish $wish" "$(attr paging_wish)" $wish
done
check 'no other wish' sh -c "! echo direct >$SYSFS/paging_wish 2>/dev/null"
check 'nobody else may wish' su -s /bin/sh nobody -c "! echo shadow 2>/dev/null >$SYSFS/paging_wish"
check 'nor pretend' su -s /bin/sh nobody -c "! echo 1 2>/dev/null >$DEBUG/paging"
finish
