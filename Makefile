# egret: build, test, install. `make help` lists the targets.
# PREFIX, BINDIR, LIBDIR, MANDIR, DESTDIR, INSTALL, PKG_CONFIG, CC, CPPFLAGS, CFLAGS, LDFLAGS are the packager's; what the code
# needs comes first and is never replaced by them.

VERSION    := $(shell cat VERSION)
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
MANDIR     ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
HOSTCC     ?= $(CC)
INSTALL    ?= install
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
BUILD      ?= build
TLS_LINK   ?= static

comma      := ,
hash       := \#
ARCHDIR    := $(shell $(CC) -print-multiarch 2>/dev/null)
STATIC_DIR ?= /usr/lib/$(ARCHDIR)

WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wpointer-arith -Wvla
BASE := -std=gnu11 -D_GNU_SOURCE -DEGRET_VERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -fPIC -fvisibility=hidden -fstack-protector-strong \
        -fno-strict-aliasing -ffunction-sections -fdata-sections -pthread -I. -include banned.h \
        -ffile-prefix-map="$(CURDIR)"=. $(WARN)
LINK := -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--build-id=sha1 -pthread

ifeq ($(TLS_LINK),static)
TLS_LIBS := $(STATIC_DIR)/libssl.a $(STATIC_DIR)/libcrypto.a -Wl,--exclude-libs,ALL
else
TLS_LIBS := -lssl -lcrypto
endif
INI_LIB  := $(STATIC_DIR)/libinih.a
# llhttp comes as C sources (Debian's node-llhttp); built here in its strict mode, which leaves nothing to guess.
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP     := -isystem /usr/share/include -DLLHTTP_STRICT_MODE=1
HTTP_LIB   := $(BUILD)/libllhttp.a

# In a relay both shared objects leave the program's malloc alone (preload/memory.h).
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
# Each segment and each start file more is a call and a page fault more in every exec (preload/early.h).
FEW  := -Wl,-z,noseparate-code
# OpenSSL's 18 000 pointers to relocate, 440 KiB, in 10 (glibc 2.36, binutils 2.38 for this processor).
PACK := $(if $(filter x86_64-%,$(ARCHDIR)),-Wl$(comma)-z$(comma)pack-relative-relocs)
# What OpenSSL, linked statically, asks for more often than it needs to (preload/engine/pid.c, quick.c), and copies (copy.c).
LESS  := -Wl,--wrap=getpid,--wrap=ossl_lh_strcasehash,--wrap=ssl_evp_cipher_fetch -Wl,--wrap=strdup,--wrap=strndup
# What libegret.so calls of the libc is found at the first hook (preload/libc.def).
BIND := $(shell sed -nE 's/^LIBC\((.*)\)$$/-Wl,--wrap=\1/p' preload/libc.def)

