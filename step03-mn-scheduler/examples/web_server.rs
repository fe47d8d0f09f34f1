//! A web server with a task for each connection, on a few threads that share one queue, under load from a few hundred clients.
//!
//! `cargo run --release -p step03 --example web_server`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::web_server`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    workloads::examples::web_server(&step03::SharedQueue::new())
}
