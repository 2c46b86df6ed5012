// SPDX-License-Identifier: GPL-2.0
/*
 * PCI: what is on the buses, and where its memory lies.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc

#define REG_ID		0x00
#define REG_COMMAND	0x04
#define REG_CLASS	0x08
#define REG_HEADER	0x0c
#define REG_BAR		0x10

#define COMMAND_DECODE	0x3
#define COMMAND_MASTER	0x4
#define HEADER_MULTI	0x800000
#define BAR_IO		1
#define BAR_64		4

#define MAX_DEVICES	32

/* Where nothing but PCI is, on every PC. */
#define WINDOW_START	0xe0000000ULL
#define WINDOW_END	0xfec00000ULL

static struct pci_device devices[MAX_DEVICES];
static u32 nr_devices;

static u32 address(const struct pci_device *d, u32 reg)
{
	return 0x80000000 | d->bus << 16 | d->slot << 11 | d->fn << 8 | reg;
}

static u32 config_read(const struct pci_device *d, u32 reg)
{
	outl(CONFIG_ADDRESS, address(d, reg));
	return inl(CONFIG_DATA);
}

static void config_write(const struct pci_device *d, u32 reg, u32 v)
{
	outl(CONFIG_ADDRESS, address(d, reg));
	outl(CONFIG_DATA, v);
}

/* The bits that do not take a 1 give the size. */
static u32 probe(const struct pci_device *d, u32 reg, u32 *mask)
{
	u32 v = config_read(d, reg);

	config_write(d, reg, ~0U);
	*mask = config_read(d, reg);
	config_write(d, reg, v);
	return v;
}

static void read_bars(struct pci_device *d)
{
	u32 command = config_read(d, REG_COMMAND);

	/* It must not answer at the addresses that the probe writes. */
	config_write(d, REG_COMMAND, command & 0xffff & ~COMMAND_DECODE);
	for (u32 i = 0; i < PCI_BARS; i++) {
		u32 mask, high, v = probe(d, REG_BAR + i * 4, &mask);
		u64 wide = 0xffffffff00000000 | (mask & ~0xfU);

		if (!mask || v & BAR_IO)
			continue;
		d->bar[i] = v & ~0xfU;
		if (v & BAR_64 && i + 1 < PCI_BARS) {
			d->bar[i] |= (u64)probe(d, REG_BAR + i * 4 + 4, &high)
				     << 32;
			wide = (u64)high << 32 | (mask & ~0xfU);
		}
		d->bar_size[i] = -wide;
		if (v & BAR_64)
			i++;
	}
	config_write(d, REG_COMMAND, command & 0xffff);
}

static bool look_at(u8 bus, u8 slot, u8 fn, u32 *header)
{
	struct pci_device *d = &devices[nr_devices];
	u32 id;

	memset(d, 0, sizeof(*d));
	d->bus = bus;
	d->slot = slot;
	d->fn = fn;
	id = config_read(d, REG_ID);
	if ((id & 0xffff) == 0xffff)
		return false;
	*header = config_read(d, REG_HEADER);
	d->vendor = id & 0xffff;
	d->device = id >> 16;
	d->class = config_read(d, REG_CLASS) >> 8;
	/* Bridges have other registers there. */
	if (!(*header & 0x7f0000))
		read_bars(d);
	kprintf("PCI %02x:%02x.%u %04x:%04x class %06x\n", bus, slot, fn,
		d->vendor, d->device, d->class);
	nr_devices++;
	return true;
}

static u64 end_of_window(void)
{
	u64 end = WINDOW_START;

	for (u32 i = 0; i < nr_devices; i++) {
		for (u32 bar = 0; bar < PCI_BARS; bar++) {
			u64 last = devices[i].bar[bar] + devices[i].bar_size[bar];

			if (devices[i].bar[bar] && last <= WINDOW_END)
				end = max_u64(end, last);
		}
	}
	return end;
}

/* Firmware for virtual machines leaves addresses to the kernel. */
static void assign_bars(void)
{
	u64 next = end_of_window();

	for (u32 i = 0; i < nr_devices; i++) {
		struct pci_device *d = &devices[i];

		for (u32 bar = 0; bar < PCI_BARS; bar++) {
			u64 size = d->bar_size[bar];

			if (d->bar[bar] || !size ||
			    size > WINDOW_END - next ||
			    ALIGN_UP(next, size) > WINDOW_END - size)
				continue;
			d->bar[bar] = ALIGN_UP(next, size);
			next = d->bar[bar] + size;
			config_write(d, REG_BAR + bar * 4, d->bar[bar]);
		}
	}
}

/* The first bus; the machines that we know have no bridge to a second one. */
static void scan(void)
{
	u32 header;

	for (u8 slot = 0; slot < 32; slot++) {
		for (u8 fn = 0; fn < 8; fn++) {
			if (nr_devices == MAX_DEVICES)
				return;
			header = 0;
			if (!look_at(0, slot, fn, &header) && !fn)
				break;
			if (!fn && !(header & HEADER_MULTI))
				break;
		}
	}
}

void pci_init(void)
{
	scan();
	assign_bars();
}

const struct pci_device *pci_find(u16 vendor, u16 device)
{
	for (u32 i = 0; i < nr_devices; i++) {
		if (devices[i].vendor == vendor && devices[i].device == device)
			return &devices[i];
	}
	return NULL;
}

static void command(const struct pci_device *d, u32 clear, u32 set)
{
	u32 v = config_read(d, REG_COMMAND) & 0xffff;

	config_write(d, REG_COMMAND, (v & ~clear) | set);
}

void pci_enable(const struct pci_device *d)
{
	command(d, 0, COMMAND_DECODE | COMMAND_MASTER);
}

void pci_disable(const struct pci_device *d)
{
	command(d, COMMAND_MASTER, 0);
}

u32 pci_count(void)
{
	return nr_devices;
}
