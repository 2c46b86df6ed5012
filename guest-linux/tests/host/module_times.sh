#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# module_times.sh ROUNDS: what it takes to load nvme.ko by symcall, and to ask for what there
# is, which loads nothing; then the guest does it by insmod (guest-linux/experiment/insmod.sh).

set -u
trap 'symcall word 1' EXIT

SYMBIOTIC_MODULES=$(dirname "$(command -v module_test.sh)")/modules
export SYMBIOTIC_MODULES

wait_info.sh 'guest-word 0x2$' || exit
symcall module load nvme_core || exit
i=0
while [ $i -lt "$1" ]; do
	took list symcall module list && took load symcall module load nvme &&
		symcall module unload nvme || exit
	i=$((i + 1))
done
