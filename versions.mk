# SPDX-License-Identifier: GPL-2.0
#
# The versions that the patches in patches/VERSION are for, and that are fetched.
# make includes this file, and the shell reads it too: NAME=VALUE, no spaces.

LINUX=6.12
QEMU=7.2
