// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the symbiotic extension at KVM's user interface, with a tiny guest
 * of its own (guest.S).
 *
 * usage: symbiotic_test [-v] [-b calls] [-m MiB] [-p nested|shadow|switched]
 *	[-s switches] [name...]
 *	-b	benchmark: null hypercall against null symcall, not tests
 *	-m	what changes of the paging mode cost, up to that size, up to 256; instead of 4
 *	-p	VMs that may switch, and begin with that paging mode; switched: and change it
 *		all the time. That is for tests that are about neither, the others are left out
 *	-s	switches of paging modes while vCPUs run, instead of 200
 *
 * Prints KTAP; exits 0 if none failed. While it runs, the host's other symcalls
 * have more time than usual (kvm.symcall_budget_ms).
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <ktap.h>

#include "vm.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void benchmark(unsigned long n)
{
	double start, hypercalls, calls;
	struct kvm_regs regs;

	register_call(g_symcall_fast);
	must_wrmsr(SYMB_MSR_LOCAL_PAGE, LOCAL_GPA);
	enter(g_hypercall_loop, 0);
	IOCTL(vcpu, KVM_GET_REGS, &regs);
	regs.rbp = n;
	IOCTL(vcpu, KVM_SET_REGS, &regs);
	start = now();
	expect(run_vcpu(), PORT_DONE);
	hypercalls = now() - start;
	settle();

	start = now();
	expect(hypercall(SYMB_HC_SYMCALL_LOOP, n, CALL_NULL, 0, 0), 0);
	calls = now() - start;
	printf("hypercall %.0f ns, symcall %.0f ns, ratio %.3f\n",
	       hypercalls / n * 1e9, calls / n * 1e9, calls / hypercalls);
}

static const struct test * const suites[] = {
	msr_tests, memory_tests, symcall_tests, swapbypass_tests, paging_tests,
	paging_cost_tests,
};

#define NR_ANY_MODE	3	/* of these: no matter what the paging mode is */

/* -p switched */
static unsigned int nr_suites = NR(suites);
static bool switched;

static bool wanted(const struct test *t, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(t->name, *names))
			return true;
	return false;
}

/* Number @nr of the tests that are wanted; NULL if there are fewer. */
static const struct test *find_test(unsigned int nr, char **names)
{
	const struct test *t;
	unsigned int i;

	for (i = 0; i < nr_suites; i++)
		for (t = suites[i]; t->name; t++)
			if (wanted(t, names) && !nr--)
				return t;
	return NULL;
}

static bool known(char *name)
{
	char *names[2] = { name };

	return find_test(0, names);
}

/*
 * How often the kernel has warned: no guest may make it do so. (The taint flag
 * tells nothing where it has warned before.)
 */
static unsigned long warnings(void)
{
	FILE *f = fopen("/sys/kernel/warn_count", "r");
	unsigned long count = 0;

	if (f) {
		if (fscanf(f, "%lu", &count) != 1)
			count = 0;
		fclose(f);
	}
	return count;
}

/*
 * Bochs takes the blocking of NMIs by a vCPU for a state of the processor, which
 * stays when the VM goes, until a guest executes IRET.
 */
static void forget_nmi_blocking(void)
{
	struct kvm_regs regs = { 0 };

	make_vm(0);
	run_step(g_iret, 0, &regs);
	drop_vm();
}

static bool test_runs;		/* read without a lock */
static unsigned long changes;

/* Of whatever VM there is: a test may make others. */
static void *change_modes(void *arg)
{
	struct kvm_symb_paging set = { .mode = KVM_SYMB_PAGING_NESTED };

	do {
		set.mode ^= KVM_SYMB_PAGING_NESTED | KVM_SYMB_PAGING_SHADOW;
		changes += !ioctl(vm, KVM_SYMB_SET_PAGING, &set);
		usleep(1000);
	} while (__atomic_load_n(&test_runs, __ATOMIC_RELAXED));
	return NULL;
}

/* Signals are the test's. */
static void start_changes(pthread_t *thread)
{
	sigset_t all, old;

	test_runs = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(thread, NULL, change_modes, NULL))
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void stop_changes(pthread_t thread)
{
	__atomic_store_n(&test_runs, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static void run_test(const struct test *t, unsigned int paging)
{
	unsigned long warned = warnings();
	static pthread_t thread;
	static bool changing;
	bool ok = true;

	skipped = NULL;
	changing = false;
	vm_paging = paging;
	vm_eventfd = -1;
	switch (setjmp(ended)) {
	case 0:
		make_vm(t->features);
		if (switched) {
			start_changes(&thread);
			changing = true;
		}
		t->fn();
		break;
	case SKIPPED:
		break;
	default:
		ok = false;
	}
	if (changing)
		stop_changes(thread);
	set_budget(0);
	drop_vm();
	if (warnings() != warned) {
		printf("# the kernel has warned, see its log\n");
		ok = false;
	}
	ktap_directive(ok, ok ? skipped : NULL, "%s", t->name);
}

int main(int argc, char **argv)
{
	static unsigned long bench;
	static unsigned int paging;
	static bool verbose;
	const struct test *t;
	unsigned int i;
	char **names;
	int opt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((opt = getopt(argc, argv, "vb:m:p:s:")) != -1) {
		switch (opt) {
		case 'v':
			verbose = true;
			break;
		case 'b':
			bench = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			cost_mib = strtoul(optarg, NULL, 0);
			break;
		case 's':
			switches = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			paging = strcmp(optarg, "shadow") ? KVM_SYMB_PAGING_NESTED :
							    KVM_SYMB_PAGING_SHADOW;
			switched = !strcmp(optarg, "switched");
			if (switched)
				nr_suites = NR_ANY_MODE;
			break;
		default:
			return 2;
		}
	}

	names = argv + optind;

	if (setjmp(ended))
		return 2;
	vm_init();

	vm_paging = paging;
	if (bench) {
		make_vm(SYMB_FEAT_ALL);
		benchmark(bench);
		return 0;
	}

	for (i = 0; names[i]; i++) {
		if (!known(names[i])) {
			fprintf(stderr, "no test \"%s\"\n", names[i]);
			return 2;
		}
	}

	for (i = 0; find_test(i, names); i++)
		;
	ktap_plan(i + switched);
	forget_nmi_blocking();
	for (i = 0; (t = find_test(i, names)); i++) {
		if (verbose)
			printf("# %s\n", t->name);
		run_test(t, paging);
	}
	/* Else they have tested nothing that others do not. */
	if (switched)
		ktap(changes > i, "%lu changes meanwhile", changes);
	return ktap_end();
}
