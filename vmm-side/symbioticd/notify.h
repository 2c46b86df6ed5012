/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What systemd wants to hear (sd_notify(3)): a datagram. libsystemd is not used for it:
 * Debian has none to link statically, as all that runs in L1 is, and a daemon that talks
 * to what may be compromised is better off without it.
 */
#ifndef SYMBIOTICD_NOTIFY_H
#define SYMBIOTICD_NOTIFY_H

#include <stdint.h>

/**
 * notify_systemd - tell the service manager, if there is one
 * @text: such as "READY=1"
 *
 * Returns: 0, also if nobody wants to hear it, or -errno
 */
int notify_systemd(const char *text);

/**
 * notify_watchdog_ms - how often must it hear WATCHDOG=1?
 *
 * Returns: milliseconds, half of the limit; 0: there is none
 */
int64_t notify_watchdog_ms(void);

#endif /* SYMBIOTICD_NOTIFY_H */
