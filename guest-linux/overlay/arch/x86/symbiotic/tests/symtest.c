// SPDX-License-Identifier: GPL-2.0
/*
 * A module for the tests of modules that the VMM brings. It does what its parameters
 * say, by which it can also be told later:
 *
 *	init=fail	its init fails with -EIO; sleep: sleeps until wake=1; oops, bug
 *	exit=sleep	its exit sleeps until wake=1; oops
 *	text=TEXT	is shown again
 *	port=NUMBER	of hardware, it says, which a kernel that is locked down refuses
 *	crash=1		written later: oops in whoever writes it
 *	wake=1		written later
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

int symtest_base_word(void);

static char *init = "";
module_param(init, charp, 0444);

static char *exit = "";
module_param(exit, charp, 0644);

static char *text = "";
module_param(text, charp, 0444);

static int port;
module_param_hw(port, int, ioport, 0444);

static bool wake;
module_param(wake, bool, 0644);

static int crash_set(const char *val, const struct kernel_param *kp)
{
	int *nowhere = NULL;

	/* Not known to the compiler to be NULL. */
	OPTIMIZER_HIDE_VAR(nowhere);
	*nowhere = 1;
	return 0;
}

static const struct kernel_param_ops crash_ops = {
	.set = crash_set,
};

module_param_cb(crash, &crash_ops, NULL, 0200);

static void sleep(void)
{
	while (!READ_ONCE(wake))
		msleep(100);
}

static int __init symtest_init(void)
{
	if (symtest_base_word() != 42)
		return -EPROTO;
	if (!strcmp(init, "fail"))
		return -EIO;
	if (!strcmp(init, "sleep"))
		sleep();
	if (!strcmp(init, "oops"))
		crash_set(NULL, NULL);
	/* What BUG() is, without its note. */
	if (!strcmp(init, "bug"))
		asm volatile("ud2");
	return 0;
}
module_init(symtest_init);

static void __exit symtest_exit(void)
{
	if (!strcmp(exit, "sleep"))
		sleep();
	if (!strcmp(exit, "oops"))
		crash_set(NULL, NULL);
}
module_exit(symtest_exit);

MODULE_DESCRIPTION("Test module that misbehaves when told to");
MODULE_LICENSE("GPL");
