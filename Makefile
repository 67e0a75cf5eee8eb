# aigolos: `make run` to talk to it, `make test` to check it, `make help` for the rest.
# Both do all their set-up: system packages (by apt, as root or through sudo), ONNX Runtime, Node modules, the build.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Where the tests with real models find them; `make real-models` puts them there.
export TEST_MODELS ?= $(CURDIR)/.cache/models

.PHONY: run real-models test test-rust test-browser test-clients test-quality quality monitoring-check bench lint fmt deps dev-cert dist image image-check compose-check clean help
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# What `make run` fetches where there are no models: `auto`, `none`, or names (MODELS=small,ru_RU-irina-medium).
MODELS ?=

run: ## set up, build, fetch real models once (MODELS=none: do not), serve; prints the address to open
	@scripts/deps.sh run
	@scripts/fetch-onnxruntime.py --optional
	@cargo build --release --locked
	@# Whatever becomes of it: the bundled engines serve where nothing came, and it has said so.
	@$(TARGET)/release/aigolos models setup $(MODELS) || true
	@# People read this, whatever it is piped into.
	@grep -qs '^LOG_FORMAT=' .env || export LOG_FORMAT="$${LOG_FORMAT:-text}"; exec $(TARGET)/release/aigolos serve

real-models: ## the real models that tests and measurements use, into .cache/models, once
	@scripts/real-models.sh

test: test-rust test-browser test-clients test-quality ## every test, with the real engines, a real browser and other people's clients

test-rust:
	@scripts/deps.sh test
	@scripts/fetch-onnxruntime.py
	@scripts/python-venv.sh
	@cargo test --workspace --locked --no-run
	@scripts/real-models.sh
	cargo test --workspace --locked
	TEST_DATABASE=postgresql cargo test --locked --test it -- work:: described:: sessions:: live::

test-browser:
	@scripts/deps.sh test
	@scripts/fetch-onnxruntime.py
	@# The same build as the tests': its dependencies have the same features, so nothing is compiled twice.
	@cargo test --workspace --locked --no-run
	@scripts/real-models.sh
	@cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	cd tests/browser && AIGOLOS_BIN="$(abspath $(TARGET))/debug/aigolos" npm test
	cd tests/browser && AIGOLOS_BIN="$(abspath $(TARGET))/debug/aigolos" npm run test:postgresql

test-clients: ## the published clients of OpenAI's protocols and Wyoming, and the examples, against the server
	@scripts/deps.sh test
	@scripts/fetch-onnxruntime.py
	@scripts/python-venv.sh
	@cargo test --workspace --locked --no-run
	@for folder in tests/clients/javascript examples/javascript; do \
	  (cd $$folder && npm ci --no-audit --no-fund --loglevel=error); done
	AIGOLOS_BIN="$(abspath $(TARGET))/debug/aigolos" .cache/venv/bin/python -m pytest -q tests/clients/python
	cd tests/clients/javascript && AIGOLOS_BIN="$(abspath $(TARGET))/debug/aigolos" npm test --silent

monitoring-check: ## metrics, alerts and dashboard against a server in conversation and a real Prometheus (part of make test)
	@scripts/deps.sh test
	@scripts/fetch-onnxruntime.py
	scripts/monitoring-check.sh
	cargo test --locked --test it metrics::

test-quality: # the word counts and clocks of `make quality`
	@scripts/deps.sh test
	$$(scripts/quality-python.sh) -m unittest discover -s quality -t .

quality: ## what becomes of real recordings, door by door (MODEL, FOLDER, DOORS, LANG, LIMIT, NOISE, PEERS=1, CT2, BINARY, ARGS; see docs/quality.md)
	@scripts/fetch-onnxruntime.py --optional
	@$(if $(BINARY),,cargo build --release --locked)
	@# LANG is in every environment: only the command line's is meant.
	$$(scripts/quality-python.sh $(if $(PEERS),peers)) -m quality --binary "$(or $(BINARY),$(TARGET)/release/aigolos)" \
	  $(if $(MODEL),--model "$(MODEL)") $(if $(FOLDER),--folder "$(FOLDER)") $(if $(DOORS),--doors "$(DOORS)") \
	  $(if $(filter command,$(origin LANG)),--lang "$(LANG)") $(if $(LIMIT),--limit $(LIMIT)) \
	  --noise "$(or $(NOISE),tests/recordings/real/noise)" $(if $(PEERS),--peers) $(if $(CT2),--ct2 "$(CT2)") $(ARGS)

bench: ## measurements, printed with this machine's name (see docs/benchmarks.md)
	@scripts/deps.sh test
	@scripts/fetch-onnxruntime.py
	scripts/bench.sh

lint: ## formatting, clippy, docs, front-end types and style, automation
	@scripts/deps.sh test
	@scripts/python-venv.sh
	.cache/venv/bin/zizmor --offline --quiet .github
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check && npm run --silent lint

fmt: ## format the Rust code
	cargo fmt --all

deps: ## install the system packages that building, running and testing need
	@scripts/deps.sh run
	@scripts/deps.sh test

dev-cert: ## a certificate for this machine, and the settings that use it
	@scripts/deps.sh run
	@cargo build --release --locked
	@$(TARGET)/release/aigolos dev-cert

dist: ## a Debian package and a tarball for other machines, with checksums, in dist/
	@scripts/deps.sh run
	@scripts/fetch-onnxruntime.py --optional
	scripts/dist.sh

image: ## the container image, by docker or buildah (CPU=x86-64-v2: without AVX2; MODELS=base-q5_1,en_US-joe-medium: with these inside)
	$(or $(shell command -v docker >/dev/null && docker info >/dev/null 2>&1 && echo docker build),buildah bud --format docker) \
	  --build-arg CPU="$(CPU)" --build-arg MODELS="$(MODELS)" --build-arg REVISION="$$(git rev-parse HEAD)" \
	  --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" --tag aigolos:latest .

image-check: ## build the image without Docker and try it: as its own user, on a read-only root (as root, on Debian; takes long)
	scripts/image-check.sh

compose-check: ## whether docker-compose reads the compose files with every profile, and Caddy its configuration
	@scripts/compose-check.sh

clean: ## remove what was built
	cargo clean
	rm -rf .cache dist lib tests/browser/node_modules tests/clients/javascript/node_modules examples/javascript/node_modules
