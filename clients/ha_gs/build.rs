//! The library's own name for the dynamic linker: programs ask for this one, whatever file it is in.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libha_gs.so.1");
    println!("cargo::rerun-if-changed=build.rs");
}
