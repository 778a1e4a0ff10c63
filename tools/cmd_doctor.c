/* egret doctor: what works on this machine. One line a fact; exit 1 when something that egret needs is missing. */
#include "tools/config.h"
#include "tools/cover.h"
#include "tools/doctor.h"
#include "tools/flags.h"
#include "tools/sandbox/sandbox.h"
#include "tools/tools.h"

#include <errno.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum health { MISSING, GOOD, WEAKER };

/* Prints one line. MISSING counts against the exit status, WEAKER does not. */
static bool tell(enum health health, const char *what, const char *detail)
{
	static const char *const words[] = { [MISSING] = "MISSING", [GOOD] = "ok", [WEAKER] = "weaker" };

	printf("%-8s %-28s %s\n", words[health], what, detail);
	return health != MISSING;
}

static bool tell_kernel(void)
{
	struct utsname name;
	char text[256];

	if (uname(&name))
		return tell(MISSING, "kernel", strerror(errno));
	snprintf(text, sizeof(text), "%s %s, %s", name.sysname, name.release, name.machine);
	return tell(GOOD, "kernel", text);
}

/* The first line of a file of /proc or /sys; false when it cannot be read. */
static bool first_line(const char *path, char line[128])
{
	FILE *file = fopen(path, "re");
	bool good = file && fgets(line, 128, file);

	if (good)
		line[strcspn(line, "\n")] = '\0';
	if (file)
		fclose(file);
	return good;
}

