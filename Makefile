# `make help` lists the targets.
SHELL := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/kubeshark/kubeshark-pfring/internal/cli.Version=$(VERSION)
AGENT_LDFLAGS := -s -w -X main.version=$(VERSION)
ARCH ?= $(shell go env GOARCH)
# Images have no "v" in their tag, as the chart's appVersion has none.
TAG ?= $(VERSION:v%=%)
SOURCE_DATE = $(shell git log -1 --format=%ct)
export CGO_ENABLED := 0

.PHONY: vet-modules mutants controller image-agent image-controller e2e-two-nodes e2e-supply test-deps help build agent dist image image-archive chart licenses demo bin/pfring test test-short vet lint playground bench fuzz golden clean
help: ## List the targets
	@grep -hE '^[a-z0-9/-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: agent controller ## Build bin/pfring, bin/pfring-agent-ARCH and bin/pfring-controller-ARCH
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/pfring ./cmd/pfring

agent: ## Build the static agent for ARCH (amd64 or arm64)
	GOOS=linux GOARCH=$(ARCH) go build -trimpath -tags netgo,osusergo,nethttpomithttp2 -ldflags '$(AGENT_LDFLAGS)' -o bin/pfring-agent-$(ARCH) ./cmd/pfring-agent

controller: ## Build the static controller for ARCH (amd64 or arm64)
	GOOS=linux GOARCH=$(ARCH) go build -trimpath -tags netgo,osusergo,nethttpomithttp2 -ldflags '$(AGENT_LDFLAGS)' -o bin/pfring-controller-$(ARCH) ./cmd/pfring-controller

bin/pfring: ## Build only the CLI
	go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/pfring

dist: ## Release archives, chart, completions, SPDX, krew manifest and checksums into dist/release
	VERSION=$(VERSION) hack/dist.sh

IMAGES := agent controller
image: $(IMAGES:%=image-%) ## Images of agent and controller for amd64 and arm64, without Docker, into dist/image; IMAGE=REGISTRY/PREFIX pushes PREFIX/pfring-agent and PREFIX/pfring-controller

image-agent image-controller: image-%:
	@rm -rf dist/image/pfring-$*
	@$(MAKE) --no-print-directory $* ARCH=amd64
	@$(MAKE) --no-print-directory $* ARCH=arm64
	SOURCE_DATE_EPOCH=$(SOURCE_DATE) go run ./hack/image --program pfring-$* --version $(TAG) --revision "$$(git rev-parse HEAD)" \
	  --output oci:dist/image/pfring-$*:$(TAG) $(if $(IMAGE),--output $(IMAGE)/pfring-$*:$(TAG)) $(if $(PLAIN_HTTP),--plain-http)

# What is loaded onto nodes has the tag that the chart asks for, also between releases.
image-archive: TAG = $(shell sed -n 's/^appVersion: *//p' charts/kubeshark-pfring/Chart.yaml)
image-archive: agent controller ## Images of agent and controller for ARCH as files for kind, k3s, docker or podman to load
	@mkdir -p dist
	for program in $(IMAGES:%=pfring-%); do \
	  SOURCE_DATE_EPOCH=$(SOURCE_DATE) go run ./hack/image --program $$program --version $(TAG) --revision "$$(git rev-parse HEAD)" --arch $(ARCH) \
	    --output docker-archive:dist/$$program-$(ARCH).tar:docker.io/kubeshark/$$program:$(TAG) || exit 1; done

chart: ## The chart's archive into dist/release; CHART_REPO=oci://REGISTRY/REPOSITORY pushes it
	SOURCE_DATE_EPOCH=$(SOURCE_DATE) go run ./hack/chart --release $(VERSION) $(if $(CHART_REPO),--push $(CHART_REPO)) $(if $(PLAIN_HTTP),--plain-http)

licenses: ## Write docs/licenses.md
	go run ./hack/licenses

demo: build ## Validate and render the examples in both modes; needs no cluster
	@hack/demo.sh

vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w"; exit 1; }
	go vet ./...

test-deps: ## Install the Debian packages that tests need beside Go; elsewhere says what is missing
	@hack/install-test-deps.sh

test: test-deps vet ## Set up and run all tests; lists the slowest
	hack/test.sh

test-short: ## Only the tests that need nothing but Go
	go test -short ./...

e2e-two-nodes: test-deps ## Two real nodes of different kernels: with a repository that lacks one, and supplied by their cluster
	PFRING_TEST_TWO_NODES=1 go test -count=1 -v -timeout 60m -run '^(TestTwoNodesOfDifferentKernels|TestTwoKernelsAreSupplied)$$' ./tests/node

e2e-supply: test-deps ## A real node whose cluster builds the module itself, through reboots, and one that compiles; PFRING_TEST_SOURCE=DIR compiles PF_RING
	PFRING_TEST_SUPPLY=1 go test -count=1 -v -timeout 60m -run '^(TestTheClusterSuppliesItself|TestTheClusterCompiles)$$' ./tests/node

lint: vet-modules ## golangci-lint, built from the version pinned in hack/lint, and vet-modules
	@mkdir -p bin
	go build -C hack/lint -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...

# make vet leaves them out, as go does. Takes minutes once: what they import is vetted too.
vet-modules: ## go vet of the Go modules below tests
	@for file in $$(git ls-files 'tests/*/go.mod'); do dir=$${file%/go.mod}; \
	  [ -z "$$(git ls-files "$$dir/*.go")" ] || { echo "go vet $$dir"; go vet -C "$$dir" -trimpath . || exit 1; }; done

mutants: ## Measure how many changes of hack/mutants/mutants.yaml each package's own tests notice; PACKAGE=./node measures one
	go run ./hack/mutants $(if $(PACKAGE),-package $(PACKAGE))

playground: ## A control plane with 40 simulated nodes and a module repository, on loopback, to try the commands on
	go run ./tests/playground

bench: ## Compare with helm, kubectl, insmod and others in one run; BENCH=ROW runs one row; leaves dist/bench; PAGE=docs/performance.md updates that page
	@hack/install-test-deps.sh buildah
	go run ./hack/bench $(if $(BENCH),-row $(BENCH)) $(if $(PAGE),-page $(PAGE))

golden: ## Rewrite the golden files; look at the diff before you commit it
	go generate ./values-schema
	go test ./charts -run Recipes -update
	go test ./charts ./tests/historic ./values-schema -update
	go run ./cmd/pfring schema -o markdown > docs/values.md
	go run ./hack/reference

fuzz: ## Each fuzz target for FUZZTIME (30s; a number of inputs such as 2000x is bounded in work); PACKAGE=./module runs those of one package
	FUZZTIME=$(FUZZTIME) PACKAGE=$(PACKAGE) hack/fuzz.sh

clean: ## Remove what was built here
	rm -rf bin dist
