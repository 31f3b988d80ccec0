#!/usr/bin/env bash
# Builds the freestanding x86-64 program of examples/bare-metal with the toolchain in use, checks that no C library came
# into it, runs it, and checks what it prints and the status it exits with.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

die() {
    printf 'bare-x86-64: %s\n' "$*" >&2
    exit 1
}

[ "$(uname -sm)" = "Linux x86_64" ] || die "this program runs on x86-64 Linux only"
target_dir=${CARGO_TARGET_DIR:-$root/examples/bare-metal/target}
case $target_dir in /*) ;; *) target_dir=$root/$target_dir ;; esac
export CARGO_TARGET_DIR=$target_dir

# Named, so that the program lands in a folder of its own whatever the user's configuration says.
TARGET=x86_64-unknown-linux-gnu
cargo build --locked --release --manifest-path examples/bare-metal/Cargo.toml \
    --package corelane-bare-x86-64 --target "$TARGET"
program=$target_dir/$TARGET/release/x86-64-demo

# --- what is in it ---

headers=$(readelf -lW "$program")
for kind in INTERP DYNAMIC TLS; do
    ! grep -q "^ *$kind " <<<"$headers" || die "the program has a segment of kind $kind"
done
readelf -SW "$program" | grep -q ' \.text ' || die "the program has no code"
! readelf -SW "$program" | grep -E ' \.(dynamic|dynsym|interp|plt|init_array) ' ||
    die "the program has a section for dynamic linking or for a C library's start"
symbols=$(readelf -sW "$program" | awk 'NR > 3 && $8 != "" { print $7, $8 }')
grep -q ' _start$' <<<"$symbols" || die "the symbol table was stripped, so nothing can be told from it"
! grep '^UND ' <<<"$symbols" || die "the program has undefined symbols"
! grep -E ' (__libc_.*|_IO_.*|printf|malloc|free|pthread_.*|_init|_fini|__errno_location)$' <<<"$symbols" ||
    die "the program has symbols of a C library"
! grep -E ' (__rust_alloc|__rg_alloc|__rustc::__rust_alloc).*$' <<<"$symbols" || die "the program has an allocator"

# --- what it does ---

out=$target_dir/x86-64-demo.out
status=0
timeout 120 "$program" >"$out" || status=$?
sed 's/^/    /' "$out"
[ "$status" = 0 ] || die "the program exited with status $status"
# Lines that begin with "board:" tell figures of this run; all others must be as expected.
diff <(grep -v '^board:' "$out") examples/bare-metal/demo/expected.txt ||
    die "the program printed other lines than demo/expected.txt"

size "$program"
printf 'bare-x86-64: passed\n'
