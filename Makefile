# `make help` lists the targets.
SHELL := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/kubeshark/kubeshark-pfring/cmd/cli.Version=$(VERSION)

.PHONY: help build test vet
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

build: ## Build bin/pfring
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/pfring ./cmd/pfring

vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w"; exit 1; }
	go vet ./...

test: vet ## Set up and run all tests
	go test -timeout 60m ./...
