/* The receive loop: one thread waits, and wakes a parked one before it blocks. */
#include "credentials.h"
#include "made.h"
#include "resolver.h"
#include "record.h"
#include "relay.h"
#include "supervisor.h"
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define THREAD_STACK (256u << 10)
#define IDLE_MAX 16u
#define LAST_CONNECTIONS_MS 250 /* a child that outlives the command may keep one open */

static void *worker_main(void *data);

bool egret_start_thread(void *(*run)(void *), void *data)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool started;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	started = pthread_create(&thread, &attr, run, data) == 0;
	pthread_attr_destroy(&attr);
	return started;
}

/* Where no thread can be had the leader keeps the listener: others wait until it is back, nothing gets out. */
void egret_pool_hand_over(struct egret_worker *worker)
{
	struct egret_supervisor *sup = worker->sup;

	if (!worker->leading)
		return;
	pthread_mutex_lock(&sup->lock);
	sup->receiving = false;
	worker->leading = false;
	if (sup->idle)
		pthread_cond_signal(&sup->parked);
	else if (!egret_start_thread(worker_main, sup))
		sup->receiving = worker->leading = true;
	pthread_mutex_unlock(&sup->lock);
}

/* Waits until this thread may lead. False: there are enough parked ones, end. */
static bool lead(struct egret_worker *worker)
{
	struct egret_supervisor *sup = worker->sup;
	bool stay = true;

	if (worker->leading)
		return true;
	pthread_mutex_lock(&sup->lock);
	if (sup->receiving && sup->idle >= IDLE_MAX)
		stay = false;
	sup->idle++;
	while (stay && sup->receiving)
		pthread_cond_wait(&sup->parked, &sup->lock);
	sup->idle--;
	if (stay)
		sup->receiving = worker->leading = true;
	pthread_mutex_unlock(&sup->lock);
	return stay;
}

struct egret_policy *egret_policy_hold(struct egret_supervisor *sup)
{
	struct egret_policy *policy;

	pthread_mutex_lock(&sup->policy_lock);
	policy = egret_policy_ref(sup->policy);
	pthread_mutex_unlock(&sup->policy_lock);
	return policy;
}

static int64_t dispatch(struct egret_call *call)
{
	if (call->arch != EGRET_AUDIT_ARCH || (EGRET_X32_BIT && (unsigned)call->nr >= EGRET_X32_BIT))
		return egret_call_refused(call);
	switch (call->nr) {
	case SYS_connect: return egret_call_connect(call);
	case SYS_sendto: return egret_call_sendto(call);
	case SYS_sendmsg: return egret_made_passes(call) ? 0 : egret_call_sendmsg(call);
	case SYS_sendmmsg: return egret_made_passes(call) ? 0 : egret_call_sendmmsg(call);
	case SYS_bind: return egret_call_bind(call);
	case SYS_setsockopt: return (int)call->args[1] == SOL_SOCKET ? egret_call_ask_sender(call) : egret_call_refused(call);
	case SYS_getpeername: return egret_made_passes(call) ? 0 : egret_call_getpeername(call);
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_ptrace:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
	case SYS_pidfd_getfd:
	case SYS_pidfd_send_signal: return egret_call_reach(call);
	}
	if (call->sup->makes_sockets)
		switch (call->nr) {
		case SYS_socket: return egret_made_socket(call);
		case SYS_listen: return egret_made_listen(call);
		}
	return egret_call_refused(call);
}

static void answer(struct egret_worker *worker, const struct seccomp_notif *notif)
{
	struct seccomp_notif_resp resp = { .id = notif->id };
	uint64_t args[6];
	struct egret_call call = {
		.worker = worker, .sup = worker->sup, .id = notif->id, .pid = (pid_t)notif->pid,
		.nr = notif->data.nr, .arch = notif->data.arch, .args = args,
	};
	int64_t value;

	for (size_t i = 0; i < 6; i++)
		args[i] = notif->data.args[i];
	call.policy = egret_policy_hold(worker->sup);
	value = notif->pid ? dispatch(&call) : -EACCES;
	egret_policy_unref(call.policy);
	if (value < 0)
		resp.error = (int)value;
	else if (call.passes)
		resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		resp.val = value;
	egret_listener(worker->sup, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

/* The last process of the tree is ending: no call will ever come, and RECV says so at once instead of waiting. */
static bool nobody_is_left(const struct egret_supervisor *sup)
{
	struct pollfd listener = { .fd = sup->listener };

	return poll(&listener, 1, 0) > 0 && (listener.revents & POLLHUP);
}

static void *worker_main(void *data)
{
	struct egret_worker worker = { .sup = data, .cached_pidfd = -1 };
	struct seccomp_notif notif;

	egret_act_as_ourselves(); /* the thread that started this one may act as a caller */
	worker.buffer = malloc(EGRET_CALL_BUFFER);
	while (worker.buffer && lead(&worker)) {
		memset(&notif, 0, sizeof(notif));
		if (ioctl(worker.sup->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0)
			answer(&worker, &notif);
		else if (errno == ENOENT && nobody_is_left(worker.sup))
			worker.leading = false; /* but `receiving` stays: this thread parks, and nobody is to lead any more */
		else if (errno != EINTR && errno != ENOENT)
			break;
	}
	egret_pool_hand_over(&worker);
	if (worker.cached_pidfd >= 0)
		close(worker.cached_pidfd);
	free(worker.buffer);
	egret_wait_end();
	return NULL;
}

static void write_all(int fd, const void *data, size_t size)
{
	const char *at = data;
	ssize_t n;

	while (size && ((n = write(fd, at, size)) > 0 || errno == EINTR)) {
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
}

/* What the launcher's egret_sandbox_wait reads: status, denials, rows. */
static void tell_result(int result, int status)
{
	uint64_t head[3] = { (uint64_t)(unsigned)status, 0, 0 };
	struct egret_sandbox_count *rows;
	size_t count = 0;
	int null;

	egret_relay_finish(LAST_CONNECTIONS_MS);
	egret_record_end();
	rows = egret_counts_take(&count, &head[1]);
	head[2] = rows ? count : 0;
	write_all(result, head, sizeof(head));
	write_all(result, rows, (size_t)head[2] * sizeof(*rows));
	free(rows);
	close(result);
	/* What outlives the command must not keep its reader waiting for the end of stderr. */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
}

void egret_supervise(struct egret_supervisor *sup, int result)
{
	uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
	int status;
	pid_t pid;

	ioctl(sup->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
	sup->receiving = false;
	if (!egret_start_thread(worker_main, sup))
		_exit(125);
	for (;;) {
		pid = waitpid(-1, &status, 0); /* not the nest's helper, which sends no signal at its end */
		if (pid == sup->command)
			tell_result(result, status);
		if (pid < 0 && errno == ECHILD)
			_exit(0);
	}
}
