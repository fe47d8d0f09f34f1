//! What the stages' test files need: a watchdog, and one test for each workload.

use std::io::{self, Write as _};
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use step01::Runtime;

use crate::catalog::{self, Outcome, Params, Size, WorkersWanted};
use crate::side::Side;

/// How long a test may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the process, with the name of the test, if it is not dropped within 60 seconds.
///
/// A lost wake-up shows itself by nothing happening; without this, by nothing happening until somebody loses patience.
#[derive(Debug)]
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    /// Starts to watch.
    pub fn new(name: &str) -> Watchdog {
        Watchdog::with_patience(name, PATIENCE)
    }

    fn with_patience(name: &str, patience: Duration) -> Watchdog {
        let (alive, watched) = mpsc::channel::<()>();
        let name = name.to_owned();
        thread::spawn(move || {
            if watched.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                // Not by `eprintln!`, which a test harness keeps until the test has ended.
                let _ = writeln!(
                    io::stderr(),
                    "{name} hangs: it has not ended after {} s",
                    patience.as_secs()
                );
                process::abort();
            }
        });
        Watchdog { _alive: alive }
    }
}

/// Runs a workload at its smallest size, and looks at what it returns. For [`workload_tests!`](crate::workload_tests).
///
/// # Panics
///
/// If an answer is wrong, the workload is skipped, or the samples are not those that the catalogue announces.
pub fn check_workload<R: Runtime>(rt: &R, name: &str) {
    let _watchdog = Watchdog::new(name);
    let Some(info) = catalog::find(name) else {
        panic!("no workload is named {name}");
    };
    let workers = match info.workers {
        WorkersWanted::One => 1,
        WorkersWanted::All | WorkersWanted::Each => {
            thread::available_parallelism().map_or(1, usize::from)
        }
    };
    let params = Params {
        size: Size::Test,
        workers,
        side: Side::Threads,
    };
    let samples = match catalog::run(name, rt, &params) {
        Ok(Outcome::Measured(samples)) => samples,
        Ok(Outcome::Skipped { reason }) => panic!("{name} was skipped: {reason}"),
        Err(reason) => panic!("{name} failed: {reason}"),
    };
    assert!(
        samples
            .first()
            .is_some_and(|first| first.metric == info.headline().name),
        "the first number of {name} is not its headline: {samples:?}"
    );
    for sample in &samples {
        let metric = info.metric(&sample.metric);
        assert_eq!(
            metric.map(|metric| metric.unit),
            Some(sample.unit.as_str()),
            "{sample:?}"
        );
        assert!(sample.value.is_finite(), "{sample:?}");
        let along = metric.is_some_and(|metric| metric.along.is_some());
        let by_workers = info.workers == WorkersWanted::Each;
        assert!(
            sample.at.is_some() == along || by_workers,
            "a place and an axis go together: {sample:?}"
        );
    }
}

/// One `#[test]` for each workload of the catalogue, on the given runtime: a line in each stage's `tests/workloads.rs`.
///
/// ```
/// workloads::workload_tests!(step01::Threads::new());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! workload_tests {
    ($runtime:expr) => {
        $crate::workload_tests! { @each $runtime =>
            spawn_join memory switch ping_pong ping_pong_2 alive blocked
            web_server pipeline fan_out
            spawn_join_1 skynet fan_in sleepers fib_spawn fib_all spread echo_64 echo_1000
            blocking_declared blocking_undeclared hogs
            scale_tasks scale_echo scale_workers scale_turns
        }
    };
    (@each $runtime:expr => $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::testing::check_workload(&$runtime, stringify!($name));
            }
        )*

        #[test]
        fn every_workload_of_the_catalogue_has_its_test() {
            use $crate::catalog::{self, Group};
            // A part of a runtime is measured by whoever has it, and tested there.
            let whole = catalog::all().iter().filter(|info| info.group != Group::Part);
            let catalogue: Vec<_> = whole.map(|info| info.name).collect();
            assert_eq!(catalogue, [$(stringify!($name)),*]);
        }
    };
}
