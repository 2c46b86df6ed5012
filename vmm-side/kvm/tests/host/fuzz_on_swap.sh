#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fuzz_on_swap.sh OPTIONS...: kvm_fuzz on a host that can swap.

set -e
host_swap.sh
exec kvm_fuzz "$@"
