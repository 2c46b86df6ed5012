// SPDX-License-Identifier: GPL-2.0
/*
 * Modules that the VMM brings. Off unless symbiotic.modules=signed.
 *
 * A symcall says where an offer is. It may have interrupted anything, so it only notes
 * that and kicks a work item, which starts a thread: a module's init may sleep, crash,
 * or never return, and takes nothing with it then but that thread.
 *
 * The thread copies what is offered, first of all, and the VMM is told that its memory
 * may go. All else is about the copy: the hash (is it what was offered?), and then the
 * whole way that a module of user space's takes, with a signature by a key of this
 * kernel's image as the one thing more (kernel/module/symbiotic.c). The hash protects
 * from nobody: who can change the memory can change the hash. It tells an offer that
 * went wrong from one that is not signed.
 *
 * Who has come this way is in a list, and only they can be sent away this way. The VMM
 * hears of each that goes, whoever has sent it away, and of each that crashes: it may
 * have given devices to a module, and takes them back before the hypercall returns.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/buildid.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/irq_work.h>
#include <linux/kdebug.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/symbiotic_modules.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <asm/processor.h>
#include <asm/unwind.h>

#include <crypto/sha2.h>

#include "modules.h"
#include "symbiotic.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"symbiotic."

#define LIMIT_MAX		(SYMB_MODULE_MAX / SZ_1M)
#define DEADLINE_MAX		600U

/* ---- What the kernel's command line says ---------------------------------- */

static bool modules_signed __ro_after_init;

static int set_policy(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "off"))
		modules_signed = false;
	else if (sysfs_streq(val, "signed"))
		modules_signed = true;
	else
		return -EINVAL;
	return 0;
}

static int get_policy(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", modules_signed ? "signed" : "off");
}

static const struct kernel_param_ops policy_ops = {
	.set = set_policy,
	.get = get_policy,
};

module_param_cb(modules, &policy_ops, NULL, 0444);

/* MiB */
static unsigned int modules_limit __ro_after_init = 16;
module_param(modules_limit, uint, 0444);

/* Seconds until an init that has not returned is told of. */
static unsigned int modules_deadline __ro_after_init = 30;
module_param(modules_deadline, uint, 0444);

static u64 limit(void)
{
	return (u64)clamp(modules_limit, 1U, LIMIT_MAX) * SZ_1M;
}

bool symb_modules_wanted(void)
{
	return modules_signed;
}

/* ---- State ---------------------------------------------------------------- */

/**
 * struct symb_module - a module that the VMM has brought
 * @node: in @loaded, read under RCU
 * @rcu: frees it
 * @cookie: the offer that it came with
 * @mod: the module, as long as it is in the list
 * @dead: bit 0: its code has crashed, the VMM was told
 */
struct symb_module {
	struct list_head node;
	struct rcu_head rcu;
	u64 cookie;
	struct module *mod;
	unsigned long dead;
};

/**
 * struct loading - the offer that the thread is at
 * @req: where it is
 * @offer: a copy of its first page
 * @entry: what will be in the list; NULL once it is
 */
struct loading {
	struct symb_module_request req;
	struct symb_module_offer offer;
	struct symb_module *entry;
};

static struct symb_lane lane;
/* Written by a symcall on that CPU while the lane is idle. */
static DEFINE_PER_CPU(struct symb_module_request, requests);
/* The machine is about to sleep, or has not quite woken up. */
static bool asleep;

static LIST_HEAD(loaded);
static DEFINE_MUTEX(loaded_lock);

/* The thread, and what it is at; written by itself. */
static struct task_struct *loader;
static struct loading *now;
/* For whoever tells that it is late: the offer's. */
static u64 now_cookie;
static char now_name[SYMB_MODULE_NAME];

static struct kobject *modules_kobj;
static u64 boot_number;
static u8 build_id[SYMB_MODULES_BUILD_ID];
static bool ready;

/* A VMM that does not listen any more (suspend, kexec) misses nothing. */
static long tell(u64 cookie, unsigned int what, int err)
{
	if (!symbiotic_has(SYMB_FEAT_MODULES))
		return -ENODEV;
	return symb_hypercall4(SYMB_HC_MODULE, cookie, what, -err, 0);
}

/* ---- Modules come and go -------------------------------------------------- */

static void module_gone(struct module *mod)
{
	struct symb_module *m, *found = NULL;

	mutex_lock(&loaded_lock);
	list_for_each_entry(m, &loaded, node) {
		if (m->mod != mod)
			continue;
		list_del_rcu(&m->node);
		found = m;
		break;
	}
	mutex_unlock(&loaded_lock);
	if (!found)
		return;

	sysfs_remove_link(modules_kobj, mod->name);
	/*
	 * Its exit function has stopped its devices. From here on the VMM does not
	 * let them master the bus; its memory is freed after that.
	 */
	tell(found->cookie, SYMB_MODULE_IS_GONE, 0);
	kfree_rcu(found, rcu);
}

