// SPDX-License-Identifier: GPL-2.0
/* Unit tests of budget.c: a host with memory that others take and give back. */
#include <ktap.h>
#include <string.h>

#include "budget.h"

static uint64_t seed = 7;

static uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 2685821657736338717ULL;
}

static struct {
	struct budget b;
	struct budget_limits l;
	struct budget_sample s;
} host;

static void start(uint64_t available, uint64_t granted)
{
	memset(&host, 0, sizeof(host));
	host.l = (struct budget_limits){ 100, 100000, 1000, 10 };
	host.s = (struct budget_sample){ 1000, available, 5000000, 0, granted };
	budget_next(&host.b, &host.l, &host.s);
}

/* A second, in which tasks have waited for @percent of it. */
static uint64_t second(uint64_t available, unsigned int percent)
{
	host.s.now_ms += 1000;
	host.s.stall_us += percent * 10000;
	host.s.available = available;
	return budget_next(&host.b, &host.l, &host.s);
}

static void whatever(void)
{
	bool outside = false, fast = false, grown = false;
	unsigned int n;

	start(50000, 0);
	for (n = 0; n < 300000; n++) {
		uint64_t before = host.b.pages;

		host.l.max = rnd() % 8 ? 100000 : rnd();
		host.l.min = rnd() % 8 ? 100 : rnd();
		host.l.reserve = rnd() % 8 ? 1000 : rnd();
		host.l.pressure = rnd() % 101;
		host.s.found = rnd() % 8 ? 0 : rnd();
		host.s.used = rnd() % 2 ? rnd() % 100000 : rnd();
		host.s.now_ms += rnd() % 8 ? (int64_t)(rnd() % 2000) : -(int64_t)(rnd() % 2000);
		host.s.stall_us = rnd() % 8 ? host.s.stall_us + rnd() % 1000000 : rnd();
		host.s.available = rnd() % 2 ? rnd() % 100000 : rnd();
		budget_next(&host.b, &host.l, &host.s);
		outside |= host.b.pages > host.l.max || host.b.pages > 1ULL << 50 ||
			   (host.l.min <= host.l.max && host.l.min < 1ULL << 50 &&
			    host.b.pages < host.l.min);
		grown |= host.l.pressure && host.b.percent >= host.l.pressure &&
			 host.b.pages > before && host.b.pages > host.l.min;
		fast |= host.b.percent > 100;
	}
	ktap(!outside, "always within its limits");
	ktap(!grown, "no more while tasks wait");
	ktap(!fast, "a percentage is one");
}

int main(void)
{
	uint64_t before;
	unsigned int n;

	whatever();

	start(20000, 0);
	ktap(host.b.pages == 19000, "at first: what is available beyond the reserve");
	start(20000, 30000);
	ktap(host.b.pages >= 30000, "whoever starts again takes over what is granted");
	start(0, 1000000);
	ktap(host.b.pages == 100000, "but no more than the limit");

	start(20000, 0);
	for (n = 0, before = host.b.pages; n < 100; n++)
		second(19900 + rnd() % 200, 0);
	ktap(host.b.pages == before, "a little more or less available changes nothing");
	before = host.b.pages;
	second(40000, 0);
	ktap(host.b.pages > before && host.b.pages < 25000, "grows slowly");
	for (n = 0; n < 60; n++)
		second(40000, 0);
	ktap(host.b.pages > 38000 && host.b.pages <= 39000, "to what there is");

	before = host.b.pages;
	second(20000, 0);
	ktap(host.b.pages == before - before / 4, "shrinks fast, but not at once");
	for (n = 0; n < 10; n++)
		second(0, 0);
	ktap(host.b.pages < 3000, "and on, if that was not enough");
	for (n = 0; n < 40; n++)
		second(0, 0);
	ktap(host.b.pages == 100, "down to the least");

	start(20000, 0);
	before = host.b.pages;
	second(20000, 50);
	ktap(host.b.pages == before - before / 8, "tasks that wait: an eighth less");
	before = host.b.pages;
	for (n = 0; n < 9; n++)
		second(60000, 0);
	ktap(host.b.pages == before, "and no more for a while");
	for (n = 0; n < 5; n++)
		second(60000, 0);
	ktap(host.b.pages > before, "then again");
	for (n = 0; n < 60; n++)
		second(20000, 100);
	ktap(host.b.pages == 100, "tasks that wait for ever: the least");

	start(20000, 0);
	before = host.b.pages;
	second(20000, 9);
	ktap(host.b.pages == before && host.b.percent == 9, "some waiting is no matter");
	host.s.stall_us = 0;
	second(20000, 0);
	ktap(host.b.percent == 0, "a counter that begins anew is no pressure");

	/* Of the daemon before, and it was slow to answer. */
	start(1000, 8000);
	host.s.granted = 16000;
	host.s.used = 16000;
	host.s.found = 8000;
	ktap(second(1000, 0) == 16000, "what is found later is taken over at once");
	host.s.used = 20000;
	host.s.found = 2000;
	ktap(second(1000, 0) == 18250, "and no more than that");
	host.s.found = 50000;
	ktap(second(1000, 0) == 20000, "if the host has it");

	/* Guests fill what they were given: then less is available, and that is right. */
	start(20000, 0);
	for (n = 0, before = host.b.pages; n < 19; n++) {
		host.s.used = n * 1000;
		second(20000 - n * 1000, 0);
	}
	ktap(host.b.pages == before, "what guests take of it is not lacking");
	return ktap_end();
}
