# GNU make. `make help` lists the targets.

CARGO ?= cargo
export CARGO
INSTALL ?= install
SCDOC ?= scdoc

PREFIX ?= /usr
EXECUTORDIR ?= /usr/libexec/ifupdown-ng
# Programs that other programs start: the script for DHCP clients.
LIBEXECDIR ?= /usr/libexec/ifupdown-ng-netlink
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
# 1: install the prefix executors too. They use the names of stock executors, which are kept under other names.
# all: also link, static and forward in place of the stock ones, which ifup runs for every interface.
DROPIN ?=
# How to build, the same for `build` and `install`. STATIC=1: programs without shared libraries, which start faster.
# MUSL=1: static programs with musl as the C library, also where this machine has another; these start fastest.
# MULTICALL=1: one program, and links to it in place of the others.
STATIC ?=
MUSL ?=
MULTICALL ?=
# More arguments for `cargo build`.
CARGO_FLAGS ?=

# Executors under their own names, and those that replace a stock executor.
EXECUTORS = vrf-table vrf-rules vrf-route netns netns-interfaces veth-peer bridge-vlan
DROPIN_EXECUTORS = vrf veth bridge
NATIVE_EXECUTORS = link static forward
# The program with all executors. MULTICALL=1 installs it once, with links to it.
ALL = ifupdown-ng-netlink

