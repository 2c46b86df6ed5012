// SPDX-License-Identifier: GPL-2.0
/*
 * Symbiotic guest: when to look for the VMM, where to put the shared pages,
 * and when to take everything back.
 *
 * The life of the features: early_initcall finds the VMM; rootfs_initcall,
 * after PCI has claimed its addresses and before the first driver, agrees on
 * features, places the global page and starts the CPUs. CPU hotplug, suspend,
 * reboot, kexec and crash each undo exactly their part.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/syscore_ops.h>

#include <asm/processor.h>
#include <asm/reboot.h>

#include "dma.h"
#include "modules.h"
#include "symbiotic.h"

/*
 * Where to try to place the shared pages: this many evenly spaced addresses
 * from the top of the physical address space downwards. RAM, memory that may
 * be plugged in, and PCI windows start from below.
 */
#define PLACES			64

struct symb_state symb_state = { .found = -ENODEV };

static u32 features __read_mostly;
static bool disabled __initdata;
static enum cpuhp_state cpuhp_online;
static DEFINE_MUTEX(slots_lock);

static int __init parse_nosymbiotic(char *arg)
{
	disabled = true;
	return 0;
}
early_param("nosymbiotic", parse_nosymbiotic);

u32 symbiotic_features(void)
{
	return READ_ONCE(features);
}

struct symspy_local *symspy_this_cpu(void)
{
	struct symspy_page *page = this_cpu_ptr(&symb_cpu.local);

	return READ_ONCE(page->live) && page->ext ? page->va : NULL;
}

struct symspy_global *symspy_global_page(void)
{
	struct symspy_page *page = &symb_state.global;

	return READ_ONCE(page->live) ? page->va : NULL;
}

static u32 wanted_features(void)
{
	u32 wanted = SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL;

	if (IS_ENABLED(CONFIG_SYMBIOTIC_BYPASS))
		wanted |= SYMB_FEAT_SWAPBYPASS;
	if (IS_ENABLED(CONFIG_SYMBIOTIC_DMA_OFFSET))
		wanted |= SYMB_FEAT_DMA_OFFSET;
	if (IS_ENABLED(CONFIG_SYMSWAP_IN_PLACE))
		wanted |= SYMB_FEAT_SWAP_GRANT;
	if (symb_modules_wanted())
		wanted |= SYMB_FEAT_MODULES;
	return wanted;
}

/* One page for the VM, one per CPU, and as many to spare: see local_on(). */
static unsigned int nr_slots(void)
{
	return 1 + 2 * nr_cpu_ids;
}

static u64 slot_gpa(unsigned int slot)
{
	return symb_state.region->start + (u64)slot * SYMB_PAGE_SIZE;
}

/*
 * Find guest-physical addresses that nobody claims and that the VMM takes.
 * On success the global page is up.
 */
static int place_global(void)
{
	u64 top = 1ULL << boot_cpu_data.x86_phys_bits;
	u64 size = (u64)nr_slots() * SYMB_PAGE_SIZE;
	u64 step = top / PLACES;
	int ret = -EBUSY;
	unsigned int i;

	/*
	 * Not the very top: the last 12 GiB below 1 TiB belong to
	 * HyperTransport on AMD.
	 */
	for (i = 1; i < PLACES; i++) {
		u64 start = top - i * step;

		symb_state.region = request_mem_region(start, size, "symspy");
		if (!symb_state.region)
			continue;

		ret = symspy_global_on(&symb_state.global, &symb_state.vmm,
				       start);
		if (!ret) {
			set_bit(0, symb_state.slots);
			return 0;
		}

		release_mem_region(start, size);
		symb_state.region = NULL;
		/* Any other error is not about the address. */
		if (ret != -EBUSY)
			return ret;
	}

	pr_warn("VMM takes no address for the global page\n");
	return ret;
}

/*
 * A kernel that crashed before us may have left the local page of another
 * vCPU at an address that we would like, and only that vCPU can take it away;
 * hence the spare slots. Refused slots stay marked.
 */
