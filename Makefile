# The door to Phim. `make run` and `make test` work on a fresh Debian 12 with a Swift toolchain, git and make.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# A Swift toolchain that is not on PATH is looked for in the usual places.
SWIFT := $(shell scripts/find-swift)
SWIFT_FLAGS ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
BUILD = $(SWIFT) build -c release -j $(JOBS) $(SWIFT_FLAGS)

# Where `make run` keeps the archive: never inside the source tree.
PHIM_DATA ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/phim
PHIM_ARGS ?=
PYTEST_ARGS ?=

SOURCES = Sources Storage Tests Benchmarks Package.swift

.NOTPARALLEL:
.PHONY: help run build test lint format docs bench bench-build bench-dicom bench-forwarding bench-hospital bench-web bench-micro bench-thresholds soak clean setup setup-build setup-test setup-lint check-swift viewer

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

run: build viewer ## install what is missing, build, start the archive (PHIM_DATA, PHIM_ARGS)
	@mkdir -p "$(PHIM_DATA)"
	@exec .build/release/phim serve --data "$(PHIM_DATA)" $(PHIM_ARGS)

build: setup-build ## the release build of phim
	$(BUILD) --product phim

test: setup-build setup-test ## every test, unit to interop, and a summary
	@SWIFT="$(SWIFT)" JOBS="$(JOBS)" SWIFT_FLAGS="$(SWIFT_FLAGS)" scripts/run-tests $(PYTEST_ARGS)

lint: setup-lint ## formatting, layers, sizes, words
	$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)
	scripts/check-imports
	scripts/check-sizes
	scripts/check-words
	scripts/check-scripts

format: check-swift ## rewrite the sources in house format
	$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

docs: build ## write the documents that come from the code
	.build/release/phim conformance-statement > docs/conformance-statement.md

bench: bench-dicom bench-hospital bench-forwarding bench-web ## side by side with Orthanc, storescp and bare loops: Benchmarks/*.md

bench-dicom: bench-build ## the DICOM half: writes Benchmarks/RESULTS.md
	.venv/bin/python Benchmarks/side-by-side $(BENCH_ARGS)

bench-hospital: bench-build ## orders, links and messages: writes Benchmarks/HOSPITAL.md
	.venv/bin/python Benchmarks/hospital $(BENCH_ARGS)

bench-forwarding: bench-build ## studies sent on, over a LAN and thin lines: writes Benchmarks/FORWARDING.md
	.venv/bin/python Benchmarks/forwarding $(BENCH_ARGS)

bench-web: bench-build ## the HTTP half: writes Benchmarks/WEB.md
	.venv/bin/python Benchmarks/web-side-by-side $(BENCH_ARGS)

bench-build: build setup-test
	@scripts/setup-packages bench
	PHIM_BENCHMARKS=1 $(BUILD) --product phim-bench

# The timeout is for the benchmark tool, which can wait for ever for a child that died.
MICRO = PHIM_BENCHMARKS=1 timeout 1800 $(SWIFT) package
MICRO_OPTIONS = --target Micro --path Benchmarks/Micro/Thresholds --no-progress

bench-micro: setup-build ## micro-benchmarks against their thresholds
	$(MICRO) benchmark thresholds check $(MICRO_OPTIONS)

bench-thresholds: setup-build ## write the thresholds of the micro-benchmarks anew
	$(MICRO) --allow-writing-to-package-directory benchmark thresholds update $(MICRO_OPTIONS)

soak: build setup-test ## kills and cuts at random points under full load (PHIM_SOAK_KILLS, PHIM_SOAK_CUTS, PHIM_SOAK_SEED)
	PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m pytest Tests/Interop/soak_kills.py Tests/Interop/soak_forwarding.py -s --basetemp "$(CURDIR)/.build/soak"

setup: setup-build setup-test ## install what building and testing need

setup-build: check-swift
	@scripts/setup-packages build

setup-lint: check-swift
	@scripts/setup-packages lint

setup-test:
	@scripts/setup-packages test
	@scripts/setup-python
	@scripts/setup-packages viewer
	@scripts/fetch-ohif

# The archive runs without it: what fails is said and does not stop.
viewer: ## fetch the OHIF viewer when it is absent
	@scripts/setup-packages viewer || true
	@scripts/fetch-ohif || echo "Going on without the viewer." >&2

check-swift:
	@test -n "$(SWIFT)" || { echo "No Swift 6.2 or later found: put swift on PATH, or set SWIFT=/path/to/swift." >&2; exit 1; }

clean: ## remove everything built
	rm -rf .build .venv
