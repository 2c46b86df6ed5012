// SPDX-License-Identifier: GPL-2.0
/*
 * A driver for QEMU's teaching device "edu", for the passthrough tests: the
 * smallest device that masters the bus. Written as any PCI driver would be; it
 * knows nothing of passthrough.
 *
 * /sys/kernel/debug/symbiotic_edu takes a command and shows its result:
 *
 *   check ROUNDS LOW HIGH	move random pages through the device and back,
 *				in memory at guest-physical LOW up to HIGH
 *   outside END			mappings that must be refused; memory ends at END
 *   cost TIMES			ticks of the time-stamp counter for mapping and
 *				unmapping a page with the offset, and without
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/uaccess.h>

#include <asm/tsc.h>

#define EDU_ID			0x00
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98

#define EDU_DMA_START		BIT(0)
#define EDU_DMA_FROM_DEVICE	BIT(1)
#define EDU_DMA_IRQ		BIT(2)

#define EDU_BUFFER		0x40000
/* Half of what it has: some versions of the device refuse its last byte. */
#define EDU_BUFFER_SIZE		2048

/* How many pages to look at for one in the wanted place. */
#define PAGES_MAX		200000

static bool intx;
module_param(intx, bool, 0444);

struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct completion done;
	struct mutex lock;	/* one command at a time */
	struct dentry *file;
	char result[128];
};

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, edu->regs + EDU_IRQ_ACK);
	complete(&edu->done);
	return IRQ_HANDLED;
}

static int edu_dma(struct edu *edu, dma_addr_t addr, bool from_device)
{
	reinit_completion(&edu->done);
	writeq(from_device ? EDU_BUFFER : addr, edu->regs + EDU_DMA_SRC);
	writeq(from_device ? addr : EDU_BUFFER, edu->regs + EDU_DMA_DST);
	writeq(EDU_BUFFER_SIZE, edu->regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | EDU_DMA_IRQ |
	       (from_device ? EDU_DMA_FROM_DEVICE : 0), edu->regs + EDU_DMA_CMD);
	if (!wait_for_completion_timeout(&edu->done, 5 * HZ))
		return -ETIMEDOUT;
	return 0;
}

/* A page in [low, high). */
static struct page *page_between(u64 low, u64 high)
{
	struct page *page, *found = NULL, *next;
	LIST_HEAD(others);
	unsigned int i;

	for (i = 0; i < PAGES_MAX && !found; i++) {
		page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!page)
			break;
		if (page_to_phys(page) >= low && page_to_phys(page) < high)
			found = page;
		else
			list_add(&page->lru, &others);
	}
	list_for_each_entry_safe(page, next, &others, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	return found;
}

