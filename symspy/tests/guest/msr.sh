#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# msr.sh: bad MSR writes raise #GP and change nothing; see msr_test.c.

# shellcheck source=/dev/null
. ./lib.sh

subtest 'MSRs on CPU 0' ./msr_test 0
[ ! -e /dev/cpu/1 ] || subtest 'MSRs on CPU 1' ./msr_test 1
all_cpus_work
finish
