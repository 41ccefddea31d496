# Phalanx: `make help` says what there is.
CARGO ?= cargo
# What `make test` simulates.
SEEDS ?= 2000
FROM  ?= 0
SIM   = $(CARGO) run --quiet --release -p phalanx-sim --

.PHONY: help test check unit simulate planted bench clean

help:
	@echo "make test      all that CI runs"
	@echo "make check     format, lints and the repository's own rules"
	@echo "make unit      unit tests, stories and property tests"
	@echo "make simulate  SEEDS=$(SEEDS) FROM=$(FROM) through the simulator, every check on"
	@echo "make planted   plants each known bug in the core; the oracle must find it"
	@echo "make bench     figures, one JSON object a line"

test: check unit simulate planted

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) xtask tidy

unit:
	$(CARGO) nextest run --workspace
	$(CARGO) test --workspace --doc --quiet

simulate:
	$(SIM) --seeds $(SEEDS) --from $(FROM) --timing auto --json
	$(SIM) --seeds 200 --from $(FROM) --timing fast --json
	$(SIM) --seeds 200 --from $(FROM) --timing relaxed --json

# A target folder of its own: no product is ever built beside a planted bug.
planted:
	$(CARGO) run --quiet --release -p phalanx-sim --features planted --target-dir target/planted -- --planted --seeds 2000 --safety

bench:
	@./benches/run $(SUITE)

clean:
	$(CARGO) clean
