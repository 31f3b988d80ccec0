#!/usr/bin/env bash
# Builds the Cortex-M4 images of examples/bare-metal, runs them in an emulator, and checks what they print and the
# status they exit with. Then tells the flash and the RAM that each takes.
#
# Needs rust-lld (part of every rustup toolchain). What else is not here is unpacked beside the system from Debian's
# packages, once, into the target folder: a compiler with the source of its core library, if the toolchain in use has no
# thumbv7em-none-eabihf target, and the emulator.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

TARGET=thumbv7em-none-eabihf
MSRV=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' examples/bare-metal/Cargo.toml)

die() {
    printf 'bare-cortex-m4: %s\n' "$*" >&2
    exit 1
}

target_dir=${CARGO_TARGET_DIR:-$root/examples/bare-metal/target}
case $target_dir in /*) ;; *) target_dir=$root/$target_dir ;; esac
export CARGO_TARGET_DIR=$target_dir
tools=$target_dir/bare-tools

# A wrapper that runs an unpacked program with the libraries that were unpacked with it.
wrap() {
    local wrapper=$1 tree=$2 program=$3
    [ -x "$tree/$program" ] || die "the package has no $program"
    cat >"$wrapper" <<END
#!/bin/sh
export LD_LIBRARY_PATH='$tree/usr/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu'
exec '$tree/$program' "\$@"
END
    chmod +x "$wrapper"
}

# --- compiler and linker ---

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
lld=$sysroot/lib/rustlib/$host/bin/rust-lld
[ -x "$lld" ] || lld=$(command -v ld.lld) || die "neither rust-lld nor ld.lld is here"
export CARGO_TARGET_THUMBV7EM_NONE_EABIHF_LINKER=$lld

build=(cargo build --locked --release --manifest-path examples/bare-metal/Cargo.toml
    --package corelane-bare-cortex-m4 --target "$TARGET")
if [ ! -d "$sysroot/lib/rustlib/$TARGET" ]; then
    "$root/scripts/bare-debian.sh" "$tools/rust" rustc-web rust-web-src
    wrap "$tools/rustc" "$tools/rust" usr/bin/rustc
    # The standard library's source is built with the compiler it belongs to; that takes the unstable switch.
    export RUSTC=$tools/rustc RUSTC_BOOTSTRAP=1
    build+=(-Zbuild-std=core)
fi
version=$("${RUSTC:-rustc}" -V | cut -d' ' -f2)
[ "$(printf '%s\n' "$MSRV" "$version" | sort -V | head -n1)" = "$MSRV" ] ||
    die "rustc $version is older than $MSRV"
printf 'compiler: rustc %s\n' "$version"

# --- emulator ---

qemu=$(command -v qemu-system-arm) || {
    "$root/scripts/bare-debian.sh" "$tools/qemu" qemu-system-arm
    wrap "$tools/qemu-system-arm" "$tools/qemu" usr/bin/qemu-system-arm
    qemu=$tools/qemu-system-arm
}

# Runs an image and copies what it prints; status as the image's. The emulator's clock counts instructions, so every
# run is the same run, however busy the machine is.
emulate() {
    timeout 120 "$qemu" -M mps2-an386 -cpu cortex-m4 -icount shift=3,sleep=off \
        -display none -monitor none -serial none -semihosting-config enable=on,target=native -kernel "$1" 2>&1
}

# --- build, run, check ---

"${build[@]}"
images=$target_dir/$TARGET/release

check() {
    local name=$1 expected=$2 status=0
    printf '\n%s\n' "$name:"
    emulate "$images/$name" >"$tools/$name.out" || status=$?
    sed 's/^/    /' "$tools/$name.out"
    [ "$status" = 0 ] || die "$name exited with status $status"
    # Lines that begin with "board:" tell figures of this build; all others must be as expected.
    diff <(grep -v '^board:' "$tools/$name.out") "$expected" ||
        die "$name printed other lines than $expected"
}

mkdir -p "$tools"
check cortex-m4-demo examples/bare-metal/demo/expected.txt
# This one prints figures only: its status says whether it computed what it should.
check cortex-m4-minimal /dev/null

# --- sizes, from the sections of the images ---

# Section sizes by name, in decimal.
sections() {
    readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] \(\.[^ ]*\) .*/&/p' | sed 's/^ *\[ *[0-9]*\] //' |
        while read -r name _ _ _ size _; do printf '%s %d\n' "$name" "0x$size"; done
}

printf '\n%-20s %8s %8s %8s %8s %8s %10s %10s\n' bytes vectors text rodata data bss flash 'RAM+stack'
for name in cortex-m4-demo cortex-m4-minimal; do
    sections "$images/$name" | awk -v name="$name" '
        { size[$1] = $2 }
        END {
            v = size[".vector_table"]; t = size[".text"]; r = size[".rodata"]
            d = size[".data"]; b = size[".bss"]; s = size[".stack"]
            printf "%-20s %8d %8d %8d %8d %8d %10d %5d+%d\n", name, v, t, r, d, b, v + t + r + d, d + b, s
        }'
done
printf '\nbare-cortex-m4: both images passed\n'
