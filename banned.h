/* Functions this project does not use, refused at compile time: they overflow, lose errors, or surprise in other people's processes. */
#ifndef EGRET_BANNED_H
#define EGRET_BANNED_H

/* The system's headers must declare them before the names are poisoned. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <pthread.h>

#ifndef EGRET_ALLOW_BANNED
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets
#endif

#endif
