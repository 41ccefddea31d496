//! The program `phalanx`: arguments in, words out, an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    phalanx::main(std::env::args_os())
}
