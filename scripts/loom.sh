#!/usr/bin/env bash
# The model tests: every interleaving of a lane's two ends, and of a shard that falls asleep with those who wake it.
# Built with `--cfg loom` in a target directory of their own, so that nothing else is built anew.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="--cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"

cargo test --locked --release --package corelane-kernel --features alloc --lib lane_model
cargo test --locked --release --package corelane-shard --lib wake_model
