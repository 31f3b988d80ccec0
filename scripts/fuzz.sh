#!/usr/bin/env bash
# Runs each fuzz target for a while: scripts/fuzz.sh [SECONDS [TARGET...]], 10 seconds and all of them unless told otherwise.
# What a target finds it writes down in a folder of its own, whose name is shown; such an input belongs into a test.
#
# Built in a target directory of its own, as all of it must be instrumented. The sanitizer and its coverage are not stable
# yet; RUSTC_BOOTSTRAP lets the stable compiler do it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
shift || true
host=$(rustc -vV | sed -n 's/^host: //p')
compgen -G "$(rustc --print target-libdir)/librustc-*_rt.asan.a" >/dev/null || {
    printf 'fuzz: SKIPPED: this toolchain has no address sanitizer for %s\n' "$host"
    exit 0
}
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)
fi

export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz"
export RUSTFLAGS="-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions --cfg fuzzing -Ccodegen-units=1"
cargo build --locked --release --manifest-path fuzz/Cargo.toml --target "$host" --bins

for target in "${targets[@]}"; do
    found=$(mktemp -d)
    if ! "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=1024 \
        -artifact_prefix="$found/" >"$found/log" 2>&1; then
        tail -40 "$found/log"
        printf 'fuzz: FAILED: %s; the input is in %s\n' "$target" "$found"
        exit 1
    fi
    printf 'fuzz: %s: %s\n' "$target" "$(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$found/log" | tail -1)"
    rm -rf "$found"
done
