// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of hw/vfio/noiommu.h: a device whose configuration space can be
 * read and written, or not, or in part.
 */
#include "qemu/bswap.h"
#include <ktap.h>
#include <stdio.h>

#define MASTER		PCI_COMMAND_MASTER
#define MEMORY		PCI_COMMAND_MEMORY
#define IO		PCI_COMMAND_IO
#define FD		7
#define COMMAND		0x70000000004LL

static struct {
	uint16_t reg;
	ssize_t read, written;		/* what pread() and pwrite() return */
} device;

static ssize_t fake_pread(int fd, void *buf, size_t size, off_t offset)
{
	if (fd != FD || offset != COMMAND || size != sizeof(device.reg))
		return 0;
	if (device.read < 0)
		errno = ENODEV;
	else
		*(uint16_t *)buf = device.reg;
	return device.read;
}

static ssize_t fake_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	if (fd != FD || offset != COMMAND || size != sizeof(device.reg))
		return 0;
	if (device.written < 0)
		errno = EIO;
	else if (device.written)
		device.reg = *(const uint16_t *)buf;
	return device.written;
}

#define pread	fake_pread
#define pwrite	fake_pwrite
#include "noiommu.h"

static const struct {
	const char *name;
	uint16_t reg, guest;
	bool allowed;
	ssize_t read, written;
	int ret;
	uint16_t result;
} rows[] = {
	{ "stop", MEMORY | MASTER, MEMORY | MASTER, false, 2, 2, 0, MEMORY },
	{ "stop one that is", IO, MASTER, false, 2, 2, 0, IO },
	{ "go", MEMORY, MEMORY | MASTER, true, 2, 2, 0, MEMORY | MASTER },
	{ "go, not wanted", MEMORY | MASTER, MEMORY, true, 2, 2, 0, MEMORY },
	{ "stop, unreadable", MEMORY | MASTER, MEMORY | MASTER, false, -1, 2, 0, MEMORY },
	{ "stop, half read", MEMORY | MASTER, IO | MASTER, false, 1, 2, 0, IO },
	{ "stop, unwritable", MASTER, MASTER, false, 2, -1, -EIO, MASTER },
	{ "stop, not written", MASTER, MASTER, false, 2, 0, -EIO, MASTER },
	{ "stop, neither", MASTER, MASTER, false, -1, -1, -EIO, MASTER },
	{ "go, unreadable", MEMORY, MASTER, true, -1, 2, -ENODEV, MEMORY },
	{ "go, half read", MEMORY, MASTER, true, 1, 2, -EIO, MEMORY },
	{ "go, unwritable", MEMORY, MASTER, true, 2, -1, -EIO, MEMORY },
};

int main(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok;
		int ret;

		device.reg = rows[i].reg;
		device.read = rows[i].read;
		device.written = rows[i].written;
		ret = vfio_noiommu_set_master(FD, COMMAND, rows[i].guest,
					      rows[i].allowed);
		ok = ret == rows[i].ret && device.reg == rows[i].result;
		if (!ok)
			printf("# returned %d, register 0x%x\n", ret, device.reg);
		ktap(ok, "%s", rows[i].name);
	}
	return ktap_end();
}
