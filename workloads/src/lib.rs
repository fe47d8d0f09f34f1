//! What every stage is tested with, measured with and used for.
//!
//! Everything here is generic over [`step01::Runtime`] and knows no stage. So one conformance suite says what a stage
//! must keep, one set of workloads is measured on all of them, and one set of programs runs on all of them.
//!
//! - [`conformance`](mod@conformance): the promises of the contract, one case each
//! - [`catalog`]: what can be measured, and the call that does it; the workloads themselves are in `measured/`
//! - [`programs`]: a web server, a data pipeline, concurrent calls
//! - [`examples`]: the programs as something to watch; each stage's `examples/` call it
//! - [`soak`]: everything at once, for a long time
//! - [`endings`]: how a run ends that leaves tasks behind
//! - [`hazards`]: what can go wrong when tasks move between threads
//! - [`repetition`]: what a process that runs one workload once has to do, whatever it measures
//! - [`costs`]: what a repetition costs the machine, whatever it measures
//! - [`side`]: what must run beside the measured program and not in it: load clients and slow services
//! - [`long_run`]: the same for stages with several workers, watched for leaks
//! - [`testing`]: the watchdog, and one test for each workload

pub mod catalog;
pub mod conformance;
pub mod costs;
pub mod endings;
pub mod examples;
pub mod hazards;
pub mod long_run;
mod machine;
mod measured;
pub mod programs;
pub mod repetition;
pub mod side;
pub mod soak;
pub mod testing;
mod work;
