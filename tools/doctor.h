/* What the kernel and the machine offer, asked without changing anything that outlives the question. */
#ifndef EGRET_DOCTOR_H
#define EGRET_DOCTOR_H

#include <stdbool.h>

bool egret_doctor_user_namespace(void); /* may a process make one? */
bool egret_doctor_has_certificates(const char *place); /* a bundle that is not empty, or a hashed directory with links */

#endif