/*
 * Whoever unloads a module, this is called; and whoever loads one, so look whether it
 * is the thread.
 */
static int module_notify(struct notifier_block *nb, unsigned long state, void *data)
{
	struct loading *l = current == READ_ONCE(loader) ? now : NULL;
	struct module *mod = data;

	switch (state) {
	case MODULE_STATE_COMING:
		if (!l || l->offer.op != SYMB_MODULE_LOAD)
			break;
		if (strcmp(mod->name, l->offer.name)) {
			pr_warn("module %s was offered as %s, not loaded\n",
				mod->name, l->offer.name);
			return notifier_from_errno(-EINVAL);
		}
		l->entry->mod = mod;
		break;

	case MODULE_STATE_LIVE:
		if (!l || !l->entry || l->entry->mod != mod)
			break;
		/* It cannot be unloaded yet: its first reference is still held. */
		if (sysfs_create_link(modules_kobj, &mod->mkobj.kobj, mod->name))
			pr_warn("module %s: not in sysfs\n", mod->name);
		mutex_lock(&loaded_lock);
		list_add_tail_rcu(&l->entry->node, &loaded);
		l->entry = NULL;
		mutex_unlock(&loaded_lock);
		break;

	case MODULE_STATE_GOING:
		module_gone(mod);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_notify,
};

/* ---- Crashes -------------------------------------------------------------- */

/* Whether code of the module is among what has led to this. */
static bool in_module(const struct module *mod, struct pt_regs *regs)
{
	struct unwind_state state;

	/* The unwinder begins with who has called that. */
	if (within_module(regs->ip, mod))
		return true;
	for (unwind_start(&state, current, regs, NULL); !unwind_done(&state);
	     unwind_next_frame(&state)) {
		unsigned long ip = unwind_get_return_address(&state);

		if (ip && within_module(ip, mod))
			return true;
	}
	return false;
}

/*
 * Before this CPU does anything else. A crash in a module's code, or in what it has
 * called, is the module's; what it has corrupted before, and who stumbles over it,
 * nobody can tell.
 */
static int die_notify(struct notifier_block *nb, unsigned long val, void *data)
{
	struct die_args *args = data;
	struct symb_module *m;

	if (val != DIE_OOPS || !args->regs || user_mode(args->regs))
		return NOTIFY_DONE;

	rcu_read_lock();
	list_for_each_entry_rcu(m, &loaded, node) {
		if (!in_module(m->mod, args->regs) || test_and_set_bit(0, &m->dead))
			continue;
		pr_emerg("module %s has crashed, the VMM takes its devices\n", m->mod->name);
		tell(m->cookie, SYMB_MODULE_IS_DEAD, 0);
	}
	rcu_read_unlock();

	/* The thread ends here, wherever it is. Its memory is lost. */
	if (current == READ_ONCE(loader)) {
		/* Another's as soon as the lane is free. */
		u64 cookie = now_cookie;

		pr_emerg("module %s has crashed while it was loaded or unloaded\n", now_name);
		WRITE_ONCE(loader, NULL);
		symb_lane_end(&lane);
		tell(cookie, SYMB_MODULE_IS_DEAD, 0);
	}
	return NOTIFY_DONE;
}

static struct notifier_block die_nb = {
	.notifier_call = die_notify,
};

/* ---- The thread ----------------------------------------------------------- */

/*
 * Copy all of the offer. @slot can change while we read, or go: then each access is an
 * exit. So its first word is looked at for each page, not to believe it, but to end early.
 */
static void *copy_module(struct loading *l, const struct symb_module_offer *slot)
{
	const void *from = (const void *)slot + SYMB_MODULE_DATA;
	u64 size = l->offer.size, done, n;
	void *image;

	image = __vmalloc(size, GFP_KERNEL | __GFP_NOWARN);
	if (!image)
		return ERR_PTR(-ENOMEM);

	for (done = 0; done < size; done += n) {
		n = min(size - done, (u64)PAGE_SIZE);
		if (READ_ONCE(slot->magic) != SYMB_MODULE_MAGIC) {
			vfree(image);
			return ERR_PTR(-ENODATA);
		}
		memcpy(image + done, from + done, n);
		cond_resched();
	}
	return image;
}

/*
 * The header, and the module if there is one; NULL if not. After this, nothing of the
 * VMM's memory is mapped.
 */
static void *take_offer(struct loading *l)
{
	const struct symb_module_request *req = &l->req;
	const struct symb_module_offer *slot;
	void *image = NULL;
	int ret;

	ret = symb_offer_place(req, limit(), boot_cpu_data.x86_phys_bits);
	if (ret)
		return ERR_PTR(ret);
	/* Neither our own memory nor a driver's. */
	if (region_intersects(req->gpa, req->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT ||
	    !request_mem_region(req->gpa, req->size, "symbiotic module"))
		return ERR_PTR(-EADDRINUSE);

	slot = memremap(req->gpa, req->size, MEMREMAP_WB);
	if (!slot) {
		ret = -ENOMEM;
		goto out_release;
	}
	memcpy(&l->offer, slot, sizeof(l->offer));
	ret = symb_offer_check(&l->offer, req, limit());
	if (!ret && l->offer.op == SYMB_MODULE_LOAD)
		image = copy_module(l, slot);
	memunmap((void *)slot);
out_release:
	release_mem_region(req->gpa, req->size);
	return ret ? ERR_PTR(ret) : image;
}

static bool hash_right(const struct loading *l, const void *image)
{
	u8 digest[SHA256_DIGEST_SIZE];

	BUILD_BUG_ON(sizeof(digest) != sizeof(l->offer.sha256));
	sha256(image, l->offer.size, digest);
	return !memcmp(digest, l->offer.sha256, sizeof(digest));
}

/* Takes @image. */
static int load(struct loading *l, void *image)
{
	if (!hash_right(l, image)) {
		vfree(image);
		return -EBADMSG;
	}
	l->entry = kzalloc(sizeof(*l->entry), GFP_KERNEL);
	if (!l->entry) {
		vfree(image);
		return -ENOMEM;
	}
	l->entry->cookie = l->req.cookie;
	return module_load_from_vmm(image, l->offer.size, l->offer.args);
}

static bool came_this_way(const char *name)
{
	struct symb_module *m;
	bool found = false;

	mutex_lock(&loaded_lock);
	list_for_each_entry(m, &loaded, node)
		found |= !strcmp(m->mod->name, name);
	mutex_unlock(&loaded_lock);
	return found;
}

static int unload(struct loading *l)
{
	/* One that goes at this moment, and comes back another way, is nobody's loss. */
	if (!came_this_way(l->offer.name))
		return -ENOENT;
	return module_unload_from_vmm(l->offer.name);
}

static int handle_offer(struct loading *l)
{
	void *image = take_offer(l);

	if (IS_ERR(image))
		return PTR_ERR(image);
	strscpy(now_name, l->offer.name);
	/* Whose offer is over by now does not know of it any more. */
	if (tell(l->req.cookie, SYMB_MODULE_IS_TAKEN, 0)) {
		vfree(image);
		return -ECANCELED;
	}
	return image ? load(l, image) : unload(l);
}

static void overdue(struct work_struct *work)
{
	u64 cookie = READ_ONCE(now_cookie);

	if (!symb_lane_overdue(&lane))
		return;
	pr_warn("module %s takes longer than %u s, no other is taken meanwhile\n",
		now_name, clamp(modules_deadline, 1U, DEADLINE_MAX));
	tell(cookie, SYMB_MODULE_IS_OVERDUE, 0);
}

static DECLARE_DELAYED_WORK(overdue_work, overdue);

static int loader_thread(void *data)
{
	struct loading *l = data;
	u64 cookie = l->req.cookie;
	ktime_t began = ktime_get();
	bool unloading;
	int err;

	now = l;
	WRITE_ONCE(loader, current);
	err = handle_offer(l);
	WRITE_ONCE(loader, NULL);

	unloading = l->offer.op == SYMB_MODULE_UNLOAD;
	if (err)
		pr_warn("module %s of the VMM's is not %s (%d)\n", now_name,
			unloading ? "unloaded" : "loaded", err);
	else if (unloading)
		pr_notice("module %s unloaded\n", now_name);
	else
		pr_notice("module %s loaded, from the VMM, in %lld us\n", now_name,
			  ktime_us_delta(ktime_get(), began));
	kfree(l->entry);
	kfree(l);

	cancel_delayed_work_sync(&overdue_work);
	/* In this order: who hears that it is over may offer the next. */
	symb_lane_end(&lane);
	tell(cookie, SYMB_MODULE_IS_DONE, err);
	return 0;
}

/* ---- From the symcall to the thread --------------------------------------- */

static void start(struct work_struct *work)
{
	int state = READ_ONCE(lane.state);
	struct task_struct *task;
	struct loading *l;
	u64 cookie;

	if (state <= SYMB_LANE_IDLE)
		return;
	/* While it is queued nobody writes to the request. */
	cookie = per_cpu(requests, state - 1).cookie;
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (l)
		l->req = per_cpu(requests, state - 1);
	if (!symb_lane_start(&lane, state - 1)) {
		kfree(l);
		return;
	}
	if (!l)
		goto err_end;

	WRITE_ONCE(now_cookie, cookie);
	strscpy(now_name, "(unknown)");
	mod_delayed_work(system_wq, &overdue_work,
			 clamp(modules_deadline, 1U, DEADLINE_MAX) * HZ);
	task = kthread_run(loader_thread, l, "symb_module");
	if (!IS_ERR(task))
		return;
	cancel_delayed_work_sync(&overdue_work);
	kfree(l);
err_end:
	symb_lane_end(&lane);
	tell(cookie, SYMB_MODULE_IS_DONE, -ENOMEM);
}

static DECLARE_WORK(start_work, start);

static void kicked(struct irq_work *work)
{
	schedule_work(&start_work);
}

static struct irq_work kick = IRQ_WORK_INIT(kicked);

/*
 * SYMCALL_MODULE. This may be aborted at any instruction. So a CPU's request is its own
 * until one exchange makes it the lane's; and who finds the lane taken kicks again, as
 * whoever took it may not have come to that.
 */
static int call_module(struct symcall_regs *regs)
{
	unsigned int cpu = smp_processor_id();
	struct symb_module_request *req = this_cpu_ptr(&requests);

	if (READ_ONCE(lane.state) == SYMB_LANE_IDLE) {
		req->cookie = regs->rbx;
		req->gpa = regs->rcx;
		req->size = regs->rdx;
		if (symb_lane_queue(&lane, cpu)) {
			/* In this order: pm_notify() looks the other way round. */
			if (READ_ONCE(asleep)) {
				symb_lane_end(&lane);
				return SYMCALL_ERR_BUSY;
			}
			irq_work_queue(&kick);
			return 0;
		}
	}
	irq_work_queue(&kick);
	return SYMCALL_ERR_BUSY;
}

/* ---- Suspend -------------------------------------------------------------- */

/* Threads of the kernel are not frozen, and a driver's init needs its devices. */
static int pm_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
	case PM_SUSPEND_PREPARE:
		WRITE_ONCE(asleep, true);
		/* Who has not seen it has queued one by now. */
		smp_mb();
		if (!symb_lane_awake(&lane))
			break;
		WRITE_ONCE(asleep, false);
		pr_warn("not now: a module of the VMM's is being loaded\n");
		return notifier_from_errno(-EBUSY);
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		WRITE_ONCE(asleep, false);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block pm_nb = {
	.notifier_call = pm_notify,
};

/* ---- On and off ----------------------------------------------------------- */

/**
 * symb_modules_on() - say in the global page which modules we take
 *
 * The page is new after a suspend. Nothing is said before modules can be taken.
 *
 * Context: any that features are agreed on in.
 */
void symb_modules_on(void)
{
	struct symspy_modules *spy = symspy_modules(&symb_state.global);

	if (!READ_ONCE(ready) || !spy || !symbiotic_has(SYMB_FEAT_MODULES))
		return;
	WRITE_ONCE(spy->policy, SYMB_MODULES_NONE);
	WRITE_ONCE(spy->limit, limit());
	WRITE_ONCE(spy->boot, boot_number);
	memcpy(spy->build_id, build_id, sizeof(build_id));
	strscpy_pad(spy->vermagic, module_vermagic());
	/* Pairs with the VMM, which reads this first. */
	smp_store_release(&spy->policy, SYMB_MODULES_SIGNED);
}

/*
 * Last of all that is started before user space: the keyring is filled by a
 * late_initcall. A VMM that calls earlier hears that the call is unknown.
 */
static int __init symb_modules_init(void)
{
	int ret;

	if (!modules_signed || symb_state.found || !symbiotic_kobj ||
	    !(symb_state.vmm.offered & SYMB_FEAT_MODULES))
		return 0;

	boot_number = get_random_u64() | 1;
	BUILD_BUG_ON(sizeof(build_id) != BUILD_ID_SIZE_MAX);
	module_kernel_build_id(build_id);
	modules_kobj = kobject_create_and_add("modules", symbiotic_kobj);
	if (!modules_kobj)
		return -ENOMEM;
	ret = register_module_notifier(&module_nb);
	if (ret)
		goto err_kobj;
	ret = register_die_notifier(&die_nb);
	if (ret)
		goto err_module;
	ret = register_pm_notifier(&pm_nb);
	if (ret)
		goto err_die;
	ret = symcall_register(SYMCALL_MODULE, call_module);
	if (ret)
		goto err_pm;

	WRITE_ONCE(ready, true);
	symb_modules_on();
	return 0;

err_pm:
	unregister_pm_notifier(&pm_nb);
err_die:
	unregister_die_notifier(&die_nb);
err_module:
	unregister_module_notifier(&module_nb);
err_kobj:
	kobject_put(modules_kobj);
	pr_warn("no modules from the VMM (%d)\n", ret);
	return ret;
}
late_initcall_sync(symb_modules_init);
