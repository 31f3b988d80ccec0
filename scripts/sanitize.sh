#!/usr/bin/env bash
# The tests of the kernel, the shards and the net under the address sanitizer: no read or write outside of what is alive,
# nothing freed twice, and, when a test program ends, nothing leaked. Built in a target directory of its own, as the whole
# program must be instrumented. The sanitizer is not stable yet; RUSTC_BOOTSTRAP lets the stable compiler do it.
#
# Not run: documentation examples, and what must not compile among them (programs of their own that leak their regions
# and show nothing that the tests do not); tests of a million actors that come and go and of a storm of panics, which take
# long and are about how much memory is used, not how; thousands of random worlds of links, and a crowd in a simulation, which
# hold no memory by hand; and storms among processes, which wait for most of their time.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    printf 'sanitize: FAILED: %s\n' "$*" >&2
    exit 1
}

skip() {
    printf 'sanitize: SKIPPED: %s\n' "$*"
    exit 0
}

host=$(rustc -vV | sed -n 's/^host: //p')
[ -n "$host" ] || die "rustc does not say which host it is for"
# The sanitizer's run-time library comes with the toolchain, where there is one; leaks are looked for on Linux only.
case $host in
    *-linux-gnu) ;;
    *) skip "there is no address sanitizer with a leak check for $host" ;;
esac
compgen -G "$(rustc --print target-libdir)/librustc-*_rt.asan.a" >/dev/null ||
    skip "this toolchain has no address sanitizer for $host"

export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address"
export RUST_BACKTRACE=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitize"
# A reference to the stack of a function that has returned is found as well.
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# All programs run, also after one has failed. The target is named so that build scripts and macros, which run inside
# the compiler, are built without the sanitizer.
status=0
cargo test --locked --no-fail-fast --target "$host" --lib --tests \
    --package corelane-kernel --features corelane-kernel/alloc --package corelane-net --package corelane-shard \
    -- --skip a_million_actors --skip a_storm_of_panics --skip a_crowd_of_strangers \
    --skip signals_arrive_once_and_messages --skip members_join_past_it --skip five_processes_go_on \
    --skip nothing_is_allocated_for_a_ball 2>&1 | tee "$log" || status=$?

if grep -q 'LeakSanitizer has encountered a fatal error' "$log"; then
    # Not a leak: LeakSanitizer stops the program's threads, as a debugger does, and may not (in some containers).
    die "leaks cannot be looked for where a program may not trace its own threads"
fi
if [ "$status" != 0 ]; then
    printf '\nsanitize: what was found:\n' >&2
    grep -E '^test .* FAILED$|^(==[0-9]+==ERROR|SUMMARY): |^error: test failed|^error: could not compile' "$log" >&2 || true
    die "see above"
fi
grep -q '^test result: ok' "$log" || die "no test ran"
printf 'sanitize: passed\n'
