# Everything a newcomer needs is `make demo` and `make test`; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

RECIPIENTS ?= 10000
RELEASE := .build/release/sluice

.PHONY: help demo test build release check format bench bench-peers micro-bench packages test-packages peers clean

help: ## List these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: release ## Deliver 10,000 mails to a local sink and show that every credit adds up (RECIPIENTS=n)
	@$(RELEASE) demo --recipients $(RECIPIENTS)

test: test-packages ## Build and run all tests
	swift build --build-tests --explicit-target-dependency-import-check error
	@.ci/test

build: packages ## Debug build
	swift build --explicit-target-dependency-import-check error

release: packages ## Optimised build
	swift build -c release --product sluice

check: ## Formatting, and the floors of docs/architecture.md
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks
	swift build --explicit-target-dependency-import-check error

format: ## Format all Swift files
	swift format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks

bench: release ## Measure delivery end to end
	@$(RELEASE) bench deliver --recipients 20000 --bare

bench-peers: release peers ## Measure Postfix and Exim beside Sluice, into the same sink (as root)
	@.ci/packages bench
	@Benchmarks/peers/run

micro-bench: packages ## Micro-benchmarks: render, sign, seal, parse, import
	SLUICE_BENCHMARKS=1 swift package --scratch-path .build-benchmarks --allow-writing-to-package-directory benchmark

packages: ## Install missing Debian packages for building and running (as root or through sudo)
	@.ci/packages build run

test-packages: packages ## … and those that only tests use
	@.ci/packages test
	@.ci/peers

clean: ## Remove build results
	swift package clean
