/* What the kernel lists of a set, /proc/self/fdinfo: where what is noted here cannot be all.
 *
 * The kernel keeps a registration until the last descriptor of its file is closed (epoll(7), questions and answers, 6): one whose number was
 * closed while a copy, another process or a message has the file goes on telling, and nobody here knows of it. Where its events carry what
 * another's do they would be judged by that one's state. Where there is no /proc they are. */
#include "ready_index.h"

#include "proc_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIVATE ((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)) /* what is left of a one-shot registration that fired */
#define LINES_SIZE 1024

/* One that a set lists. */
struct listed {
	int number;
	uint32_t events;
	uint64_t data;
};

struct search {
	const struct egret_ready_match *matches;
	size_t count;
	const struct epoll_event *event;
	uint64_t used; /* which of MATCHES were found in the kernel's list, by bits */
	unsigned fired; /* strays that can tell nothing more, unless it was this event */
	bool found;    /* one that can tell it */
};

/* The number behind NAME in LINE, hexadecimal; ~0: there is none. */
static unsigned long after(const char *line, const char *name)
{
	unsigned long number = ~0ul;
	const char *at = strstr(line, name);
	if (at)
		egret_proc_hex(at + strlen(name) + strspn(at + strlen(name), " "), &number);
	return number;
}

/* "tfd:  N events:  HEX data:  HEX ...", proc(5). */
static bool read_line(const char *line, struct listed *it)
{
	if (strncmp(line, "tfd:", 4) != 0)
		return false;
	*it = (struct listed){ (int)strtoul(line + 4, NULL, 10), (uint32_t)after(line, "events:"), after(line, "data:") };
	return true;
}

static bool has_fired(const struct listed *it) { return (it->events & EPOLLONESHOT) && !(it->events & ~PRIVATE); }

static void look_up(const struct set *set, void (*see)(const char *line, void *with), void *with)
{
	char path[40], text[LINES_SIZE];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", set->epfd);
	egret_proc_lines(path, text, sizeof text, see, with);
}

static void see_stray(const char *line, void *with)
{
	struct search *search = with;
	struct listed it;
	if (!read_line(line, &it) || it.data != search->event->data.u64)
		return;
	for (size_t i = 0; i < search->count; i++)
		if (search->matches[i].number == it.number && !(search->used & UINT64_C(1) << i)) {
			search->used |= UINT64_C(1) << i;
			return;
		}
	if (has_fired(&it))
		search->fired++;
	else
		search->found = search->found || !(search->event->events & ~(it.events | EPOLLERR | EPOLLHUP));
}

bool egret_ready_is_strays(const struct egret_ready_match *matches, size_t count, const struct epoll_event *event)
{
	struct search search = { .matches = matches, .count = count, .event = event };
	struct set *set = count > 0 && matches->shared ? matches->set : NULL;
	if (!set)
		return false;
	look_up(set, see_stray, &search);
	pthread_mutex_lock(&set->lock);
	unsigned told = set->spent_data == event->data.u64 ? set->spent : 0;
	set->spent_data = event->data.u64;
	set->spent = search.fired;
	pthread_mutex_unlock(&set->lock);
	return search.found || search.fired > told;
}

/* A registration, and whether it has fired. */
struct shot {
	const struct registration *of;
	bool fired;
};

static void see_shot(const char *line, void *with)
{
	struct shot *shot = with;
	struct listed it;
	shot->fired |= read_line(line, &it) && it.number == shot->of->fd && it.data == shot->of->data && has_fired(&it);
}

bool egret_ready_has_fired(const struct registration *it)
{
	struct shot shot = { .of = it };
	look_up(it->set, see_shot, &shot);
	return shot.fired;
}
