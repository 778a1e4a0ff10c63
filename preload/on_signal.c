/* Ends by a signal that the program sends itself: abort, a failed assert, and what a handler does last when it has put the default back.
 *
 * Nothing says close_notify then, as for any signal that ends a process, but what was sent arrives. The kernel itself judges whether the
 * signal ends anything: what is done before is right in either case.
 */
#include "hooks.h"
#include "policy/raw.h"
#include "real.h"
#include "tickets.h"

static void before(int number)
{
	int saved = errno;
	struct sigaction action;
	if (atomic_load(&egret_conn_live) == 0)
		return;
	if (number == SIGKILL || (number > 0 && sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL))
		egret_tickets_read_all();
	errno = saved;
}

void egret_on_abort(void)
{
	egret_tickets_read_all(); /* whatever handler SIGABRT has: when it returns the process ends */
	real.abort();
}

void egret_on_assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
	egret_tickets_read_all();
	real.__assert_fail(expression, file, line, function);
}

void egret_on_assert_perror_fail(int error, const char *file, unsigned line, const char *function)
{
	egret_tickets_read_all();
	real.__assert_perror_fail(error, file, line, function);
}

int egret_on_raise(int number)
{
	before(number);
	return real.raise(number);
}

/* Of a group, or of all, this process may be one. */
int egret_on_kill(pid_t pid, int number)
{
	if (pid <= 0 || pid == egret_raw(SYS_getpid, 0, 0, 0, 0))
		before(number);
	return real.kill(pid, number);
}

int egret_on_pthread_kill(pthread_t thread, int number)
{
	before(number);
	return real.pthread_kill(thread, number);
}

int egret_on_tgkill(pid_t pid, pid_t thread, int number)
{
	if (pid == egret_raw(SYS_getpid, 0, 0, 0, 0))
		before(number);
	return real.tgkill(pid, thread, number);
}
