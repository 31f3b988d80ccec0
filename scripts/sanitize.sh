#!/usr/bin/env bash
# The tests of the kernel and the shards under the address sanitizer: no read or write outside of what is alive, nothing
# freed twice, and, at the end of each test program, nothing leaked. Built in a target directory of its own, as the whole
# program must be instrumented. The sanitizer is not stable yet; RUSTC_BOOTSTRAP lets the stable compiler do it.
#
# All tests run but documentation examples, which are programs of their own and repeat what the tests do.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${1:-x86_64-unknown-linux-gnu}"
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitize"
# Frames of the tests' own threads stay alive for as long as leaks are looked for; a stack used after its return is found.
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

cargo test --locked --target "$target" --package corelane-kernel --package corelane-shard --lib --tests
