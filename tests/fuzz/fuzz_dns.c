/* The first half of the input is a query as a program sends it, the rest what came back from port 53. */
// objects: preload/dns.c
#include "preload/dns.h"

#include <string.h>

static void count(void *data, const struct egret_addr *addr, uint32_t ttl)
{
	(void)ttl;
	*(unsigned *)data += addr->family;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct egret_dns_question question;
	struct egret_addr addr;
	unsigned told = 0;
	uint8_t answer[EGRET_DNS_MAX];
	size_t half = size / 2, len = size - half;

	if (!egret_dns_question(data, half, &question)) {
		egret_dns_question(data, size, &question);
		return 0;
	}
	egret_dns_reverse(question.name, &addr);
	if (len < 12 || len > sizeof(answer) - question.wire_len)
		return 0;
	/* What a server would echo, so that the records behind it are reached at all. */
	memcpy(answer, data + half, 12);
	answer[0] = (uint8_t)(question.id >> 8);
	answer[1] = (uint8_t)question.id;
	answer[2] = 0x81;
	answer[4] = 0;
	answer[5] = 1;
	memcpy(answer + 12, question.wire, question.wire_len);
	memcpy(answer + 12 + question.wire_len, data + half + 12, len - 12);
	egret_dns_addresses(answer, len + question.wire_len, &question, question.id, count, &told);
	egret_dns_addresses(data + half, len, &question, question.id, count, &told);
	return 0;
}
