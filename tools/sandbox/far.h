/* The server's side of a relayed connection: TLS or plain, the same to whoever moves bytes. Never blocks after egret_far_open, except
 * where TLS begins with what the program says first (mysql). */
#ifndef EGRET_SANDBOX_FAR_H
#define EGRET_SANDBOX_FAR_H

#include "errand.h"
#include "supervisor.h"

#include "preload/observed.h"
#include "preload/starttls.h"

struct egret_far {
	int fd;                        /* owned; -1: not open */
	bool tls;
	struct egret_wire wire;        /* without tls only its fd */
	struct egret_starttls_dialogue *starttls; /* owned; NULL: none, or over */
	bool asks;                     /* it hears the program's first words */
	struct egret_supervisor *sup;  /* borrowed, with errand and client, as egret_far_open was given them */
	const struct egret_errand *errand;
	int client;
	struct egret_observed *observed; /* owned; NULL: no HTTP entry. It reads, judges and answers what passes */
	char address[EGRET_ADDR_TEXT]; /* that was dialled */
	const char *tls_version, *tls_cipher; /* the engine's own; NULL: no TLS */
};

/* Before the command runs: opens the engine and reads the certificates of POLICY's originating entries where the command could replace
 * them later. False: the engine cannot be opened. */
bool egret_far_prepare(struct egret_policy *policy);
/* A new TLS connection to HOST with the settings of ERRAND's entry. NULL with ERROR filled. */
struct egret_tls *egret_far_tls(const struct egret_engine *engine, const struct egret_errand *errand, const char *host,
				struct egret_tls_error *error);
/* Dials what ERRAND asks for and shakes hands where its entry originates, after the dialogue of its tls_starttls; gives up when CLIENT is
 * gone. 0, or a negative errno after logging, FAR closed. */
int egret_far_open(struct egret_supervisor *sup, const struct egret_errand *errand, int client, struct egret_far *far);
/* TLS begins now, with what the program said first: waits for its end. 0, or a negative errno after logging. */
int egret_far_begin_tls(struct egret_far *far);
/* Logs what wire.failure says. Its negative errno. */
int egret_far_refuse(struct egret_far *far);
/* Like recv and send, with negative errnos: -EAGAIN: nothing now. */
ssize_t egret_far_read(struct egret_far *far, void *buf, size_t size);
ssize_t egret_far_write(struct egret_far *far, const void *data, size_t len);
/* Ciphertext that the kernel had no room for: 0 nothing is left, -EAGAIN, or another negative errno. */
int egret_far_flush(struct egret_far *far);
/* Nothing more will be written: close_notify, FIN. 0, -EAGAIN: call again, or another negative errno. */
int egret_far_finish(struct egret_far *far);
void egret_far_close(struct egret_far *far);

#endif
