// SPDX-License-Identifier: GPL-2.0
/*
 * A libvirt whose domains are the lines "UUID ID" of the file FAKE_LIBVIRT; it is away while
 * there is no file. A domain answers with the command that it got.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt.h>

struct fake_connection {
	int refs;
};

struct fake_domain {
	char uuid[VIR_UUID_STRING_BUFLEN];
	int id;
};

static FILE *there(void)
{
	return fopen(getenv("FAKE_LIBVIRT"), "re");
}

virConnectPtr virConnectOpen(const char *uri)
{
	virConnectPtr conn = NULL;
	FILE *file = there();

	if (!file)
		return NULL;
	fclose(file);
	if (!strcmp(uri, "fake:///"))
		conn = calloc(1, sizeof(*conn));
	if (conn)
		conn->refs = 1;
	return conn;
}

int virConnectRef(virConnectPtr conn)
{
	__atomic_add_fetch(&conn->refs, 1, __ATOMIC_SEQ_CST);
	return 0;
}

int virConnectClose(virConnectPtr conn)
{
	int left = __atomic_sub_fetch(&conn->refs, 1, __ATOMIC_SEQ_CST);

	if (!left)
		free(conn);
	return left;
}

static virDomainPtr domain(const char *uuid, int id)
{
	virDomainPtr dom = calloc(1, sizeof(*dom));

	if (!dom)
		abort();
	snprintf(dom->uuid, sizeof(dom->uuid), "%s", uuid);
	dom->id = id;
	return dom;
}

int virConnectListAllDomains(virConnectPtr conn, virDomainPtr **list, unsigned int flags)
{
	FILE *file = there();
	char uuid[VIR_UUID_STRING_BUFLEN];
	int id, n = 0;

	if (!conn->refs || flags != VIR_CONNECT_LIST_DOMAINS_ACTIVE || !file)
		return -1;
	*list = calloc(16, sizeof(**list));
	while (n < 16 && fscanf(file, "%36s %d", uuid, &id) == 2)
		(*list)[n++] = domain(uuid, id);
	fclose(file);
	return n;
}

virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid)
{
	virDomainPtr *list, found = NULL;
	int n = virConnectListAllDomains(conn, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE), i;

	if (n < 0)
		return NULL;
	for (i = 0; i < n; i++) {
		if (!found && !strcmp(list[i]->uuid, uuid))
			found = list[i];
		else
			free(list[i]);
	}
	free(list);
	return found;
}

int virDomainGetUUIDString(virDomainPtr dom, char *uuid)
{
	memcpy(uuid, dom->uuid, sizeof(dom->uuid));
	return 0;
}

unsigned int virDomainGetID(virDomainPtr dom)
{
	return dom->id;
}

int virDomainFree(virDomainPtr dom)
{
	free(dom);
	return 0;
}

int virDomainQemuMonitorCommand(virDomainPtr dom, const char *command, char **result,
				unsigned int flags)
{
	if (flags || strstr(command, "\"id\""))
		return -1;
	return asprintf(result, "{\"return\": {\"run\": %d, \"got\": %s}, \"id\": \"libvirt-7\"}",
			dom->id, command) < 0 ? -1 : 0;
}

void virSetErrorFunc(void *opaque, void (*handler)(void *opaque, virErrorPtr error))
{
	(void)opaque;
	(void)handler;
}
