//! Words and lines of this workspace's text, counted by a pipeline of tasks, on a few threads that steal from each other.
//!
//! `cargo run --release -p step04 --example pipeline`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::pipeline`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    match step04::build(&step03::Builder::default()) {
        Ok(rt) => workloads::examples::pipeline(&rt),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
