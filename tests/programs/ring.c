/* ring COMMAND...: runs COMMAND with a ring of io_uring that it inherits, which a thread of the kernel's looks after; 77: there is no io_uring. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &params), status = 0;
	pid_t child;

	if (argc < 2 || fd < 0 || fcntl(fd, F_SETFD, 0))
		return 77;
	child = fork();
	if (child == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	/* The thread lives as long as who made the ring. */
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
