/* What the kernel and the machine offer, asked without changing anything that outlives the question. */
#ifndef EGRET_DOCTOR_H
#define EGRET_DOCTOR_H

#include <stdbool.h>

bool egret_doctor_notification(void);   /* seccomp(2): SECCOMP_RET_USER_NOTIF */
bool egret_doctor_pidfd(void);          /* pidfd_getfd(2) on a child; errno says why not */
int egret_doctor_landlock(void);        /* landlock(7): the ABI's number, 0 or less: none */
bool egret_doctor_user_namespace(void); /* may a process make one? */
bool egret_doctor_has_certificates(const char *place); /* a bundle that is not empty, or a hashed directory with links */

#endif
