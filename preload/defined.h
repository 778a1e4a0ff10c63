/* Does any object of this process but libegret.so define NAME in a way that dlsym would find? Asks for no memory and no lock but ld.so's own,
 * unlike dlsym, which makes an error text by malloc when it finds nothing: fatal inside a malloc that is just starting. */
#ifndef EGRET_DEFINED_H
#define EGRET_DEFINED_H

#include <stdbool.h>

bool egret_defined_elsewhere(const char *name);

#endif
