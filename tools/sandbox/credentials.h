/* Who the caller is, and acting as it: what another process sees of the sender or of who connects is the caller's (unix(7)), not ours. */
#ifndef EGRET_SANDBOX_CREDENTIALS_H
#define EGRET_SANDBOX_CREDENTIALS_H

#include "supervisor.h"

struct egret_credentials {
	pid_t process; /* as we number it */
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;
};

/* Asks the kernel. False: the caller is gone. */
bool egret_credentials_of(const struct egret_call *call, struct egret_credentials *of);

/* The calling thread takes the user and groups of OF on, where it is root and OF is not; egret_act_as_ourselves ends it. False: it
 * cannot, and is itself. */
bool egret_act_as(const struct egret_credentials *of);
void egret_act_as_ourselves(void);

/* Takes every capability from the calling thread until they are raised again: what it then asks of the kernel counts as anybody's. False:
 * errno is set, nothing has changed. */
struct egret_capabilities {
	uint32_t effective[2];
};
bool egret_credentials_lower(struct egret_capabilities *saved);
void egret_credentials_raise(const struct egret_capabilities *saved);

/* May the caller tell TOLD of itself (SCM_CREDENTIALS, unix(7))? */
bool egret_credentials_may_tell(const struct egret_call *call, const struct egret_credentials *of, const struct ucred *told);

/* What is told of the caller where we send for it. False: without capabilities the kernel lets us tell nothing but ourselves. */
bool egret_credentials_tell(const struct egret_credentials *of, struct ucred *told);

/* The caller asks to be told who sends (SO_PASSCRED): it may. A line says once when it will be told of us, not of the sender. */
int64_t egret_call_ask_sender(struct egret_call *call);

#endif