TARGET = $(or $(CARGO_TARGET_DIR),target)
ifneq ($(words $(TARGET)),1)
$(error CARGO_TARGET_DIR is "$(TARGET)": make cannot build in a directory whose name has blanks)
endif
# The messages of a panic name source files: those of the linked crates by a path that is the same on every machine, so
# that every machine builds the same program. Flags are separated by blanks, so a path with blanks stays as it is.
CARGO_SOURCES = $(if $(wildcard vendor),$(CURDIR)/vendor,$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src)
REMAP = $(if $(filter 1,$(words $(CARGO_SOURCES))),--remap-path-prefix=$(CARGO_SOURCES)=/cargo)
# At fixed addresses, so that nothing has to be relocated: it touches a third less memory and reads a tenth less. Without
# tables for unwinding: a panic aborts, and the tables are a fortieth of the program.
FIXED = $(REMAP) -C relocation-model=static -C force-unwind-tables=no
ifeq ($(MUSL),1)
TRIPLE = $(shell uname -m)-unknown-linux-musl
BUILD = RUSTFLAGS='$(RUSTFLAGS) $(FIXED) -C link-arg=-Tdist/startup.ld' CARGO='$(CARGO)' dist/cargo-musl build
else ifeq ($(STATIC),1)
# The target is named. Without it the flags would apply to the compiler's own plugins too, which cannot be static.
TRIPLE := $(shell rustc -vV | sed -n 's/^host: //p')
BUILD = RUSTFLAGS='$(RUSTFLAGS) -C target-feature=+crt-static $(FIXED)' $(CARGO) build --target $(TRIPLE)
else
BUILD = RUSTFLAGS='$(RUSTFLAGS) $(REMAP)' $(CARGO) build
endif
RELEASE = $(TARGET)/$(if $(TRIPLE),$(TRIPLE)/)release
# Built if they are requested, or were installed earlier.
WERE_NATIVE = $(shell grep -s "  $(EXECUTORDIR)/link\$$" "$(DESTDIR)$(MANIFEST)")
NATIVE = $(if $(filter all,$(DROPIN))$(WERE_NATIVE),$(NATIVE_EXECUTORS))
PROGRAMS = $(if $(filter 1,$(MULTICALL)),$(ALL),$(EXECUTORS) $(DROPIN_EXECUTORS) $(NATIVE)) ifnetlink
BINARIES = $(addprefix $(RELEASE)/,$(PROGRAMS))
BUILD_ALL = $(BUILD) --release --locked $(CARGO_FLAGS) $(addprefix --bin ,$(PROGRAMS)) $(addprefix --example ,$(EXAMPLES))
PAGES = $(patsubst docs/%.scd,$(TARGET)/man/%,$(wildcard docs/*.[1-9].scd))
# Without scdoc, the pages that were built earlier.
PAGES_AT_HAND = $(if $(shell command -v $(SCDOC)),$(PAGES),$(wildcard $(PAGES)))
# The list of installed files, for `uninstall` and the next `install`. Empty: no list, as packages require.
MANIFEST = $(PREFIX)/share/ifupdown-ng-netlink/manifest

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: help build check spelling deny advisories faults fuzz test test-all test-arch test-upgrade bench fresh probe soak demo docs install uninstall dist sbom deb clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]*:.*## / { printf "%-13s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## the executors, optimised; STATIC=1, MUSL=1, MULTICALL=1
	$(BUILD_ALL)

check: spelling ## formatting, lints and spelling; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

spelling: ## check the spelling and the words of all texts, with codespell
	tests/lane/spelling

deny: ## check licences, sources and duplicates of the linked crates, by deny.toml
	tests/lane/deny bans licenses sources

advisories: ## check the linked crates for known weaknesses; downloads the database of rustsec.org
	tests/lane/deny advisories

faults: ## fault injection on the model and on a real kernel, and both compared (an hour; IFNL_FAULTS=short)
	tests/lane/faults

fuzz: ## random input of every kind, and random stanzas on the model and on a real kernel
	tests/lane/fuzz

test: ## all lanes: lints, plain tests, documentation, tests on real kernels; LANES="plain docs": only these lanes
	@tests/lane/all $(LANES)

test-all: ## `test` with the whole matrix, on the kernels 6.1, 6.12 and the newest
	@IFNL_MATRIX=all tests/lane/all $(LANES)

test-upgrade: ## test the upgrade from an older commit while interfaces are up; FROM=COMMIT, otherwise from version 0.1
	@tests/lane/upgrade $(FROM)

test-arch: ## the plain tests as programs of other architectures; ARCH=s390x (big-endian), aarch64, armv7 (32 bits); without ARCH: all
	@tests/lane/arch $(ARCH)

# Not part of `test`: it takes long, because it installs and builds everything.
fresh: ## follow the README in a fresh Debian in a directory; STEPS="demo test install"
	tests/fresh $(STEPS)

bench: ## measure, and write docs/BENCHMARKS.md
	benches/run

probe: ## check for leaked and lost packets while the setups go up and down; `test` has a short form
	tests/lane/long probe

soak: ## take the setups up and down 200 times, and check that nothing is left; `test` has a short form
	tests/lane/long soak

demo: ## show what the executors do, in a virtual machine
	@tests/demo/all

docs: $(PAGES) ## the manual pages

$(TARGET)/man/%: docs/%.scd docs/man.awk
	@mkdir -p $(@D)
	$(SCDOC) <$< | awk -f docs/man.awk >$@

# Builds only what is missing: a package builds first and installs as another user, who may not have cargo.
$(BINARIES) &:
	$(BUILD_ALL)

# The files and their paths, for dist/install, and the file with this list.
FILES = $(TARGET)/files
SH = sh
as = $(if $(filter 1,$(MULTICALL)),$(2) - $(ALL),$(1) 755 $(RELEASE)/$(3)) $(EXECUTORDIR)/$(3)
define files
$(if $(filter 1,$(MULTICALL)),own 755 $(RELEASE)/$(ALL) $(EXECUTORDIR)/$(ALL))
$(foreach name,$(EXECUTORS),$(call as,own,link,$(name))
)$(foreach name,$(DROPIN_EXECUTORS),$(call as,dropin,droplink,$(name))
)$(foreach name,$(NATIVE_EXECUTORS),$(call as,dropall,dropalllink,$(name))
)own 755 $(RELEASE)/ifnetlink $(SBINDIR)/ifnetlink
own 755 dist/dhcp-vrf $(LIBEXECDIR)/dhcp-vrf
own 644 dist/ifnetlink.bash $(BASHCOMPDIR)/ifnetlink
own 644 dist/udev.rules $(UDEVDIR)/85-ifnetlink.rules
own 644 dist/mdev.conf $(PREFIX)/share/ifupdown-ng-netlink/mdev.conf
$(foreach page,$(PAGES_AT_HAND),own 644 $(page) $(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))
)
endef

export DESTDIR DROPIN MANIFEST

install: $(BINARIES) $(if $(shell command -v $(SCDOC)),$(PAGES)) ## DESTDIR, PREFIX, EXECUTORDIR, LIBEXECDIR, SBINDIR, MANDIR, BASHCOMPDIR, UDEVDIR; DROPIN=1: stock names too; DROPIN=all: all of them
	@mkdir -p $(TARGET)
	$(file >$(FILES),$(files))
	@$(SH) dist/install put $(FILES)

uninstall: ## remove what `install` installed, and restore the stock executors
	@$(SH) dist/install remove

# It stands in Cargo.toml only. (Cargo.lock repeats it, and cargo writes that.)
VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' Cargo.toml)
TARBALL = $(TARGET)/dist/$(ALL)-$(VERSION).tar.gz

# 1: also a tarball with the sources of all crates, which builds without a registry.
VENDOR ?=

# Without .git, as in an unpacked tarball, the sources are all files here.
dist: ## target/dist: the sources of the last commit, and the files for Alpine's abuild; VENDOR=1: also with all crates
	@mkdir -p $(TARGET)/dist
ifneq ($(wildcard .git),)
	@[ -z "$$(git status --porcelain)" ] || echo 'dist: uncommitted changes are left out' >&2
	git archive --prefix=$(ALL)-$(VERSION)/ HEAD | gzip -9n >$(TARBALL)
else
	tar --sort=name --owner=0 --group=0 --numeric-owner --exclude=./$(patsubst ./%,%,$(patsubst $(CURDIR)/%,%,$(TARGET))) \
		--transform='s,^[.],$(ALL)-$(VERSION),S' -c . | gzip -9n >$(TARBALL)
endif
	cp dist/alpine/* $(TARGET)/dist/
	cd $(TARGET)/dist && sed -i -e 's/^pkgver=.*/pkgver=$(VERSION)/' -e '/^sha512sums="/,$$d' APKBUILD && \
		grep -qx 'pkgver=$(VERSION)' APKBUILD && \
		printf 'sha512sums="\n%s\n"\n' "$$(sha512sum $(notdir $(TARBALL)))" >>APKBUILD
ifeq ($(VENDOR),1)
	dist/vendor $(TARBALL) >$(TARBALL:.tar.gz=-vendored.tar.gz)
endif

sbom: ## target/dist: the linked crates, as a bill of materials in the format CycloneDX
	@mkdir -p $(TARGET)/dist
	dist/sbom >$(TARBALL:.tar.gz=.cdx.json)

# The built dependencies are shared with `build`, by a relative path, which has no blanks. -d: allow another cargo than
# Debian's, whose stable release may be too old for this package.
deb: dist ## target/deb: a Debian package of the last commit, and its source package; needs debhelper
	@rm -rf $(TARGET)/deb && mkdir -p $(TARGET)/deb
	cp $(TARBALL) $(TARGET)/deb/$(ALL)_$(VERSION).orig.tar.gz
	tar -xzf $(TARBALL) -C $(TARGET)/deb
	cd $(TARGET)/deb/$(ALL)-$(VERSION) && cp -R dist/debian debian && \
		dist/changelog $(VERSION) >debian/changelog && CARGO_TARGET_DIR=../.. dpkg-buildpackage -d -us -uc
	@rm -r $(TARGET)/deb/$(ALL)-$(VERSION)
	@echo "deb: the package is $$(readlink -f $(TARGET)/deb/$(ALL)_*.deb)"

clean: ## everything that was built
	$(CARGO) clean
	rm -rf $(TARGET)/man $(TARGET)/dist $(TARGET)/deb
