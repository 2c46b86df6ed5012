#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hpcc_files.sh DIR: a guest's /files with HPC Challenge, from the package hpcc: the program,
# what it loads, and those of Open MPI's plugins that a single process needs. With all of
# them come libraries for networks that no guest here has.

set -eu
dir=$1
from=$(dpkg -L libopenmpi3 | grep '/openmpi3$')
mkdir -p "$dir/plugins"
for plugin in allocator_basic allocator_bucket bml_r2 btl_self coll_basic coll_libnbc \
	errmgr_default_app ess_singleton pmix_isolated pml_ob1 reachable_weighted \
	schizo_orte shmem_sysv state_app; do
	# -p: the image of the directory is made anew for files that are newer.
	cp -p "$from/mca_$plugin.so" "$dir/plugins"
done
"${0%/*}/../rig/build/with-libs.sh" "$dir" /usr/bin/hpcc