static int local_on(struct symb_cpu *sc)
{
	unsigned int slot;
	int ret = -EBUSY;

	if (sc->local.va)
		return symspy_local_on(&sc->local, &symb_state.vmm,
				       sc->local.gpa);

	mutex_lock(&slots_lock);
	for_each_clear_bit(slot, symb_state.slots, nr_slots()) {
		ret = symspy_local_on(&sc->local, &symb_state.vmm,
				      slot_gpa(slot));
		set_bit(slot, symb_state.slots);
		if (ret != -EBUSY)
			break;
	}
	mutex_unlock(&slots_lock);
	return ret;
}

/* Runs on the CPU. A CPU without a page or without symcalls still works. */
static int symb_cpu_on(unsigned int cpu)
{
	struct symb_cpu *sc = this_cpu_ptr(&symb_cpu);
	u32 f = symbiotic_features();
	int ret;

	if (!(f & SYMB_FEAT_SYMSPY))
		return 0;

	ret = local_on(sc);
	if (ret) {
		pr_warn("CPU %u: no local page (%d)\n", cpu, ret);
		return 0;
	}

	if (f & SYMB_FEAT_SYMCALL)
		symb_symcall_cpu_on(sc);
	return 0;
}

static int symb_cpu_off(unsigned int cpu)
{
	struct symb_cpu *sc = this_cpu_ptr(&symb_cpu);

	symb_symcall_cpu_off(sc);
	symspy_local_off(&sc->local);
	return 0;
}

static void symb_cpu_off_ipi(void *unused)
{
	symb_cpu_off(raw_smp_processor_id());
}

/* All but the CPUs. */
static int features_on(void)
{
	u32 accepted;
	int ret;

	ret = symspy_accept(&symb_state.vmm, wanted_features(), &accepted);
	if (ret)
		return ret;
	if (!(accepted & SYMB_FEAT_SYMSPY)) {
		ret = -EOPNOTSUPP;
		goto err_withdraw;
	}

	if (symb_state.region)
		ret = symspy_global_on(&symb_state.global, &symb_state.vmm,
				       symb_state.global.gpa);
	else
		ret = place_global();
	if (ret)
		goto err_withdraw;

	/* An extension that cannot be trusted takes what is ours with it. */
	if (symb_state.vmm.hv_base && !symb_state.global.ext) {
		ret = symspy_accept(&symb_state.vmm, SYMB_FEAT_SYMSPY,
				    &accepted);
		if (ret)
			goto err_global;
	}

	WRITE_ONCE(features, accepted);
	/* First: a device whose module is here may be the VMM's to give again. */
	symb_modules_on();
	symb_dma_on();
	return 0;

err_global:
	symspy_global_off(&symb_state.global);
err_withdraw:
	symspy_withdraw(&symb_state.vmm);
	return ret;
}

static void features_off(void)
{
	symb_dma_off();
	WRITE_ONCE(features, 0);
	/* First, so that no call starts on a CPU that is on its way down. */
	symspy_withdraw(&symb_state.vmm);
	symspy_global_off(&symb_state.global);
}

/* The drivers still have to stop the passthrough devices, with their help. */
static void features_off_but_dma(void)
{
	u32 kept;

	WRITE_ONCE(features, SYMB_FEAT_DMA_OFFSET);
	symspy_accept(&symb_state.vmm, SYMB_FEAT_DMA_OFFSET, &kept);
	symspy_global_off(&symb_state.global);
}

static int symb_suspend(void *unused)
{
	/* The other CPUs have been taken offline. */
	features_off();
	symb_cpu_off(raw_smp_processor_id());
	return 0;
}

static void symb_resume(void *unused)
{
	if (features_on())
		return;
	symb_cpu_on(raw_smp_processor_id());
}

/* All devices are shut down, and what comes next knows nothing of them. */
static void symb_shutdown(void *unused)
{
	if (symbiotic_features())
		features_off();
}

