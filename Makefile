# Everything a newcomer needs is `make demo` and `make test-fast`; `make help` lists the rest, docs/developing.md explains it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

RECIPIENTS ?= 10000
# Where the optimised build lies; another one can be made beside a debug build that is under way.
SCRATCH ?= .build
RELEASE := $(SCRATCH)/release/sluice
# Swift's own libraries within, so that the program runs where they are not installed; 3 % less CPU a mail with both.
OPTIMISED := --static-swift-stdlib -Xswiftc -cross-module-optimization

.PHONY: help demo test test-fast build release check tidy format bench bench-peers micro-bench fuzz nightly upgrade packages test-packages peers scan clean

help: ## List these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: release ## Deliver 10,000 mails to a local sink and show that every credit adds up (RECIPIENTS=n)
	@$(RELEASE) demo --recipients $(RECIPIENTS)

ifdef T
test: test-packages
	@.ci/test $(T)
else
test: test-packages ## Build and run all tests: about 25 min once built; T=DeliveryTests/BlockTests runs these alone
	swift build --build-tests --explicit-target-dependency-import-check error
	@.ci/crypto-mb
	@.ci/test
endif

test-fast: packages ## Build and run what needs no database: about 90 s once built
	swift build --build-tests --explicit-target-dependency-import-check error
	@.ci/test --fast

build: packages ## Debug build
	swift build --explicit-target-dependency-import-check error
	@.ci/crypto-mb

release: packages ## Optimised build
	swift build -c release --product sluice --scratch-path $(SCRATCH) $(OPTIMISED)
	@.ci/crypto-mb

check: tidy ## Formatting, drift of documents, unused code, and the floors of docs/architecture.md
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks
	swift build --explicit-target-dependency-import-check error

tidy: ## Paths and bounds that documents name, unused declarations, long lines: 1 s
	@.ci/tidy

format: ## Format all Swift files
	swift format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks

bench: release ## Measure delivery end to end
	@$(RELEASE) bench deliver --recipients 20000 --bare

bench-peers: release peers ## Measure Postfix and Exim beside Sluice, into the same sink (as root)
	@.ci/packages bench
	@Benchmarks/peers/run

micro-bench: packages ## Micro-benchmarks: render, sign, seal, parse, import
	SLUICE_BENCHMARKS=1 swift package --scratch-path .build-benchmarks --allow-writing-to-package-directory benchmark

fuzz: ## Fuzz the readers of mails and of SMTP for a minute each; SECONDS_OF=600 for longer
	@.ci/fuzz $(or $(SECONDS_OF),60)

scan: build ## Scanners of others against the API: schemathesis, testssl, wapiti, sqlmap; some minutes each
	@.ci/packages scan
	@.ci/scan $(SCANNERS)

packages: ## Install missing Debian packages for building and running (as root or through sudo)
	@.ci/packages build run

nightly: test-packages ## The batch signer over a million digests and ten thousand messages
	SLUICE_NIGHTLY=1 .ci/test MailSigningTests/BatchNightlyTests

upgrade: test-packages ## Migrate beside a node of an older release, which is built first; FROM=commit or tag
	@.ci/upgrade $(FROM)

test-packages: packages ## … and those that only tests use
	@.ci/packages test
	@.ci/crypto-mb
	@.ci/peers

clean: ## Remove build results
	swift package clean
