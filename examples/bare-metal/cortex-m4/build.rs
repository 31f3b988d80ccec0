//! Hands the linker this board's memory map.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=link.x");
    println!("cargo::rustc-link-arg-bins=-T{here}/link.x");
    // Pages would pad the image to 64 KiB steps; flash has none.
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
