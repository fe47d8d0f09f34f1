//! Ten slow services asked one after the other and all at once, with all tasks on one thread.
//!
//! `cargo run --release -p step02 --example concurrent_calls`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::fan_out`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    workloads::examples::concurrent_calls(&step02::RoundRobin::new())
}