src = $(sort $(wildcard $(1)/*.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

POLICY_SRC  := $(call src,policy)
PRELOAD_SRC := $(call src,preload)
ENGINE_SRC  := $(call src,preload/engine)
TOOLS_SRC   := $(call src,tools) $(call src,tools/import) $(call src,tools/report) $(call src,tools/sandbox)
# What the sandbox's relay shares with the library.
SHARED_SRC  := $(wildcard preload/wire.c preload/wire_end.c preload/wire_news.c preload/wire_read.c preload/wire_write.c preload/renumber.c preload/reach.c $(sort $(wildcard preload/http*.c)) preload/observed.c preload/sni.c preload/dns.c preload/buf.c $(sort $(wildcard preload/starttls*.c)) preload/engine_load.c preload/scratch.c preload/elf.c)

POLICY_LIB := $(BUILD)/libegret-policy.a
PRELOAD    := $(BUILD)/lib/egret/libegret.so
ENGINE     := $(BUILD)/lib/egret/libegret-tls.so
COMMAND    := $(BUILD)/bin/egret
PROGRAM_BIN := $(patsubst tests/programs/%.c,$(BUILD)/tests/programs/%,$(call src,tests/programs))
CONFORMANCE_BIN := $(BUILD)/tests/conformance/caller $(BUILD)/tests/conformance/peer
UNIT_BIN   := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(call src,tests/unit))

all: $(PRELOAD) $(ENGINE) $(COMMAND) docs ## build everything

$(BUILD)/obj/preload/exports.o: EXTRA := -U_FORTIFY_SOURCE
# BUILD may be written another way the next time: what depends on which headers is written down for whatever it is then.
$(BUILD)/obj/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(BASE) $(LLHTTP) $(CPPFLAGS) $(CFLAGS) $(EXTRA) -MMD -MP -MT '$$(BUILD)/obj/$*.o' -c -o $@ $<

$(BUILD)/obj/llhttp/%.o: $(LLHTTP_DIR)/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(filter-out -include banned.h $(WARN),$(BASE)) $(LLHTTP) -isystem /usr/share/include/llhttp $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(HTTP_LIB): $(patsubst %,$(BUILD)/obj/llhttp/%.o,api http llhttp)
	rm -f $@ && $(AR) rcsD $@ $^

$(POLICY_LIB): $(call obj,$(POLICY_SRC))
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcsD $@ $^

$(PRELOAD): $(call obj,$(PRELOAD_SRC)) $(POLICY_LIB) $(HTTP_LIB) preload/libegret.map preload/libc.def
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -Wl,-soname,libegret.so -Wl,--version-script=preload/libegret.map $(LINK) $(FEW) -nostartfiles -Wl,-z,nodelete $(WRAP) $(BIND) -o $@ $(call obj,$(PRELOAD_SRC)) \
		$(POLICY_LIB) $(INI_LIB) $(HTTP_LIB) -Wl,--exclude-libs,ALL -Wl,-z,defs $(LDFLAGS) -ldl

$(ENGINE): $(call obj,$(ENGINE_SRC) preload/buf.c preload/memory.c) preload/engine/engine.map
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -Wl,-soname,libegret-tls.so -Wl,--version-script=preload/engine/engine.map $(LINK) $(FEW) $(PACK) $(WRAP) $(LESS) -o $@ \
		$(call obj,$(ENGINE_SRC) preload/buf.c preload/memory.c) $(TLS_LIBS) -Wl,-z,defs $(LDFLAGS) -ldl

$(COMMAND): $(call obj,$(TOOLS_SRC)) $(call obj,$(SHARED_SRC)) $(POLICY_LIB) $(HTTP_LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK) -pie -o $@ $(call obj,$(TOOLS_SRC)) $(call obj,$(SHARED_SRC)) $(POLICY_LIB) $(INI_LIB) $(HTTP_LIB) \
		$(STATIC_DIR)/libyaml.a $(STATIC_DIR)/libseccomp.a $(LDFLAGS) -ldl

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(SHARED_SRC)) $(POLICY_LIB) $(HTTP_LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK) -o $@ $< $(call obj,$(SHARED_SRC)) $(POLICY_LIB) $(INI_LIB) $(HTTP_LIB) $(TEST_LIBS) $(LDFLAGS) -lcmocka -ldl

# These talk to a server of OpenSSL's own and open the engine that was built.
$(BUILD)/tests/unit/test_wire $(BUILD)/tests/unit/test_wire_room $(BUILD)/tests/unit/test_engine: TEST_LIBS := -lssl -lcrypto
$(BUILD)/tests/unit/test_wire_memory: TEST_LIBS := $(WRAP) $(BUILD)/obj/preload/memory.o -lssl -lcrypto
$(BUILD)/tests/unit/test_wire_memory: $(BUILD)/obj/preload/memory.o
$(BUILD)/tests/unit/test_http_memory: TEST_LIBS := -Wl,--wrap=malloc,--wrap=realloc
$(BUILD)/tests/unit/test_relay: TEST_LIBS := $(BUILD)/obj/preload/relay_run.o $(BUILD)/obj/preload/proc_lines.o
$(BUILD)/tests/unit/test_relay: $(BUILD)/obj/preload/relay_run.o $(BUILD)/obj/preload/proc_lines.o
$(BUILD)/tests/unit/test_epoll: TEST_LIBS := $(BUILD)/obj/preload/on_epoll.o
$(BUILD)/tests/unit/test_epoll: $(BUILD)/obj/preload/on_epoll.o
$(BUILD)/tests/unit/test_wire $(BUILD)/tests/unit/test_wire_room $(BUILD)/tests/unit/test_wire_memory $(BUILD)/tests/unit/test_engine: $(ENGINE)

# Small programs that the shell tests run: one file, nothing of ours linked in.
$(BUILD)/tests/programs/%: tests/programs/%.c Makefile
	@mkdir -p $(@D) $(BUILD)/obj/tests/programs
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -pthread $(SANITIZE) $(EXTRA) -MMD -MP -MT '$$(BUILD)/tests/programs/$*' -MF $(BUILD)/obj/tests/programs/$*.d -o $@ $< -ldl

# The two sides of the conformance suite.
$(BUILD)/tests/conformance/caller: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/conformance/caller*.c))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LDFLAGS)

$(BUILD)/tests/conformance/peer: $(BUILD)/obj/tests/conformance/peer.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LDFLAGS) -lssl -lcrypto

unit: $(UNIT_BIN) $(PROGRAM_BIN) $(CONFORMANCE_BIN) $(addprefix $(BUILD)/bench/,server client client-native) ## build the unit tests and the test programs

deps: ## install what build and tests need (Debian)
	tests/deps.sh

check: all unit ## run the tests; T=pattern picks by name
	tests/run "$(T)"

check-network: all ## real builds behind recorded policies; speaks to the machine's package servers
	tests/network/run

demo: all ## a real nginx with TLS, plain curl under egret, a denied host
	examples/first-light/run.sh

asan: ## build and test, covered programs too, under AddressSanitizer and UBSan
	$(MAKE) BUILD=build-asan RUNTIME=libasan.so BIND= SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined" sanitized

tsan: ## build and test, covered programs too, under ThreadSanitizer
	$(MAKE) BUILD=build-tsan RUNTIME=libtsan.so BIND= SANITIZE=-fsanitize=thread sanitized

# BIND: the runtime must see what the library calls of the libc. What gcc warns of when it compiles for a sanitizer is not looked at: its flow of control is another.
sanitized: CFLAGS = -O1 -g -w -fno-omit-frame-pointer $(SANITIZE)
sanitized: all unit
	EGRET_BUILD=$(BUILD) EGRET_SANITIZER=$(shell $(CC) -print-file-name=$(RUNTIME)) tests/run --sanitized "$(T)"

# Manual pages and completions: templates filled with the tables of the code.
PAGES     := $(BUILD)/docs/pages
DOC_FILES := $(patsubst docs/%.in,$(BUILD)/docs/%,$(wildcard docs/man/*.in docs/completions/*.in))

$(PAGES): docs/pages.c tools/commands.def policy/keys.def preload/hooks.def banned.h VERSION
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu11 -D_GNU_SOURCE -DEGRET_VERSION='"$(VERSION)"' $(WARN) -O1 -I. -include banned.h -o $@ $<

$(DOC_FILES): $(BUILD)/docs/%: docs/%.in $(PAGES)
	@mkdir -p $(@D)
	$(PAGES) <$< >$@.new && mv $@.new $@

docs: $(DOC_FILES) ## manual pages and completions

install: all docs ## install below $(DESTDIR)$(PREFIX)
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LIBDIR)/egret" "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man5" \
		"$(DESTDIR)$(MANDIR)/man8" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)"
	$(INSTALL) -m 755 $(COMMAND) "$(DESTDIR)$(BINDIR)/egret"
	$(INSTALL) -m 755 $(PRELOAD) $(ENGINE) "$(DESTDIR)$(LIBDIR)/egret/"
	$(INSTALL) -m 644 $(BUILD)/docs/man/egret.1 "$(DESTDIR)$(MANDIR)/man1/"
	$(INSTALL) -m 644 $(BUILD)/docs/man/egret.ini.5 "$(DESTDIR)$(MANDIR)/man5/"
	$(INSTALL) -m 644 $(BUILD)/docs/man/libegret.8 "$(DESTDIR)$(MANDIR)/man8/"
	$(INSTALL) -m 644 $(BUILD)/docs/completions/egret.bash "$(DESTDIR)$(BASHDIR)/egret"
	$(INSTALL) -m 644 $(BUILD)/docs/completions/_egret "$(DESTDIR)$(ZSHDIR)/_egret"

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(BINDIR)/egret" "$(DESTDIR)$(LIBDIR)/egret/libegret.so" "$(DESTDIR)$(LIBDIR)/egret/libegret-tls.so"
	rm -f "$(DESTDIR)$(MANDIR)/man1/egret.1" "$(DESTDIR)$(MANDIR)/man5/egret.ini.5" "$(DESTDIR)$(MANDIR)/man8/libegret.8"
	rm -f "$(DESTDIR)$(BASHDIR)/egret" "$(DESTDIR)$(ZSHDIR)/_egret"
	-rmdir "$(DESTDIR)$(LIBDIR)/egret"

dist: ## a tarball of the committed tree
	@mkdir -p $(BUILD)
	git archive --format=tar --prefix=egret-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/egret-$(VERSION).tar.gz

deb: ## a Debian package, the same from any directory
	$(MAKE) PREFIX=/usr LIBDIR=/usr/lib/$(ARCHDIR) SYSCONFDIR=/etc all docs
	packaging/deb.sh $(BUILD) $(VERSION) /usr/lib/$(ARCHDIR)

lint: ## static checks
	shellcheck -S warning -s bash -e SC1090,SC1091,SC2034,SC2046,SC2120,SC2154,SC2163,SC2164 .ci/run packaging/*.sh examples/*/run.sh tests/run tests/deps.sh \
		tests/fuzz/run tests/*/*.sh
	cppcheck -q --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --suppress=ctuuninitvar --suppress=allocaCalled \
		--error-exitcode=1 -I. -D__x86_64__ \
		"-DElfW(type)=Elf64_$(hash)$(hash)type" "-DHASH_ITER(hh,head,el,tmp)=while(((el)=(head)))" policy preload tools

format: ## lay out the C sources as .clang-format says
	git ls-files '*.c' '*.h' | xargs clang-format -i

N    ?= 10000
SEED ?= 1
JOBS ?= 8
conformance: all unit ## compare N random sequences from SEED on, over TCP and wrapped, JOBS (8) at once
	EGRET_CONFORMANCE_JOBS=$(JOBS) EGRET_CONFORMANCE_SECONDS=86000 EGRET_CONFORMANCE_COUNT=$(N) EGRET_CONFORMANCE_SEED=$(SEED) EGRET_TEST_LIMIT=86400 tests/run random_calls_give_the_same

MIB ?= 10240
soak: all unit ## MIB mebibytes (10 GiB) each way at once through one connection, every byte compared
	EGRET_THREADS_MIB=$(MIB) EGRET_TEST_LIMIT=86400 tests/run one_thread_reads_while_another_writes

CONNECTS ?= 10000
soak-connects: all unit ## CONNECTS connects and closes (10000) of one process: descriptors and memory
	EGRET_CONNECTS=$(CONNECTS) EGRET_CONNECTS_TOLD=$(CURDIR)/$(BUILD)/connects EGRET_TEST_LIMIT=86400 tests/run thousands_of_connections
	@cat $(BUILD)/connects

RELOADS ?= 1000
soak-reload: all unit ## RELOADS pairs (1000) of reloads of one process under load: verdicts, memory, descriptors
	EGRET_RELOADS=$(RELOADS) EGRET_RELOADS_TOLD="$(CURDIR)/$(BUILD)/reloads" EGRET_TEST_LIMIT=86400 tests/run many_reloads_under_load
	@cat $(BUILD)/reloads

FUZZ_SECONDS ?= 60
fuzz: ## run each fuzzer for FUZZ_SECONDS
	tests/fuzz/run $(FUZZ_SECONDS)

# The bench's programs: the same client twice, over plain calls and over an OpenSSL of its own.
BENCH_DIR     := $(BUILD)/bench
BENCH_JOBS    := $(addprefix tests/bench/load/,client.c bulk.c small.c link.c common.c)
BENCH_BIN     := $(addprefix $(BENCH_DIR)/,client client-native client-static server spawn calls policy_cost sandbox_calls trivial.so)
BENCH_COMPILE  = @mkdir -p $(@D); $(CC) $(BASE) -O2 -g

$(BENCH_BIN): $(wildcard tests/bench/load/*.[ch]) tests/bench/bench_policy.c tests/bench/bench_sandbox.c Makefile
$(BENCH_DIR)/client:
	$(BENCH_COMPILE) -o $@ $(BENCH_JOBS) tests/bench/load/link_plain.c
$(BENCH_DIR)/client-static:
	$(BENCH_COMPILE) -static -o $@ $(BENCH_JOBS) tests/bench/load/link_plain.c
$(BENCH_DIR)/sandbox_calls:
	$(BENCH_COMPILE) -o $@ tests/bench/bench_sandbox.c
$(BENCH_DIR)/client-native:
	$(BENCH_COMPILE) -o $@ $(BENCH_JOBS) tests/bench/load/link_native.c -lssl -lcrypto
$(BENCH_DIR)/server:
	$(BENCH_COMPILE) -o $@ tests/bench/load/server.c tests/bench/load/common.c -lssl -lcrypto
$(BENCH_DIR)/spawn:
	$(BENCH_COMPILE) -o $@ tests/bench/load/spawn.c tests/bench/load/common.c
$(BENCH_DIR)/calls:
	$(BENCH_COMPILE) -o $@ tests/bench/load/calls.c $(addprefix tests/bench/load/,link.c link_plain.c common.c)
$(BENCH_DIR)/trivial.so:
	$(BENCH_COMPILE) -shared -o $@ tests/bench/load/trivial.c
$(BENCH_DIR)/policy_cost: $(POLICY_LIB)
	$(BENCH_COMPILE) -o $@ tests/bench/bench_policy.c $(POLICY_LIB) $(INI_LIB)

bench: all $(BENCH_BIN) ## measure, side by side with native OpenSSL and proxies; QUICK=1 in two minutes
	tests/deps.sh bench
	python3 tests/bench/run $(if $(QUICK),--quick) --build $(BUILD)

clean: ## remove what was built
	rm -rf build build-asan build-tsan build-fuzz

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all conformance soak soak-connects soak-reload docs dist deb lint format fuzz bench unit deps check check-network demo asan tsan sanitized install uninstall clean help
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
