//! A web server with a task for each connection, on a few threads that steal from each other, under load from a few hundred clients.
//!
//! `cargo run --release -p step04 --example web_server`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::web_server`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    match step04::build(&step03::Builder::default()) {
        Ok(rt) => workloads::examples::web_server(&rt),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
