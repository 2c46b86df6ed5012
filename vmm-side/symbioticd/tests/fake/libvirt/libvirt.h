/* SPDX-License-Identifier: GPL-2.0 */
/* What symbioticd-libvirt.c has of libvirt; it is in ../libvirt.c. */
#ifndef FAKE_LIBVIRT_H
#define FAKE_LIBVIRT_H

#define VIR_UUID_STRING_BUFLEN			37
#define VIR_CONNECT_LIST_DOMAINS_ACTIVE		1

typedef struct fake_connection *virConnectPtr;
typedef struct fake_domain *virDomainPtr;
typedef struct fake_error *virErrorPtr;

virConnectPtr virConnectOpen(const char *uri);
int virConnectRef(virConnectPtr conn);
int virConnectClose(virConnectPtr conn);
int virConnectListAllDomains(virConnectPtr conn, virDomainPtr **list, unsigned int flags);
virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid);
int virDomainGetUUIDString(virDomainPtr dom, char *uuid);
unsigned int virDomainGetID(virDomainPtr dom);
int virDomainFree(virDomainPtr dom);
int virDomainQemuMonitorCommand(virDomainPtr dom, const char *command, char **result,
				unsigned int flags);
void virSetErrorFunc(void *opaque, void (*handler)(void *opaque, virErrorPtr error));

#endif /* FAKE_LIBVIRT_H */
