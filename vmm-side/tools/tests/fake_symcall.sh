#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# `symcall` for made-up guests: a guest is a directory of numbers. It uses as many
# pages as it needs and may; unless it rests, it asks for the others. When a line
# of the file `silent` says so, it takes longer to answer than anybody waits, or
# than symcall itself waits.

cd "$2" 2>/dev/null || exit 4
need=$(cat need) grant=$(cat grant) hot=$(cat hot) wanted=$(cat wanted)
used=$need
[ ! -e stubborn ] && [ "$used" -gt "$grant" ] && used=$grant
if [ -e silent ]; then
	first=$(sed -n 1p silent)
	sed -i 1d silent
	[ "$first" != yes ] || exec sleep 60
	[ "$first" != late ] || exit 3
fi
case $3 in
info)
	[ "$used" -ge "$need" ] || [ "$hot" = 0 ] || wanted=$((wanted + need - used))
	echo "$wanted" >wanted
	[ ! -e lies ] || { read -r used <lies; wanted=$used hot=$used; }
	[ "$hot" != all ] || hot=$used
	[ ! -e no-grants ] || { echo "features 0xf"; exit; }
	echo "features 0x1f"
	echo "swap-in-place $used"
	echo "swap-hot $hot"
	echo "swap-wanted $wanted"
	;;
grant)
	[ ! -e no-grants ] || exit 3
	echo "$4" >grant
	;;
esac
