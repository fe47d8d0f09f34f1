//! Words and lines of this workspace's text, counted by a pipeline of tasks, on a few threads that share one queue.
//!
//! `cargo run --release -p step03 --example pipeline`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::pipeline`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    workloads::examples::pipeline(&step03::SharedQueue::new())
}
