// SPDX-License-Identifier: GPL-2.0
/*
 * Linked with the kernel's own tests of KVM (tools/testing/selftests/kvm), in place of
 * ioctl() by the linker's --wrap: with PAGING=switched in the environment each VM that they
 * make is one that may change its paging mode, and does so all the time. What they find is
 * right or wrong as ever.
 */
#include <errno.h>
#include <linux/kvm_symbiotic.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NESTED	KVM_SYMB_PAGING_NESTED
#define SHADOW	KVM_SYMB_PAGING_SHADOW

int __real_ioctl(int fd, unsigned long nr, void *arg);
int __wrap_ioctl(int fd, unsigned long nr, void *arg);

static unsigned long changes;

static void say_changes(void)
{
	fprintf(stderr, "changes %lu\n", __atomic_load_n(&changes, __ATOMIC_RELAXED));
}

/* Until the test closes the VM. What then has its number is none, or is changed as well. */
static void *change_modes(void *arg)
{
	struct kvm_symb_paging set = { .mode = NESTED };
	int vm = (long)arg;

	for (;;) {
		set.mode ^= NESTED | SHADOW;
		/* A guest that is a hypervisor holds its VM in nested paging. */
		set.flags = set.mode == SHADOW ? KVM_SYMB_PAGING_WAIT : 0;
		if (!__real_ioctl(vm, KVM_SYMB_SET_PAGING, &set))
			__atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
		else if (errno != ENOMEM && errno != EINTR)
			return NULL;
		usleep(500);
	}
}

static void begin(int vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SYMBIOTIC_PAGING, .args = { NESTED } };
	static bool told;
	sigset_t all, old;
	pthread_t thread;

	/* No such VM, as one with encrypted memory: the test is what it was. */
	if (__real_ioctl(vm, KVM_ENABLE_CAP, &cap))
		return;
	if (!told && atexit(say_changes))
		abort();
	told = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, change_modes, (void *)(long)vm) ||
	    pthread_detach(thread))
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int __wrap_ioctl(int fd, unsigned long nr, void *arg)
{
	const char *paging = getenv("PAGING");
	int r = __real_ioctl(fd, nr, arg);

	if (nr == KVM_CREATE_VM && r >= 0 && paging && !strcmp(paging, "switched"))
		begin(r);
	return r;
}