/* What the sandbox stands on, and what is lost where it is not there. */
static void tell_supervisor(const struct egret_sandbox_facts *facts)
{
	const struct {
		bool there;
		const char *what, *good, *cost;
	} rows[] = {
		{ facts->notify, "seccomp user notification", "a supervisor can judge system calls",
		  "no sandbox: nothing governs static programs and raw system calls (Linux 5.0, no other supervisor in this tree)" },
		{ facts->killable, "WAIT_KILLABLE_RECV", "signals do not abandon a judged call",
		  "no sandbox: a signal could make a judged call run twice (Linux 5.19)" },
		{ facts->memory, "process_vm_readv", "the supervisor can read what a program asks for",
		  "no sandbox: the supervisor cannot read what a program asks for" },
		{ facts->getfd, "pidfd_getfd", "the supervisor can act on a program's socket",
		  "the supervisor makes the sockets itself: connections end some hundredths of a second later, sendmsg on accepted sockets is "
		  "refused to programs with threads (Docker: --cap-add SYS_PTRACE)" },
		{ facts->sync_wake, "SYNC_WAKE_UP", "the supervisor is woken on the program's processor",
		  "a judged call takes some 30 us longer (Linux 6.6)" },
		{ egret_sandbox_has_namespaces(), "network namespaces", "DNS answers come from the address that was asked",
		  "DNS answers come from loopback: musl and c-ares drop them on sockets that are not connected" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tell(rows[i].there ? GOOD : WEAKER, rows[i].what, rows[i].there ? rows[i].good : rows[i].cost);
}

static void tell_landlock(int abi)
{
	char text[160];

	if (abi >= EGRET_SANDBOX_LANDLOCK_SIGNALS)
		snprintf(text, sizeof(text), "ABI %d, signals are scoped", abi);
	else if (abi >= EGRET_SANDBOX_LANDLOCK)
		snprintf(text, sizeof(text), "ABI %d: the supervisor judges signals, some 15 us each; the tree mounts nothing (Linux 6.12: ABI %d)", abi,
			 EGRET_SANDBOX_LANDLOCK_SIGNALS);
	else
		snprintf(text, sizeof(text), "%s%d: no --sandbox=require: the tree could signal and trace processes outside (Linux 5.19: ABI %d)",
			 abi > 0 ? "ABI " : "none, ", abi > 0 ? abi : 0, EGRET_SANDBOX_LANDLOCK);
	tell(abi >= EGRET_SANDBOX_LANDLOCK_SIGNALS ? GOOD : WEAKER, "Landlock", text);
}

static void tell_yama(int scope)
{
	static const char *const meanings[] = {
		"0: a process may read others of its user", "1: a process may read its descendants, as the supervisor does",
		"2: no sandbox without CAP_SYS_PTRACE", "3: no sandbox: nobody may read another process",
	};

	if (scope >= 0)
		tell(scope < 2 ? GOOD : WEAKER, "Yama ptrace_scope", meanings[scope > 3 ? 3 : scope]);
}

static bool tell_sandbox(void)
{
	struct egret_sandbox_facts facts;
	bool user = egret_doctor_user_namespace();
	const char *missing;

	egret_sandbox_probe(&facts);
	missing = egret_sandbox_missing(&facts);
	tell_supervisor(&facts);
	tell_landlock(facts.landlock);
	tell_yama(facts.ptrace_scope);
	tell(user ? GOOD : WEAKER, "user namespaces",
	     user ? "permitted" : "programs that bring a sandbox of their own (bubblewrap, chromium) cannot build it");
	tell(missing ? WEAKER : GOOD, "--sandbox=require", missing ? missing : "holds here");
	return true;
}

static bool tell_confinement(void)
{
	char line[128];

	if (first_line("/sys/module/apparmor/parameters/enabled", line) && line[0] == 'Y') {
		bool named = first_line("/proc/self/attr/current", line) && strcmp(line, "unconfined");

		tell(named ? WEAKER : GOOD, "AppArmor", named ? line : "on; this shell is not confined");
	}
	if (first_line("/sys/fs/selinux/enforce", line))
		tell(line[0] == '1' ? WEAKER : GOOD, "SELinux",
		     line[0] == '1' ? "enforcing: programs that change domain drop LD_PRELOAD" : "permissive");
	return true;
}

static bool tell_ca_store(void)
{
	static const char *const places[] = { "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/ssl/certs/ca-certificates.crt",
					      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0 && egret_doctor_has_certificates(places[i]))
			return tell(GOOD, "certificate store", places[i]);
	return tell(MISSING, "certificate store", "no CA certificates found: entries need tls_ca_file");
}

static bool set_variable(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0;
}

/* Does a child that is started covered have the library in its memory? */
static bool tell_preload(const char *config)
{
	char library[PATH_MAX];
	struct egret_cover_settings settings = { .mode = "", .log_format = "" };
	int status = -1;
	pid_t pid;

	if (!egret_cover_library(library))
		return tell(MISSING, "preload", "the library is not installed");
	snprintf(settings.config, sizeof(settings.config), "%s", config[0] ? config : "/dev/null");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (egret_cover_environment(&settings, set_variable))
			execl("/bin/sh", "sh", "-c", "while read -r line; do case $line in */libegret.so*) exit 0;; esac; done </proc/self/maps; exit 1",
			      (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		return tell(MISSING, "preload", "a child that was started covered does not have the library");
	return tell(GOOD, "preload", library);
}

static bool tell_policy(const char *flag, char path[PATH_MAX])
{
	struct egret_policy *policy = egret_config_load(flag, path);

	if (!policy)
		return tell(MISSING, "policy", "none loads: everything external is denied");
	egret_policy_unref(policy);
	return tell(GOOD, "policy", path);
}

int cmd_doctor(int argc, char **argv)
{
	const char *config = NULL;
	const struct egret_flag flags[] = { { "config", 'c', &config, NULL }, { NULL, 0, NULL, NULL } };
	char path[PATH_MAX] = "";
	bool good;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "it takes no operand");
	good = tell_kernel();
	good &= tell_sandbox();
	good &= tell_confinement();
	good &= tell_ca_store();
	good &= tell_policy(config, path);
	good &= tell_preload(path);
	return good ? 0 : 1;
}
