# Phalanx: `make help` says what there is.
CARGO ?= cargo
# Where `make install` puts things; DESTDIR goes in front of every path.
PREFIX  ?= /usr/local
DESTDIR ?=
# What is installed, and what the demo needs besides.
PROGRAMS = -p phalanx -p phalanxd -p phalanx-deadman -p phalanx-shop -p ha_gs
# What `make test` simulates.
SEEDS ?= 2000
FROM  ?= 0
SIM   = $(CARGO) run --quiet --release -p phalanx-sim --

.PHONY: help demo build install uninstall test check unit package simulate planted points models fuzz bench bench-peers clean

help:
	@echo "make demo      three hosts on this machine, and what happens when they fail; needs root"
	@echo "               RUNS=10: so many crashes; TIMING=fast|auto|relaxed; MONITORING=mesh|ring;"
	@echo "               KEEP=1: leaves the cluster up; KEEP_LOGS=1: keeps the hosts' logs and says where"
	@echo "make build     the programs, as they are installed"
	@echo "make install   PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make uninstall keeps the node's state; PURGE=1 removes that too"
	@echo "make test      all that CI runs"
	@echo "make check     format, lints and the repository's own rules"
	@echo "make unit      unit tests, stories and property tests"
	@echo "make package   what is installed and removed, and whether every message is explained"
	@echo "make simulate  SEEDS=$(SEEDS) FROM=$(FROM) through the simulator, every check on"
	@echo "make points    4000 seeds, and every rare branch of the core taken by some"
	@echo "make models    searches the models within their large bounds, one JSON object a line; MODEL=voting: only those"
	@echo "make fuzz      every decoder for SECONDS=60 each, by the fuzzer (cargo install cargo-fuzz); TARGET=frame: only that"
	@echo "make planted   plants each known bug in the core; the oracle must find it"
	@echo "make bench     figures, one JSON object a line; SUITE=fallover|idle|calm|groups|simulator|scale|caa|aha, SECONDS=60, MINUTES=10"
	@echo "make bench-peers  messages and votes of Group Services beside Corosync's, on the same hosts in one run"

# What the demo lacks it says before anything is built. RUNS, TIMING, MONITORING, KEEP and KEEP_LOGS reach it through the environment.
demo:
	@testing/lab/preflight.sh
	$(CARGO) build --release $(PROGRAMS) -p phalanx-lab
	@target/release/phalanx-lab demo

build:
	$(CARGO) build --release $(PROGRAMS)

# Root often has no cargo: then what was built before is installed.
install:
	@if command -v $(CARGO) > /dev/null; then $(CARGO) build --release $(PROGRAMS); fi
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' packaging/install.sh install

uninstall:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PURGE='$(PURGE)' packaging/install.sh uninstall

test: check unit package simulate planted

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) xtask tidy

unit:
	$(CARGO) nextest run --workspace
	$(CARGO) test --workspace --doc --quiet
	$(CARGO) test --quiet --manifest-path fuzz/Cargo.toml

package:
	@CARGO='$(CARGO)' packaging/test-install.sh
	@packaging/test-messages.sh

simulate:
	$(SIM) --seeds $(SEEDS) --from $(FROM) --timing auto --json
	$(SIM) --seeds 200 --from $(FROM) --timing fast --json
	$(SIM) --seeds 200 --from $(FROM) --timing relaxed --json
	$(SIM) --seeds 200 --from $(FROM) --timing auto --monitoring ring --json
	$(SIM) --seeds 200 --from $(FROM) --timing auto --mode stress --json
	$(SIM) --seeds 200 --from $(FROM) --timing auto --mode form --json
	$(SIM) --seeds 200 --from $(FROM) --timing auto --mode groups --json
	$(SIM) --seeds 200 --from $(FROM) --timing auto --mode dwindle --json

planted:
	$(CARGO) xtask planted

# Every rare branch of the core is taken by some seed.
points:
	$(SIM) --seeds 4000 --timing auto --mode mixed --points --json

# Exhaustive, minutes; the small bounds are among the unit tests.
models:
	$(CARGO) run --quiet --release -p phalanx-models -- $(MODEL)

# The fuzzer takes switches of the compiler that a stable one has only when it is told so. The corpora grow in fuzz/target.
FUZZ_TARGETS = $(if $(TARGET),$(TARGET),$(notdir $(wildcard fuzz/corpus/*)))
fuzz:
	@cd fuzz && for target in $(FUZZ_TARGETS); do mkdir -p target/grown/$$target && RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run \
	    --features fuzzer $$target target/grown/$$target corpus/$$target -- -max_total_time=$(or $(SECONDS),60) || exit 1; done

bench:
	@./benches/run $(SUITE)

bench-peers:
	@PEERS=1 ./benches/run groups

clean:
	$(CARGO) clean
