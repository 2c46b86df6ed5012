#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In place of a QEMU: a guest that says what guest/spike.sh does, but does no work. LOSES is
# the number of one that ends in its first job, KILLS of one whose jobs are killed; a job
# takes as long as the guest's number says.

echo $$ >"$WORK/pid"
echo ready >"$WORK/ctl.out"
read -r _ <"$WORK/ctl.in"
exec 5<>"$WORK/host.in"
read -r me <&5
while read -r order <&5; do
	[ "$order" = job ] || break
	{
		sleep "0.0$me"
		[ "$me" != "$LOSES" ] || kill $$
		status=0
		[ "$me" != "$KILLS" ] || status=137
		echo "$me job $status 1.00 2.00 3.00" >"$WORK/host.out"
	} &
done
wait
echo "$me end 0 0.100 pswpin=$me" >"$WORK/host.out"
echo "exit 0" >"$WORK/ctl.out"
read -r _ <"$WORK/ctl.in"
