#!/usr/bin/env bash
# The model tests: every interleaving of a lane's two ends, and of a shard that falls asleep with those who wake it.
# Built with `--cfg loom` in a target directory of their own, so that nothing else is built anew.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="--cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
# Optimized, but not across crates: that would take longer than the tests.
export CARGO_PROFILE_RELEASE_LTO=off
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

cargo test --locked --release --package corelane-kernel --package corelane-shard --features corelane-kernel/alloc --lib -- \
    lane_model wake_model
