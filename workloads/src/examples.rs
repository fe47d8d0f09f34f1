//! The three programs as something to watch: what the examples of each stage's crate run.
//!
//! Each stage's `examples/web_server.rs` and so on make the stage's runtime and call a function of this module, which
//! does the rest: it reads the command line, runs the program, checks what comes out of it, and says in plain words
//! what happened. By default each ends by itself after a few seconds.

mod concurrent_calls;
mod options;
mod pipeline;
mod web_server;

use std::process::ExitCode;

use step01::Runtime;

use options::Options;

/// Starts a web server, lets a few hundred clients loose on it, and says how it did. `--serve PORT` keeps it running.
pub fn web_server<R: Runtime>(rt: &R) -> ExitCode {
    ended(Options::from_command_line(web_server::USAGE).and_then(|o| web_server::run(rt, &o)))
}

/// Counts the words of this workspace's book and sources, or of any folder.
pub fn pipeline<R: Runtime>(rt: &R) -> ExitCode {
    ended(Options::from_command_line(pipeline::USAGE).and_then(|o| pipeline::run(rt, &o)))
}

/// Asks ten slow services, one after the other and all at once.
pub fn concurrent_calls<R: Runtime>(rt: &R) -> ExitCode {
    let options = Options::from_command_line(concurrent_calls::USAGE);
    ended(options.and_then(|o| concurrent_calls::run(rt, &o)))
}

/// Why an example ends early.
enum Stop {
    /// The user asked for help and has got it.
    Helped,
    /// Something went wrong: this.
    Failed(String),
}

impl<E: ToString> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.to_string())
    }
}

fn ended(result: Result<(), Stop>) -> ExitCode {
    match result {
        Ok(()) | Err(Stop::Helped) => ExitCode::SUCCESS,
        Err(Stop::Failed(reason)) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}
