//! Ten slow services asked one after the other and all at once, on a few threads that steal from each other.
//!
//! `cargo run --release -p step04 --example concurrent_calls`; `-- --help` lists what it can do.
//!
//! The program is `workloads::programs::fan_out`, and knows no runtime: each stage has this example.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::side::become_if_asked();
    match step04::build(&step03::Builder::default()) {
        Ok(rt) => workloads::examples::concurrent_calls(&rt),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
