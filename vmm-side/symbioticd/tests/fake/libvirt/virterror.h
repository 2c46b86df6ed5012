/* SPDX-License-Identifier: GPL-2.0 */
#include <libvirt/libvirt.h>
