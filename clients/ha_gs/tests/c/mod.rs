//! Programs in C, made as they would be outside: by the header, with the library by its own name.

use phalanx_sandbox::SCRATCH;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Puts the library where programs find it.
pub fn install_library() {
    let built = std::env::current_exe().unwrap();
    let built = built.parent().unwrap().join("libha_gs.so");
    fs::copy(&built, format!("{SCRATCH}/libha_gs.so.1")).unwrap();
    symlink("libha_gs.so.1", format!("{SCRATCH}/libha_gs.so")).unwrap();
}

/// Makes a program of the tests' folder; what the compiler objects to fails the story.
pub fn compile(source: &str) -> PathBuf {
    let name = Path::new(source).file_stem().unwrap().to_str().unwrap();
    let program = PathBuf::from(format!("{SCRATCH}/{name}"));
    let mut command = Command::new("cc");
    command.args(["-Wall", "-Wextra", "-Werror", "-Wno-write-strings", "-I", &format!("{HERE}/include")]);
    command.arg(format!("{HERE}/tests/{source}")).args(["-L", SCRATCH, "-lha_gs", "-o"]).arg(&program);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let needed = Command::new("readelf").args(["-d"]).arg(&program).output().unwrap();
    assert!(
        String::from_utf8_lossy(&needed.stdout).contains("[libha_gs.so.1]"),
        "it asks for the library's own name"
    );
    program
}