/*
 * Registered before those of other users of the features, so theirs suspend
 * earlier and resume later.
 */
static const struct syscore_ops symb_syscore_ops = {
	.suspend = symb_suspend,
	.resume = symb_resume,
	.shutdown = symb_shutdown,
};

static struct syscore symb_syscore = {
	.ops = &symb_syscore_ops,
};

/* The next kernel knows nothing of our pages and entry points. */
static int symb_reboot(struct notifier_block *nb, unsigned long code, void *p)
{
	if (!symbiotic_features())
		return NOTIFY_DONE;
	if (symb_dma_active())
		features_off_but_dma();
	else
		features_off();
	on_each_cpu(symb_cpu_off_ipi, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block symb_reboot_nb = {
	.notifier_call = symb_reboot,
};

#ifdef CONFIG_CRASH_DUMP
static void (*next_crash_shutdown)(struct pt_regs *regs) __ro_after_init;

/*
 * Only this CPU can be trusted to run. Without features the VMM makes no
 * calls to the others, and their local pages are where nothing else is.
 */
static void symb_crash_shutdown(struct pt_regs *regs)
{
	if (symbiotic_features()) {
		features_off();
		symb_cpu_off(raw_smp_processor_id());
	}
	next_crash_shutdown(regs);
}

/* Once and for all: machine_ops is read-only after init. */
static void __init hook_crash(void)
{
	next_crash_shutdown = machine_ops.crash_shutdown;
	machine_ops.crash_shutdown = symb_crash_shutdown;
}
#else
static void __init hook_crash(void) { }
#endif

/**
 * symb_start() - agree on features, start the pages and the CPUs
 *
 * Context: process; not concurrently with itself or symb_stop().
 * Return: 0 or -errno; nothing is left behind on failure.
 */
int symb_start(void)
{
	int ret;

	if (symb_state.found)
		return symb_state.found;
	if (symbiotic_features())
		return -EALREADY;

	if (!symb_state.slots) {
		symb_state.slots = bitmap_zalloc(nr_slots(), GFP_KERNEL);
		if (!symb_state.slots)
			return -ENOMEM;
	}

	ret = symb_abort_init();
	if (ret)
		return ret;

	ret = features_on();
	if (ret)
		goto err_abort;

	register_syscore(&symb_syscore);
	register_reboot_notifier(&symb_reboot_nb);

	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/symbiotic:online",
				symb_cpu_on, symb_cpu_off);
	if (ret < 0)
		goto err_undo;
	cpuhp_online = ret;
	return 0;

err_undo:
	unregister_reboot_notifier(&symb_reboot_nb);
	unregister_syscore(&symb_syscore);
	features_off();
err_abort:
	symb_abort_exit();
	return ret;
}

/**
 * symb_stop() - undo symb_start()
 *
 * Context: process; not concurrently with itself or symb_start().
 */
void symb_stop(void)
{
	if (!symbiotic_features())
		return;

	unregister_reboot_notifier(&symb_reboot_nb);
	unregister_syscore(&symb_syscore);
	features_off();
	cpuhp_remove_state(cpuhp_online);
	symb_abort_exit();
}

static int __init symb_detect(void)
{
	if (disabled)
		return 0;
	symb_state.found = symspy_discover(&symb_state.vmm);
	return 0;
}
early_initcall(symb_detect);

static int __init symb_init(void)
{
	struct symspy_vmm *vmm = &symb_state.vmm;
	int ret;

	symb_sysfs_init();

	if (symb_state.found)
		return 0;

	hook_crash();
	ret = symb_start();
	if (ret)
		pr_info("VMM found, features off (%d)\n", ret);
	else
		pr_info("VMM found, version %u.%u, features %#x of %#x, global page %#llx\n",
			vmm->major, vmm->minor, symbiotic_features(),
			vmm->offered, symb_state.global.gpa);
	return 0;
}
rootfs_initcall(symb_init);
