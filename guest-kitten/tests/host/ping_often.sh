#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# ping_often.sh TIMES: call each vCPU of the guest so many times ($QMP names QEMU's socket).
# Status 0 if each call was answered.

for _ in $(seq "$1"); do
	symcall ping || exit
done
