# Everything CI does is here, so that one command on a desk is what CI runs.
GO         ?= go
FUZZTIME   ?= 5s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: build test lint fuzz cross demo bench vuln cover

build: ## the program, in ./patwatch
	CGO_ENABLED=0 $(GO) build -trimpath -o patwatch ./cmd/patwatch

test: ## all tests, with the race detector
	$(GO) test -race -timeout 30m ./...
	$(GO) test -run AllocatesNothing ./detectors # the race detector allocates

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "run gofmt on: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

fuzz: ## every fuzz target for FUZZTIME
	@grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | while read -r file; do \
		dir=$$(dirname "$$file"); \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r target; do \
			echo "fuzz $$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
		done || exit 1; \
	done

cross: ## compile for every platform
	@for p in $(PLATFORMS); do \
		echo "build $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build ./... || exit 1; \
	done

demo: ## a repository with planted tokens, scanned
	$(GO) run ./cmd/patwatch demo

bench: build ## make bench REPO=path: speed and memory against git itself
	$(GO) run ./internal/bench -bin ./patwatch -repo "$(REPO)"

vuln: ## known vulnerabilities, where their database can be reached
	$(GO) run $(GOVULNCHECK) ./...

cover:
	$(GO) test -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -1
