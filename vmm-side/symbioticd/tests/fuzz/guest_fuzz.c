// SPDX-License-Identifier: GPL-2.0
/*
 * guest.c and a hostile QEMU: some rounds, in each of which it is asked for its numbers and
 * told a grant. The input says what it answers: the truth, phrases of QMP in any order, bytes,
 * or nothing; in which pieces; and which grants it is told. It does what it is told, whatever
 * it says.
 *
 * The oracle: an event is one of the question that was asked, an error closes the connection
 * and says why, in printable text; of a grant that is ours, no less is believed than is in
 * force, and whoever has one has a part; nobody is believed to have more in place than it was
 * found with, or granted since; and who tells the truth is believed.
 */
#include <fuzz.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Whole answers and parts; %s is the number of the last command. */
#define NUMBERS	"\"features\": 16, \"swap-in-place\": 9999, \"swap-hot\": 1, \"swap-wanted\": 1, "

static const char * const phrases[] = {
	"{\"return\": {}, \"id\": %s}", "{\"return\": ", "{\"error\": {\"desc\": ",
	"}, \"id\": %s}", "{\"error\": {\"desc\": \"\\u001b[31m\"}, \"id\": %s}",
	"{\"return\": {" NUMBERS "\"swap-grant\": ", "\"\\u001b[31m\"", ", \"id\": ", "{", "}",
	"\"class\": \"CommandNotFound\"", "18446744073709551615", "-1", "0", "1", "100", "101",
	"null", "{\"QMP\": {}}", "{\"event\": \"STOP\"}", "[", "]", ", ", ": ", "\"id\"",
	"\"features\"", "{\"return\": {}}", "{\"return\": {\"features\": 0}, \"id\": %s}",
	"%s", "\"", "'", "\\",
};

#define PHRASES		(sizeof(phrases) / sizeof(phrases[0]))
#define FIRST_PHRASE	8
#define LITERAL		224	/* from here on: the next byte as it is */
#define ROUNDS		4
#define STEPS		100

/* ---- QEMU ------------------------------------------------------------------ */

enum { TRUTH, END_OF_FILE, NOT_YET, RESET, CLAIM };

static struct {
	uint64_t grant, in_place, wanted;
	char command[256];	/* that has come so far */
	size_t len;
	char id[24];		/* of the last one; "" if it has been answered */
	char answer[512];	/* to it, or the greeting */
	char text[512];		/* to be sent, from @pos on */
	size_t pos;
	char heard[4096];	/* what it has said in this round; if it is full, no matter */
	size_t heard_len;
	bool asked;		/* it is an answer with numbers */
	bool lied, cut;
} qemu;

static void answer_info(uint64_t grant, uint64_t in_place, uint64_t wanted)
{
	snprintf(qemu.answer, sizeof(qemu.answer),
		 "{\"return\": {\"features\": 31, \"swap-grant\": %" PRIu64
		 ", \"swap-in-place\": %" PRIu64 ", \"swap-hot\": 1, \"swap-wanted\": %" PRIu64
		 ", \"swap-held\": 0, \"vcpus\": []}, \"id\": %s}\r\n", grant, in_place, wanted,
		 qemu.id);
}

static void claim(void)
{
	uint8_t what = fuzz_byte();

	if (qemu.asked)
		answer_info(what & 1 ? fuzz_bytes(8) : qemu.grant,
			    what & 2 ? fuzz_bytes(8) : qemu.in_place,
			    what & 4 ? fuzz_bytes(8) : qemu.wanted);
}

static void take_command(void)
{
	char *id = strstr(qemu.command, "\"id\": ");
	char *pages = strstr(qemu.command, "\"pages\": ");

	MUST(id);
	snprintf(qemu.id, sizeof(qemu.id), "%lu", strtoul(id + 6, NULL, 10));
	if (pages) {
		qemu.grant = strtoull(pages + 9, NULL, 10);
		if (qemu.in_place > qemu.grant)
			qemu.in_place = qemu.grant;
	}
	qemu.asked = strstr(qemu.command, "x-query-symbiotic");
	if (qemu.asked)
		answer_info(qemu.grant, qemu.in_place, ++qemu.wanted);
	else
		snprintf(qemu.answer, sizeof(qemu.answer), "{\"return\": {}, \"id\": %s}\r\n",
			 qemu.id);
}

static ssize_t fake_send(const char *text, size_t size)
{
	uint8_t how = fuzz_byte();
	size_t i;

	if (how == RESET || how == NOT_YET) {
		qemu.cut |= how == RESET;
		errno = how == RESET ? EPIPE : EAGAIN;
		return -1;
	}
	if (how && how < size)
		size = how;
	for (i = 0; i < size; i++) {
		MUST(qemu.len < sizeof(qemu.command) - 1);
		qemu.command[qemu.len++] = text[i];
		if (text[i] != '\n')
			continue;
		qemu.command[qemu.len] = '\0';
		take_command();
		qemu.len = 0;
	}
	return size;
}

static ssize_t say(const char *text, size_t len)
{
	size_t room = sizeof(qemu.heard) - 1 - qemu.heard_len, n = len < room ? len : room;

	memcpy(qemu.heard + qemu.heard_len, text, n);
	qemu.heard_len += n;
	return len;
}