static int edu_round(struct edu *edu, struct page *from, struct page *to)
{
	struct device *dev = &edu->pdev->dev;
	dma_addr_t addr;
	int ret;

	get_random_bytes(page_address(from), EDU_BUFFER_SIZE);
	memset(page_address(to), 0, EDU_BUFFER_SIZE);

	addr = dma_map_page(dev, from, 0, EDU_BUFFER_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	ret = edu_dma(edu, addr, false);
	dma_unmap_page(dev, addr, EDU_BUFFER_SIZE, DMA_TO_DEVICE);
	if (ret)
		return ret;

	addr = dma_map_page(dev, to, 0, EDU_BUFFER_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	ret = edu_dma(edu, addr, true);
	dma_unmap_page(dev, addr, EDU_BUFFER_SIZE, DMA_FROM_DEVICE);
	if (ret)
		return ret;

	return memcmp(page_address(from), page_address(to), EDU_BUFFER_SIZE) ?
	       -EILSEQ : 0;
}

static int edu_check(struct edu *edu, u32 rounds, u64 low, u64 high)
{
	struct page *from, *to;
	int ret = -ENOMEM;
	u32 i;

	from = page_between(low, high);
	to = page_between(low, high);
	for (i = 0; from && to && i < rounds; i++) {
		ret = edu_round(edu, from, to);
		if (ret)
			break;
	}
	snprintf(edu->result, sizeof(edu->result),
		 "check %d after %u rounds at %#llx %#llx\n", ret, i,
		 from ? page_to_phys(from) : 0, to ? page_to_phys(to) : 0);
	if (from)
		__free_page(from);
	if (to)
		__free_page(to);
	return ret;
}

static int edu_outside(struct edu *edu, u64 end)
{
	struct device *dev = &edu->pdev->dev;
	phys_addr_t bar = pci_resource_start(edu->pdev, 0);
	struct page *last = pfn_to_page(PHYS_PFN(end) - 1);
	unsigned int mapped = 0;
	dma_addr_t addr[4];
	unsigned int i;

	/* Behind the last page there is no struct page: offsets from that. */
	addr[0] = dma_map_page(dev, last, PAGE_SIZE, PAGE_SIZE, DMA_TO_DEVICE);
	addr[1] = dma_map_page(dev, last, 0, 2 * PAGE_SIZE, DMA_TO_DEVICE);
	addr[2] = dma_map_page(dev, last, SZ_1G, PAGE_SIZE, DMA_BIDIRECTIONAL);
	addr[3] = dma_map_resource(dev, bar, PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
	for (i = 0; i < ARRAY_SIZE(addr); i++)
		if (!dma_mapping_error(dev, addr[i]))
			mapped |= BIT(i);

	snprintf(edu->result, sizeof(edu->result), "outside %x mapped\n",
		 mapped);
	return mapped ? -EILSEQ : 0;
}

static u64 map_ticks(struct device *dev, struct page *page, u32 times)
{
	u64 start = rdtsc_ordered();
	u32 i;

	for (i = 0; i < times; i++) {
		dma_addr_t addr = dma_map_page(dev, page, 0, PAGE_SIZE,
					       DMA_TO_DEVICE);

		dma_unmap_page(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	}
	return rdtsc_ordered() - start;
}

static int edu_cost(struct edu *edu, u32 times)
{
	struct device *dev = &edu->pdev->dev;
	const struct bus_dma_region *map = dev->dma_range_map;
	struct page *page = alloc_page(GFP_KERNEL);
	u64 with, without;

	if (!page)
		return -ENOMEM;
	with = map_ticks(dev, page, times);
	/* The device does nothing meanwhile: commands exclude each other. */
	dev->dma_range_map = NULL;
	without = map_ticks(dev, page, times);
	dev->dma_range_map = map;
	__free_page(page);
	snprintf(edu->result, sizeof(edu->result),
		 "cost times %u with %llu without %llu\n", times, with, without);
	return 0;
}

static ssize_t edu_write(struct file *file, const char __user *buf,
			 size_t count, loff_t *pos)
{
	struct edu *edu = file->private_data;
	unsigned long long low, high;
	char line[80];
	u32 rounds;
	int ret;

	if (count >= sizeof(line) || *pos)
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = 0;

	mutex_lock(&edu->lock);
	if (sscanf(line, "check %u %llx %llx", &rounds, &low, &high) == 3)
		ret = edu_check(edu, rounds, low, high);
	else if (sscanf(line, "cost %u", &rounds) == 1)
		ret = edu_cost(edu, rounds);
	else if (sscanf(line, "outside %llx", &high) == 1)
		ret = edu_outside(edu, high);
	else
		ret = -EINVAL;
	mutex_unlock(&edu->lock);
	return ret ?: count;
}

static ssize_t edu_read(struct file *file, char __user *buf, size_t count,
			loff_t *pos)
{
	struct edu *edu = file->private_data;

	return simple_read_from_buffer(buf, count, pos, edu->result,
				       strlen(edu->result));
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = edu_read,
	.write = edu_write,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int ret;

	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	mutex_init(&edu->lock);
	init_completion(&edu->done);
	pci_set_drvdata(pdev, edu);

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), "edu");
	if (ret)
		return ret;
	edu->regs = pcim_iomap_table(pdev)[0];
	if ((readl(edu->regs + EDU_ID) & 0xffff) != 0x00ed)
		return -ENODEV;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	pci_set_master(pdev);

	ret = pci_alloc_irq_vectors(pdev, 1, 1, intx ? PCI_IRQ_INTX :
				    PCI_IRQ_MSI | PCI_IRQ_INTX);
	if (ret < 0)
		return ret;
	ret = request_irq(pci_irq_vector(pdev, 0), edu_irq, IRQF_SHARED, "edu",
			  edu);
	if (ret)
		goto err_vectors;

	edu->file = debugfs_create_file("symbiotic_edu", 0600, NULL, edu,
					&edu_fops);
	return 0;

err_vectors:
	pci_free_irq_vectors(pdev);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	debugfs_remove(edu->file);
	free_irq(pci_irq_vector(pdev, 0), edu);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};

static struct pci_driver edu_driver = {
	.name = "edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
builtin_pci_driver(edu_driver);
