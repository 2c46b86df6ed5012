#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sync_often.sh TIMES: the host writes back all that it has to, five times a second.

for _ in $(seq "$1"); do
	sync
	sleep 0.2
done