/* Whether it has said such a number. */
static bool heard_number(int64_t number)
{
	char text[24], *at = qemu.heard;
	size_t len = snprintf(text, sizeof(text), "%" PRId64, number);

	if (qemu.heard_len == sizeof(qemu.heard) - 1)
		return true;
	qemu.heard[qemu.heard_len] = '\0';
	for (; (at = strstr(at, text)); at += len)
		if ((at == qemu.heard || !isdigit(at[-1])) && !isdigit(at[len]))
			return true;
	return false;
}

static ssize_t send_piece(char *buf, size_t size)
{
	size_t left = strlen(qemu.text + qemu.pos);
	uint8_t piece = fuzz_byte();

	MUST(size >= left);
	if (piece && piece < left)
		left = piece;
	memcpy(buf, qemu.text + qemu.pos, left);
	qemu.pos += left;
	return say(buf, left);
}

static ssize_t fake_recv(char *buf, size_t size)
{
	uint8_t what;

	if (qemu.text[qemu.pos])
		return send_piece(buf, size);
	qemu.pos = 0;
	qemu.text[0] = '\0';
	what = fuzz_byte();
	switch (what) {
	case TRUTH:
		break;
	case CLAIM:
		qemu.lied = true;
		if (qemu.answer[0])
			claim();
		break;
	case END_OF_FILE:
		qemu.cut = true;
		return 0;
	case RESET:
		qemu.cut = true;
		errno = ECONNRESET;
		return -1;
	default:
		if (what < FIRST_PHRASE)
			break;
		qemu.lied = true;
		if (what < LITERAL) {
			what = (what - FIRST_PHRASE) % PHRASES;
			snprintf(qemu.text, sizeof(qemu.text), phrases[what], qemu.id);
			return send_piece(buf, size);
		}
		*buf = fuzz_byte();
		return say(buf, 1);
	}
	if (what == NOT_YET || !qemu.answer[0]) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(qemu.text, qemu.answer, sizeof(qemu.text));
	qemu.answer[0] = '\0';
	return send_piece(buf, size);
}

#define open(...)			100
#define socket(...)			101
#define connect(fd, ...)		((void)(fd), 0)
#define close(fd)			((void)(fd))
#define send(fd, text, size, flags)	fake_send(text, size)
#define recv(fd, buf, size, flags)	fake_recv(buf, size)

#include "guest.c"

/* ---- The test -------------------------------------------------------------- */

static uint64_t most;	/* that it can have in place, if it keeps to the rules */
static bool was_ours;	/* when it was last looked at */

static void check_text(const char *text)
{
	for (; *text; text++)
		MUST(*text >= ' ' && *text <= '~');
}

static void check(const struct guest *g, enum qmp_event event)
{
	struct policy_guest p;

	check_text(g->error);
	MUST((event == QMP_ERROR) == (g->fd < 0));
	if (event == QMP_ERROR) {
		MUST(qemu.lied || qemu.cut);
		MUST(g->silent && !g->answered && *g->error);
		MUST(!g->qmp.frame.text);
	}
	if (event == QMP_INFO || event == QMP_GRANTED || event == QMP_REFUSED) {
		MUST(g->task == GUEST_NO_TASK);
		MUST(heard_number(g->qmp.id));
	}
	/* Who says no has not done it, or there is nothing to go by. */
	if (event == QMP_REFUSED)
		qemu.grant = g->grant;
	if (event == QMP_INFO && !g->ours)
		most = g->info.in_place;
	if (event == QMP_INFO && g->ours)
		MUST(g->info.grant == g->grant);
	if (!guest_for_policy(g, &p)) {
		MUST(!was_ours);
		return;
	}
	was_ours = g->ours;
	MUST(!g->ours || p.grant >= qemu.grant);
	MUST(p.in_place <= most);
}

/* To the end of what it is asked. */
static void converse(struct guest *g)
{
	unsigned int steps;

	for (steps = 0; g->fd >= 0 && g->task != GUEST_NO_TASK && steps < STEPS; steps++)
		check(g, guest_io(g));
	if (g->fd < 0 || g->task == GUEST_NO_TASK)
		return;
	/* Its time is up. */
	guest_failed(g, "no answer in time");
	qemu.cut = true;
	check(g, QMP_ERROR);
}

static void run_round(struct guest *g, unsigned int nr)
{
	uint64_t pages;
	uint8_t how;

	qemu.len = 0;
	qemu.id[0] = '\0';
	qemu.text[0] = '\0';
	qemu.pos = 0;
	qemu.heard_len = 0;
	qemu.asked = false;
	snprintf(qemu.answer, sizeof(qemu.answer), "{\"QMP\": {\"version\": {}}}\r\n");
	MUST(guest_open(g, 0, 1000) == GUEST_OPEN);
	g->present = true;
	converse(g);
	if (g->fd >= 0 && g->answered && !g->no_grants) {
		how = fuzz_byte();
		pages = how < 128 ? 100 + nr + how : fuzz_bytes(8);
		if (pages > most)
			most = pages;
		guest_send_grant(g, pages, 0, 1000);
		converse(g);
		MUST(qemu.lied || qemu.cut || (g->ours && g->grant == pages));
	}
	guest_close(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest *g = guest_new("/run/\x1b[31m");
	unsigned int nr;

	fuzz_begin(data, size);
	memset(&qemu, 0, sizeof(qemu));
	qemu.grant = QMP_GRANT_ALL;
	qemu.in_place = 7;
	most = 0;
	was_ours = false;
	check_text(g->name);
	for (nr = 0; nr < ROUNDS; nr++)
		run_round(g, nr);
	guest_free(g);
	return 0;
}
