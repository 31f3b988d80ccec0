#!/usr/bin/env bash
# Proves that the kernel, built without default features, needs neither `std` nor `alloc`, and with its `alloc` feature
# no `std`: it is built, with all it depends on, against a sysroot in which these libraries are not there. The host's
# own target is used, so no other toolchain is needed.
#
# A check that cannot fail proves nothing: what must not build is built as well, and has to fail for the right reason.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    printf 'no-std: %s\n' "$*" >&2
    exit 1
}

host=$(rustc -vV | sed -n 's/^host: //p')
libraries=$(rustc --print target-libdir)
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
case $target_dir in /*) ;; *) target_dir=$PWD/$target_dir ;; esac
folder=$target_dir/no-std

# A sysroot with the named libraries only.
sysroot() {
    local root=$folder/$1 name
    shift
    rm -rf "$root"
    mkdir -p "$root/lib/rustlib/$host/lib"
    for name in "$@"; do
        compgen -G "$libraries/lib$name-*.rlib" >/dev/null || die "the toolchain has no $name in $libraries"
        # The code, and where it is kept apart the metadata.
        ln -s "$libraries/lib$name"-*.r* "$root/lib/rustlib/$host/lib/"
    done
    printf '%s\n' "$root"
}

core=$(sysroot core core compiler_builtins)
alloc=$(sysroot alloc core compiler_builtins alloc)

# Builds a package for the host as if for another machine, so that build scripts keep the whole library.
build() {
    local root=$1
    shift
    CARGO_TARGET_DIR=$folder/$(basename "$root")-build CARGO_ENCODED_RUSTFLAGS="--sysroot=$root" \
        cargo build --quiet --locked --target "$host" "$@"
}

must_fail() {
    local missing=$1 log=$folder/log
    shift
    if build "$@" 2>"$log"; then
        die "$* built without $missing: this check proves nothing"
    fi
    grep -q "can't find crate for \`$missing\`" "$log" || { cat "$log" >&2; die "$* failed for another reason"; }
}

build "$core" --package corelane-kernel --no-default-features
printf 'no-std: the kernel builds where there is neither std nor alloc\n'
build "$alloc" --package corelane-kernel --no-default-features --features alloc
printf 'no-std: with its alloc feature it builds where there is no std\n'
must_fail alloc "$core" --package corelane-kernel --no-default-features --features alloc
must_fail std "$alloc" --package corelane-shard
printf 'no-std: what needs them does not build there\n'
