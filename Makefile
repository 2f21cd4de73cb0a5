# GNU make. `make help` lists the targets.

CARGO ?= cargo
export CARGO
INSTALL ?= install
SCDOC ?= scdoc

PREFIX ?= /usr
EXECUTORDIR ?= /usr/libexec/ifupdown-ng
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
# 1: install the prefix executors too. They take the names of stock executors; those are kept beside them.
DROPIN ?=
# How to build, the same for `build` and `install`. STATIC=1: programs that need no shared library, and start faster.
# MUSL=1: that, with musl for a C library, where this machine has another; faster still. MULTICALL=1: one program, and
# links to it in place of the others.
STATIC ?=
MUSL ?=
MULTICALL ?=

# Executors under names of their own, and those that take the place of a stock one.
EXECUTORS = vrf-table vrf-rules vrf-route netns netns-interfaces veth-peer bridge-vlan
DROPIN_EXECUTORS = vrf veth bridge
# All of them in one program, which is installed once, with links to it, by MULTICALL=1.
ALL = ifupdown-ng-netlink

TARGET = $(or $(CARGO_TARGET_DIR),target)
ifneq ($(words $(TARGET)),1)
$(error CARGO_TARGET_DIR is "$(TARGET)": make cannot build in a directory whose name has blanks)
endif
# At fixed addresses, so that nothing has to be relocated: a third less memory to touch, and a tenth less to read.
FIXED = -C relocation-model=static
ifeq ($(MUSL),1)
TRIPLE = $(shell uname -m)-unknown-linux-musl
BUILD = RUSTFLAGS='$(RUSTFLAGS) $(FIXED) -C link-arg=-Tdist/startup.ld' CARGO='$(CARGO)' dist/cargo-musl build
else ifeq ($(STATIC),1)
# The target is named, because flags for a target that is not named hold for the compiler's own plugins too, which cannot be static.
TRIPLE := $(shell rustc -vV | sed -n 's/^host: //p')
BUILD = RUSTFLAGS='$(RUSTFLAGS) -C target-feature=+crt-static $(FIXED)' $(CARGO) build --target $(TRIPLE)
else
BUILD = $(CARGO) build
endif
RELEASE = $(TARGET)/$(if $(TRIPLE),$(TRIPLE)/)release
PROGRAMS = $(if $(filter 1,$(MULTICALL)),$(ALL),$(EXECUTORS) $(DROPIN_EXECUTORS)) ifnetlink
BINARIES = $(addprefix $(RELEASE)/,$(PROGRAMS))
BUILD_ALL = $(BUILD) --release --locked $(addprefix --bin ,$(PROGRAMS)) $(addprefix --example ,$(EXAMPLES))
PAGES = $(patsubst docs/%.scd,$(TARGET)/man/%,$(wildcard docs/*.[1-9].scd))
# Without scdoc those that were built earlier.
PAGES_AT_HAND = $(if $(shell command -v $(SCDOC)),$(PAGES),$(wildcard $(PAGES)))
# Names what was installed, for `uninstall` and the next `install`. Empty: nothing does, as packages want it.
MANIFEST = $(PREFIX)/share/ifupdown-ng-netlink/manifest

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: help build check deny advisories faults fuzz test test-all bench fresh probe soak demo docs install uninstall dist deb clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]*:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## the executors, optimised; STATIC=1, MUSL=1, MULTICALL=1
	$(BUILD_ALL)

check: ## formatting and lints; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

deny: ## licences, sources and duplicates among what is linked in, by deny.toml
	tests/lane/deny bans licenses sources

advisories: ## known weaknesses of what is linked in; downloads the database of rustsec.org
	tests/lane/deny advisories

faults: ## every fault at every step, on the model and on a real kernel, and these compared (an hour; IFNL_FAULTS=short)
	tests/lane/faults

fuzz: ## whatever comes in from outside, at random, and random stanzas on the model and on a real kernel
	tests/lane/fuzz

test: ## all lanes: lints, plain tests, documentation, tests on real kernels; LANES="plain docs": only these
	@tests/lane/all $(LANES)

test-all: ## `test` with the whole matrix, on the kernels 6.1, 6.12 and the newest
	@IFNL_MATRIX=all tests/lane/all $(LANES)

# Not part of `test`: it takes as long as everything that it installs and builds.
fresh: ## a fresh Debian in a folder, in which the README is followed; STEPS="demo test install"
	tests/fresh $(STEPS)

bench: ## measure, and write docs/BENCHMARKS.md
	benches/run

probe: ## packets that may never pass or never be lost, while the setups go up and down, for long; `test` has a short form
	tests/lane/long probe

soak: ## the setups up and down 200 times, and nothing is left; `test` has a short form
	tests/lane/long soak

demo: ## show what the executors do, in a virtual machine
	@tests/demo/all

docs: $(PAGES) ## the manual pages

$(TARGET)/man/%: docs/%.scd docs/man.awk
	@mkdir -p $(@D)
	$(SCDOC) <$< | awk -f docs/man.awk >$@

# Only what is missing is built: a package builds first and installs as another user, perhaps without cargo.
$(BINARIES) &:
	$(BUILD_ALL)

# What goes where, for dist/install, and the file that tells it.
FILES = $(TARGET)/files
SH = sh
as = $(if $(filter 1,$(MULTICALL)),$(2) - $(ALL),$(1) 755 $(RELEASE)/$(3)) $(EXECUTORDIR)/$(3)
define files
$(if $(filter 1,$(MULTICALL)),own 755 $(RELEASE)/$(ALL) $(EXECUTORDIR)/$(ALL))
$(foreach name,$(EXECUTORS),$(call as,own,link,$(name))
)$(foreach name,$(DROPIN_EXECUTORS),$(call as,dropin,droplink,$(name))
)own 755 $(RELEASE)/ifnetlink $(SBINDIR)/ifnetlink
$(foreach page,$(PAGES_AT_HAND),own 644 $(page) $(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))
)
endef

export DESTDIR DROPIN MANIFEST

install: $(BINARIES) $(if $(shell command -v $(SCDOC)),$(PAGES)) ## DESTDIR, PREFIX, EXECUTORDIR, SBINDIR, MANDIR; DROPIN=1: stock names too
	@mkdir -p $(TARGET)
	$(file >$(FILES),$(files))
	@$(SH) dist/install put $(FILES)

uninstall: ## remove what `install` put there; kept stock executors come back
	@$(SH) dist/install remove

VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' Cargo.toml)
TARBALL = $(TARGET)/dist/$(ALL)-$(VERSION).tar.gz

dist: ## target/dist: the sources of the last commit, with what Alpine's builder needs beside them
	@mkdir -p $(TARGET)/dist
	@[ -z "$$(git status --porcelain)" ] || echo 'dist: what is not committed is left out' >&2
	git archive --prefix=$(ALL)-$(VERSION)/ HEAD | gzip -9n >$(TARBALL)
	cp dist/alpine/* $(TARGET)/dist/
	cd $(TARGET)/dist && sed -i '/^sha512sums="/,$$d' APKBUILD && \
		printf 'sha512sums="\n%s\n"\n' "$$(sha512sum $(notdir $(TARBALL)))" >>APKBUILD

# The built dependencies are shared with `build`. -d: cargo need not be Debian's, whose stable release may lack the Rust
# that this needs.
deb: dist ## target/deb: a Debian package of the last commit; needs debhelper
	@rm -rf $(TARGET)/deb && mkdir -p $(TARGET)/deb
	tar -xzf $(TARBALL) -C $(TARGET)/deb
	cp -R dist/debian $(TARGET)/deb/$(ALL)-$(VERSION)/debian
	cd $(TARGET)/deb/$(ALL)-$(VERSION) && CARGO_TARGET_DIR='$(abspath $(TARGET))' dpkg-buildpackage -b -d -us -uc
	@rm -r $(TARGET)/deb/$(ALL)-$(VERSION)

clean: ## everything that was built
	$(CARGO) clean
	rm -rf $(TARGET)/man $(TARGET)/dist $(TARGET)/deb
