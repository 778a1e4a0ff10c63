#include "relay.h"
bool egret_relay_start(struct egret_supervisor *sup) { (void)sup; return true; }
