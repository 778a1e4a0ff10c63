/* A TCP socket that may still be connected: what is asked of it now must hold of a wrapped one. */
#ifndef EGRET_UNCONNECTED_H
#define EGRET_UNCONNECTED_H

#include <stdbool.h>

bool egret_is_unconnected(int fd);

#endif
