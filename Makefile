# The two commands of the README, and the house's own. `make help` lists them.
#
# Every cargo call is for the whole workspace: a build of one package alone resolves other features for shared
# dependencies, and cargo would build half of them a second time (see CONTRIBUTING.md, "Building").

SHELL := /bin/bash
.DEFAULT_GOAL := help

# One warm target directory for all checkouts of one user; outside the tree, so that a fresh clone builds fast too.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/grid/target
PEERS := $(CARGO_TARGET_DIR)/peers
FIGURES := $(CARGO_TARGET_DIR)/figures.jsonl
FUZZ_DIR := fuzz
FUZZ_TARGETS = $(basename $(notdir $(wildcard $(FUZZ_DIR)/fuzz_targets/*.rs)))
SECONDS_PER_TARGET ?= 300
KILL_CYCLES ?= 500
POWERCUT_SEEDS ?= 1000
# Suites that note figures; the others of `make test` only hold rules.
SUITES := otel_sdk prometheus loki_client captured kill powercut faults visibility bills duckdb demo tenants s3 docs \
    scrape corpus differential expressions promql_http grafana bounds allocation allocation_cluster bill_bucket \
    bill_formats commitments costs estimates focus focus_bill rules webhooks alertmanager insight cost_faults cells releases moto apiserver \
    contract terraform speed

.PHONY: help demo build test peers bench bench-ml fuzz scorecard fmt lint licences rust

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: build ## build, then serve 14 days of a small company and print a tour
	"$(CARGO_TARGET_DIR)/debug/grid" demo

build: rust ## the binary, $(CARGO_TARGET_DIR)/debug/grid
	cargo build --locked --workspace --bin grid

test: build peers ## all tests: units, properties, suites against the binary with real clients
	GRID_PEERS="$(PEERS)" cargo test --locked --workspace --no-fail-fast

peers: ## install what the suites talk to (a Python environment, a Prometheus) under the target directory
	@PROMTOOL="$(PROMTOOL)" KUBE="$(KUBE)" bash tests/peers/setup.sh "$(PEERS)"

bench: rust peers ## speed, sizes and memory beside peers, on the release build (PARTS="ingest size", BENCH=--write)
	cargo build --locked --workspace --release --bin grid --bin bench
	GRID_PEERS="$(PEERS)" "$(CARGO_TARGET_DIR)/release/bench" $(BENCH) $(PARTS)

bench-ml: rust ## scores of the models on public data, beside the published ones
	cargo build --locked --workspace --release --bin bench-ml
	"$(CARGO_TARGET_DIR)/release/bench-ml"

fuzz: rust ## fuzz every reader of foreign bytes for SECONDS_PER_TARGET (300) seconds each; the corpus is kept
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	@for target in $(FUZZ_TARGETS); do \
	    echo "== $$target, $(SECONDS_PER_TARGET) s"; \
	    CARGO_TARGET_DIR="$(CARGO_TARGET_DIR)/fuzz" RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir $(FUZZ_DIR) $$target -- \
	        $$(dict="$(FUZZ_DIR)/dict/$${target%_*}.dict"; [ -f "$$dict" ] || dict="$(FUZZ_DIR)/dict/$$target.dict"; \
	            [ -f "$$dict" ] && echo "-dict=$$dict") \
	        -max_total_time=$(SECONDS_PER_TARGET) -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 || exit 1; \
	done

scorecard: build peers ## every bar with its figure: kills, power cuts, the demo in release, all suites, the bench (about an hour)
	@rm -f "$(FIGURES)"
	-GRID_FIGURES="$(FIGURES)" GRID_PEERS="$(PEERS)" GRID_KILL_CYCLES=$(KILL_CYCLES) \
	GRID_POWERCUT_SEEDS=$(POWERCUT_SEEDS) GRID_TENANT_CASES=2000 \
	    cargo test --locked --workspace --no-fail-fast $(SUITES:%=--test %)
	-GRID_FIGURES="$(FIGURES)" cargo test --locked --no-fail-fast -p grid-plan -p grid-act -p grid-desk --lib
	cargo build --locked --workspace --release --bin grid --bin bench --bin bench-ml
	-GRID_FIGURES="$(FIGURES)" GRID_BIN="$(CARGO_TARGET_DIR)/release/grid" \
	    cargo test --locked --workspace --test demo the_first_answer
	-GRID_FIGURES="$(FIGURES)" GRID_PEERS="$(PEERS)" "$(CARGO_TARGET_DIR)/release/bench"
	-GRID_FIGURES="$(FIGURES)" "$(CARGO_TARGET_DIR)/release/bench-ml"
	@cargo build --quiet --locked --workspace --bin scorecard
	@GRID_FIGURES="$(FIGURES)" "$(CARGO_TARGET_DIR)/debug/scorecard"

fmt: ## format all code
	cargo fmt --all

lint: rust ## formatting and clippy, as CI runs them
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --features grid/aws,grid/azure,grid/gcp,grid/kube -- -D warnings

licences: ## licences and advisories of all dependencies
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --workspace check licenses bans sources

rust:
	@command -v cargo >/dev/null || { echo "Grid is built with Rust $$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) \
	or newer, and cargo is not on the path. Install it with rustup, then run make again." >&2; exit 1; }
	@command -v cc >/dev/null || { echo "Grid needs a C compiler (Debian: apt-get install build-essential)." >&2; exit 1; }
