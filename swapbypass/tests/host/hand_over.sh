#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hand_over.sh: the VM changes to nested paging and back when its guest's program, hand_over,
# wants it to.

# shellcheck source=vmm-side/e2e/ktap.sh
. ktap.sh

check 'the guest has begun' wait_info.sh '^guest-word 0x1$'
check 'nested paging' symcall paging nested
check 'the guest goes on' wait_info.sh '^guest-word 0x2$'
check 'shadow paging' symcall paging shadow
plan
