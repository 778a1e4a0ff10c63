/* What the handlers of signals do with the call that they interrupt, signal(7). */
#include "io.h"

#include <signal.h>

/* A fault's signal tells of the instruction that runs, so it ends no wait: crash handlers, which seldom restart calls, do not count. */
static bool is_of_a_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGTRAP || number == SIGSYS;
}

bool egret_io_signals_restart(void)
{
	sigset_t blocked;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;
		if (!is_of_a_fault(number) && sigismember(&blocked, number) != 1 && sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
		    action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
			return false;
	}
	return true;
}
