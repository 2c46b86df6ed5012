/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of kvm_fuzz have in common that execute programs. exec.c has the order of
 * things, machine.c the VM, guest_steps.c and host_steps.c what is done to it, and check.c
 * what that does to the model, and the comparison of both.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>

#include "vm.h"
#include "exec.h"
#include "layout.h"
#include "model.h"

#define GUEST_LABEL(label)	(FUZZ_CODE + (__u64)((label) - fuzz_start))
#define VA(place, index)	(GUEST_UNMAPPED + (__u64)(place) * 0x200000 + (index) * 4096ULL)
#define VA_HIGH			(1ULL << 39)	/* the same from there on, by TOP_INDEX; */
#define VA_HIGH5		(1ULL << 48)	/* and with five levels */
#define CR4_LA57		(1 << 12)
#define LOCAL_OF(v)		(LOCAL_GPA + (v) * 0x2000ULL)
#define BOX_OF(v)		(FUZZ_BOX + (v) * FUZZ_BOX_SIZE)
#define PDPT32_OF(v)		(FUZZ_PDPT32 + (v) * FUZZ_PDPT32_SIZE)

/* Memory slots; 0 is RAM's. */
enum { GLOBAL_SLOT = 1, REGION_SLOT = 3, ROM_SLOT = 5, LOCAL_SLOT = 8 };

struct vcpu {
	int fd;
	struct kvm_run *run;
	void *local;
	__u64 local_gpa;
	bool busy;		/* in the middle of a step */
	pthread_t thread;	/* that executes it then */
};

/* A step that is being executed, and what has come of it. */
struct doing {
	const struct step *s;
	const struct step *during;	/* steps that wait for its question */
	unsigned int nr_during;
	enum ending end;
	unsigned int vector;
	__u64 cr2;
	__u64 result;
	__u64 addr;		/* where */
	__u64 value;		/* what it has written */
	__u64 from;		/* a churn: its first value, value is the last, */
	__u64 left;		/* and what there is in the end */
	bool mmio;
	bool odd;		/* what user space has set may keep it from running, once */
	bool answered;
	bool meanwhile;		/* something has been done between the answer and its use */
	unsigned int nr_grants;
	struct grant grant[SYMB_LOOKUP_MAX];
	pthread_t thread;
};

extern struct model m;
extern struct vcpu vcpus[NR_VCPUS];
extern unsigned int nr_vcpus;

/* While steps run at the same time: the model before, and what they have written. */
extern bool in_group;
extern unsigned int group_running;	/* steps of vCPUs that have not ended */
extern bool group_logs;		/* whether pages are logged changes meanwhile */
extern bool group_gaps;		/* memory or its slot may have been away for a moment */
extern struct model before;
extern __u64 group_value[32];
extern unsigned int nr_group_values;
extern __u64 group_from, group_to;	/* and all from the one to the other */
extern bool touched[NR_REGIONS][MOST_PAGES];

/* The entry of a page-directory-pointer table, above the places; and above that. */
__u64 *pdpte_of(unsigned int tree);
__u64 *top_of(unsigned int top);
/* An address, as the vCPU has it. */
__u64 va_of(unsigned int v, unsigned int place, unsigned int index);
/* A root, of as many levels as the vCPU's. */
unsigned int root_of(unsigned int v, unsigned int root);

/* exec.c */
void exec_one(const struct step *s, const struct step *during, unsigned int nr);

/* machine.c */
extern const char * const mode_names[];	/* of bypass_mode, by VM_MODE */
__u32 *box32(unsigned int v, unsigned int field);
__u64 new_serial(void);
__u64 executed_serial(__u64 edx);
__u64 host_word(const struct memory *memory, unsigned int page);
void host_pages(const struct memory *memory, bool *there);
bool map_slot(unsigned int slot, __u64 gpa, void *mem, __u64 size, __u32 flags);
void run_to_end(unsigned int nr, struct doing *d, unsigned long request, void *arg);
void run_op(struct doing *d, unsigned int op);
void set_args(unsigned int v, __u64 a0, __u64 a1, __u64 a2, __u64 a3, __u64 a4);
void guest_wrmsr(struct doing *d, __u32 msr, __u64 val);
void guest_hypercall(struct doing *d, __u64 nr, __u64 a0, __u64 a1, __u64 a2);
void guest_store(struct doing *d, __u64 addr, __u64 val);
void register_calls(struct doing *d);
void enable_vcpu(unsigned int nr);
bool set_cpu_mode(unsigned int nr, unsigned int mode);
void new_vcpu(void);
unsigned int desc_pages(unsigned int desc);
void guest_attach(struct doing *d, unsigned int desc);
__u64 swap_pte(unsigned int slot, bool exclusive);
void write_file(const char *name, const char *text);
bool write_vm_file(const char *name, const char *text);
void begin_vm(const struct program *p);
void end_vm(void);

/* guest_steps.c */
void grant_answer(const struct doing *d);
bool is_access(const struct step *s);
bool is_store(const struct step *s);
void exec_access(struct doing *d);
__u64 edge(unsigned int n);
__u64 hypercall_number(unsigned int n);
void exec_guest(struct doing *d);

/* host_steps.c */
void fork_child(bool on);
void exec_host(struct doing *d);

/* vcpu_steps.c */
void exec_vcpu(struct doing *d);

/* nested.c */
void build_nested(__u64 vmcb, const struct kvm_sregs *s);

/* check.c */
bool may_be_no_memory(const struct doing *d);
void check_access(const struct doing *d);
void apply_host(const struct doing *d);
void apply_guest(const struct doing *d);
void resolve_pages(void);
void resolve_entries(void);
void check_all(void);

#endif /* MACHINE_H */
