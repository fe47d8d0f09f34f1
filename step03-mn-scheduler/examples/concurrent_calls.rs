//! Ten slow services asked one after the other and all at once, on a few threads that share one queue.
//!
//! `cargo run --release -p step03 --example concurrent_calls`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::fan_out`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    workloads::examples::concurrent_calls(&step03::SharedQueue::new())
}
