// SPDX-License-Identifier: GPL-2.0
/*
 * When to look for the VMM, where to put the shared pages, and when to take
 * everything back.
 */
#include <kitten/boot.h>
#include <kitten/lib.h>
#include <kitten/lwk.h>
#include <kitten/symbiotic.h>
#include <kitten/task.h>
#include "internal.h"

/*
 * Evenly spaced addresses from the top of the physical address space
 * downwards: memory and devices start from below.
 */
#define PLACES		64

/* The global page, one for each CPU, and as many to spare. */
#define SLOTS		(1 + 2 * MAX_CPUS)

struct symspy_vmm symb_vmm;
struct symspy_page symb_global;
int symb_found = -ENODEV;
u32 symb_features;

static u32 next_slot = 1;

/* On success the global page is up. */
static int place_global(void)
{
	u64 top = 1ULL << cpu_has.phys_bits;
	int ret = -EBUSY;

	for (u64 i = 1; i < PLACES && ret == -EBUSY; i++) {
		u64 gpa = top - i * (top / PLACES);

		if (!linear_covers(gpa, SLOTS * SYMB_PAGE_SIZE))
			ret = symspy_global_on(&symb_global, &symb_vmm, gpa);
	}
	if (ret)
		symb_warn("VMM takes no address for the global page\n");
	return ret;
}

/* A page refused by the VMM is not tried again. One CPU at a time. */
static int local_on(struct symb_cpu *sc)
{
	int ret = -EBUSY;

	while (ret == -EBUSY && next_slot < SLOTS) {
		u64 gpa = symb_global.gpa + next_slot++ * SYMB_PAGE_SIZE;

		ret = symspy_local_on(&sc->local, &symb_vmm, gpa);
	}
	return ret;
}

/* A CPU without a page or without symcalls still works. */
static void cpu_on(struct cpu *cpu)
{
	struct symb_cpu *sc = &symb_cpus[cpu->id];
	int ret;

	klock();
	ret = local_on(sc);
	if (ret)
		symb_warn("CPU %u: no local page (%d)\n", cpu->id, ret);
	else if (symb_features & SYMB_FEAT_SYMCALL)
		symcall_cpu_on(cpu);
	kunlock();
}

/*
 * Page tables are made before a task runs, and rest then, so shadow paging costs
 * nothing and spares the longer walk of nested paging.
 */
static void wish(void)
{
	struct symspy_paging *paging = symspy_paging(&symb_global);

	if (paging)
		WRITE_ONCE(paging->wish, SYMB_PAGING_SHADOW);
}

static int start(void)
{
	/* Nothing is swapped here: that feature is left to others. */
	u32 wanted = SYMB_FEAT_SYMSPY | SYMB_FEAT_SYMCALL |
		     SYMB_FEAT_DMA_OFFSET, accepted;
	int ret;

	ret = symspy_accept(&symb_vmm, wanted, &accepted);
	if (ret)
		return ret;
	ret = accepted & SYMB_FEAT_SYMSPY ? place_global() : -EOPNOTSUPP;
	if (ret)
		goto err_withdraw;

	/* An extension that cannot be trusted takes what is ours with it. */
	if (symb_vmm.hv_base && !symb_global.ext) {
		ret = symspy_accept(&symb_vmm, SYMB_FEAT_SYMSPY, &accepted);
		if (ret)
			goto err_global;
	}
	symb_features = accepted;
	wish();
	if (accepted & SYMB_FEAT_DMA_OFFSET)
		symb_dma_on();
	return 0;

err_global:
	symspy_global_off(&symb_global);
err_withdraw:
	symspy_withdraw(&symb_vmm);
	return ret;
}

void symbiotic_init(void)
{
	int ret;

	if (boot_option("nosymbiotic"))
		return;
	symb_found = symspy_discover(&symb_vmm);
	if (symb_found)
		return;

	ret = symcall_init();
	if (!ret)
		ret = start();
	if (ret) {
		symb_info("VMM found, features off (%d)\n", ret);
		return;
	}
	on_each_cpu(cpu_on);
	symb_info("VMM found, version %u.%u, features %#x of %#x, global page %#llx\n",
		  symb_vmm.major, symb_vmm.minor, symb_features,
		  symb_vmm.offered, symb_global.gpa);
}

/*
 * Without features the VMM makes no calls to the other CPUs either, and their
 * local pages are where nothing else is.
 */
void symbiotic_exit(void)
{
	struct symb_cpu *sc = &symb_cpus[this_cpu()->id];

	if (!symb_features)
		return;
	symb_dma_off();
	symb_features = 0;
	symspy_withdraw(&symb_vmm);
	symspy_global_off(&symb_global);
	symcall_cpu_off(this_cpu());
	symspy_local_off(&sc->local);
}

void symbiotic_info(struct lwk_machine *m)
{
	const struct symspy_global *g = symb_global.va;

	m->symb_found = symb_found;
	m->symb_features = symb_features;
	m->symb_offered = symb_vmm.offered;
	m->symb_base = symb_vmm.hv_base;
	if (symb_global.live) {
		m->global_gpa = symb_global.gpa;
		m->host_word = symb_global.ext ? READ_ONCE(g->host_word) : 0;
	}
	for (u32 i = 0; i < nr_cpus; i++) {
		const struct symb_cpu *sc = &symb_cpus[i];

		m->cpu[i].local_gpa = sc->local.live ? sc->local.gpa : 0;
		m->cpu[i].symcall_on = sc->enabled;
		m->cpu[i].symcalls = sc->calls;
		m->cpu[i].symcall_errors = sc->errors;
		m->cpu[i].symcall_aborts = sc->aborts;
	}
}
