# `make demo` and `make test` do all the set-up they need; afterwards plain cargo works.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test check bench clean

# Without ALSA's headers the microphone is left out. Asked when a recipe runs, after the set-up.
FEATURES = $(shell [ "$$(uname)" != Linux ] || pkg-config --exists alsa 2>/dev/null || echo --no-default-features --features torch)

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 10

setup:
	@scripts/setup.sh

build: setup ## target/release/eddy
	@cargo build --release --bin eddy $(FEATURES)

demo: build ## build, then transcribe the recordings in audio/
	@target/release/eddy transcribe audio/*.wav

test: setup ## the test suite
	cargo test --release $(FEATURES)

check: setup ## formatting, lints, documentation
	cargo fmt --check
	cargo clippy --release --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps $(FEATURES)

bench: setup ## benchmarks
	cargo bench $(FEATURES)

clean: ## remove what was built (LibTorch stays)
	cargo clean
