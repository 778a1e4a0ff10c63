/* What a connection needs of the file system, read while it is in reach: the policy, the engine, CAs, certificates and keys, resolv.conf.
 *
 * A process that connects reads each of them when it is needed first. One that is about to lose its root directory or its user does it
 * at once. Done once a process; what fails is said when it is needed. Not for signal handlers.
 */
#ifndef EGRET_PREPARE_H
#define EGRET_PREPARE_H

void egret_prepare(void);

#endif
