#!/usr/bin/env bash
# Runs each fuzz target for a while, as many of them side by side as there are cores:
#   scripts/fuzz.sh [SECONDS [TARGET...]]      10 seconds and all of them unless told otherwise
#   scripts/fuzz.sh --replay TARGET FILE       one input once more, with all that it says
# What a target finds it writes down in a folder of its own, which is kept; it is shown with the command that replays it.
# Such an input belongs into a test.
#
# What is found: a panic (each target says what must hold), a read or write outside of what is alive, an input that takes 20
# seconds, an allocation of 64 MiB or a process of 1 GiB. Most targets hold what they read to a much smaller bound by themselves.
#
# Built in a target directory of its own, as all of it must be instrumented. The sanitizer and its coverage are not stable
# yet; RUSTC_BOOTSTRAP lets the stable compiler do it.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
compgen -G "$(rustc --print target-libdir)/librustc-*_rt.asan.a" >/dev/null || {
    printf 'fuzz: SKIPPED: this toolchain has no address sanitizer for %s\n' "$host"
    exit 0
}
mapfile -t known < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)
replayed=
if [ "${1:-}" = --replay ]; then
    [ $# = 3 ] || { printf 'fuzz: --replay TARGET FILE\n' >&2; exit 2; }
    targets=("$2")
    replayed=$3
else
    seconds=${1:-10}
    shift || true
    targets=("${@:-${known[@]}}")
fi
for target in "${targets[@]}"; do
    [[ " ${known[*]} " = *" $target "* ]] || {
        printf 'fuzz: no target %s; there are %s\n' "$target" "${known[*]}" >&2
        exit 2
    }
done

export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz"
export RUSTFLAGS="-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions --cfg fuzzing -Ccodegen-units=1"
cargo build --locked --release --manifest-path fuzz/Cargo.toml --target "$host" --bins

limits=(-max_len=8192 -timeout=20 -malloc_limit_mb=64 -rss_limit_mb=1024)
if [ -n "$replayed" ]; then
    exec "$CARGO_TARGET_DIR/$host/release/${targets[0]}" "${limits[@]}" "$replayed"
fi

work=$(mktemp -d)
# By process.
declare -A running=()
failed=()

# Good inputs to begin with, where there are some: of the sample of a configuration each table, without what is explained. And
# configurations are short: there are fewer of them in a second than of anything else.
seeds() {
    [ "$1" = configuration ] || return 0
    grep -E '^[^#]' examples/corelane.toml |
        awk -v to="$2" '/^\[/ { table++ } { print > (to "/" (table + 0) ".toml") }'
}

start() {
    local target=$1
    local length=()
    mkdir -p "$work/$target/corpus"
    seeds "$target" "$work/$target/corpus"
    [ "$target" != configuration ] || length=(-max_len=1024)
    "$CARGO_TARGET_DIR/$host/release/$target" "${limits[@]}" "${length[@]}" -max_total_time="$seconds" \
        -artifact_prefix="$work/$target/" "$work/$target/corpus" >"$work/$target/log" 2>&1 &
    running[$!]=$target
}

finish_one() {
    local process status=0
    wait -n -p process "${!running[@]}" || status=$?
    [ "$status" = 0 ] || failed+=("${running[$process]}")
    unset "running[$process]"
}

# The targets end by themselves; when this is ended, so are they.
trap 'kill "${!running[@]}" 2>/dev/null || true' EXIT
for target in "${targets[@]}"; do
    [ ${#running[@]} -lt "$(nproc)" ] || finish_one
    start "$target"
done
while [ ${#running[@]} -gt 0 ]; do finish_one; done

for target in "${targets[@]}"; do
    inputs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/$target/log" | tail -1)
    covered=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$work/$target/log" | tail -1)
    printf 'fuzz: %s: %s inputs, %s edges covered\n' "$target" "${inputs:-not all}" "${covered:-0}"
done
for target in "${failed[@]}"; do
    printf '\nfuzz: FAILED: %s\n' "$target"
    tail -60 "$work/$target/log"
    for artefact in "$work/$target"/*-*; do
        [ -e "$artefact" ] || continue
        printf 'fuzz: FAILED: %s: the input is %s; to replay it: scripts/fuzz.sh --replay %s %s\n' \
            "$target" "$artefact" "$target" "$artefact"
    done
done
[ ${#failed[@]} = 0 ] || exit 1
rm -rf "$work"
