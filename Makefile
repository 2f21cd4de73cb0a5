# GNU make. `make help` lists the targets.

CARGO ?= cargo
INSTALL ?= install
SCDOC ?= scdoc

PREFIX ?= /usr
EXECUTORDIR ?= /usr/libexec/ifupdown-ng
MANDIR ?= $(PREFIX)/share/man
# 1: install the prefix executors too. They take the names of stock executors; those are kept beside them.
DROPIN ?=

# Executors under names of their own, and those that take the place of a stock one.
EXECUTORS = vrf-table vrf-rules vrf-route netns netns-interfaces veth-peer bridge-vlan
DROPIN_EXECUTORS = vrf veth bridge

TARGET = $(or $(CARGO_TARGET_DIR),target)
RELEASE = $(TARGET)/release
BINARIES = $(addprefix $(RELEASE)/,$(EXECUTORS) $(DROPIN_EXECUTORS))
PAGES = $(patsubst docs/%.scd,target/man/%,$(wildcard docs/*.[1-9].scd))
MANIFEST = $(PREFIX)/share/ifupdown-ng-netlink/manifest

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: help build check test demo docs install uninstall clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

build: ## the executors, optimised
	$(CARGO) build --release --locked

check: ## formatting and lints; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

test: ## all lanes: lints, plain tests, documentation, tests on a real kernel
	tests/lane/all

demo: ## show what the executors do, on a real kernel
	tests/demo

docs: $(PAGES) ## the manual pages

target/man/%: docs/%.scd
	@mkdir -p $(@D)
	$(SCDOC) <$< >$@

# Only what is missing is built: a package builds first and installs as another user, perhaps without cargo.
$(BINARIES) &:
	$(CARGO) build --release --locked

# The manifest has a line "SHA256  PATH" for each file that was installed. A file that it does not name, or whose
# contents changed since, is not ours: another package's, or the administrator's.
define manifest_functions
set -eu; \
manifest='$(DESTDIR)$(MANIFEST)'; \
sum() { sha256sum "$$1" | cut -d ' ' -f 1; }; \
ours() { [ -f "$$manifest" ] && grep -qxF "$$(sum "$(DESTDIR)$$1")  $$1" "$$manifest"; }
endef

install: $(BINARIES) $(if $(shell command -v $(SCDOC)),$(PAGES)) ## DESTDIR, PREFIX, EXECUTORDIR, MANDIR; DROPIN=1: stock names too
	@$(manifest_functions); \
	dropin='$(filter 1,$(DROPIN))'; names='$(EXECUTORS)'; \
	for name in $(DROPIN_EXECUTORS); do \
		path='$(EXECUTORDIR)'/$$name; \
		if [ -n "$$dropin" ] || { [ -e "$(DESTDIR)$$path" ] && ours "$$path"; }; then names="$$names $$name"; fi; \
	done; \
	for name in $(EXECUTORS); do \
		path='$(EXECUTORDIR)'/$$name; \
		if [ -e "$(DESTDIR)$$path" ] && ! ours "$$path"; then \
			echo "$(DESTDIR)$$path exists and was not installed from here: nothing done" >&2; exit 1; \
		fi; \
	done; \
	mkdir -p "$$(dirname "$$manifest")" '$(DESTDIR)$(EXECUTORDIR)'; \
	new="$$manifest.new"; : >"$$new"; \
	put() { \
		if [ -e "$(DESTDIR)$$3" ] && ! ours "$$3"; then \
			echo "keeping $(DESTDIR)$$3 as $${3##*/}.ifupdown-ng"; \
			mv -f "$(DESTDIR)$$3" "$(DESTDIR)$$3.ifupdown-ng"; \
		fi; \
		$(INSTALL) -D -m "$$1" "$$2" "$(DESTDIR)$$3"; \
		printf '%s  %s\n' "$$(sum "$(DESTDIR)$$3")" "$$3" >>"$$new"; \
		echo "installed $(DESTDIR)$$3"; \
	}; \
	for name in $$names; do put 755 '$(RELEASE)'/$$name '$(EXECUTORDIR)'/$$name; done; \
	for page in $(notdir $(PAGES)); do \
		[ ! -e target/man/$$page ] || put 644 target/man/$$page '$(MANDIR)'/man$${page##*.}/$$page; \
	done; \
	if [ -f "$$manifest" ]; then \
		while read -r sum path; do \
			cut -d ' ' -f 3- "$$new" | grep -qxF "$$path" || printf '%s  %s\n' "$$sum" "$$path" >>"$$new"; \
		done <"$$manifest"; \
	fi; \
	mv -f "$$new" "$$manifest"

uninstall: ## remove what `install` put there; kept stock executors come back
	@$(manifest_functions); \
	if [ ! -f "$$manifest" ]; then echo "no $$manifest: nothing was installed" >&2; exit 0; fi; \
	while read -r _ path; do \
		if [ -e "$(DESTDIR)$$path" ] && ! ours "$$path"; then \
			echo "left alone, for it has changed: $(DESTDIR)$$path"; continue; \
		fi; \
		rm -f "$(DESTDIR)$$path"; \
		if [ -e "$(DESTDIR)$$path.ifupdown-ng" ]; then \
			mv "$(DESTDIR)$$path.ifupdown-ng" "$(DESTDIR)$$path"; \
			echo "back in place: $(DESTDIR)$$path"; \
		else \
			echo "removed $(DESTDIR)$$path"; \
		fi; \
	done <"$$manifest"; \
	rm -f "$$manifest"; \
	rmdir "$$(dirname "$$manifest")" 2>/dev/null || true

clean: ## everything that was built
	$(CARGO) clean
	rm -rf target/man
