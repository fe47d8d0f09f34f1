//! The program `course`. All of it is in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    course::main()
}
