//! What the workloads make of a runtime that cannot have enough tasks: a number at the size that it can do, with a
//! note, or a skip with the reason. Never a hang, and never a number that was not measured.
//!
//! A runtime may refuse in two ways: when a task is spawned, with an error that names the limit; or later, when the
//! task is to run and there is no stack for it, by dropping it.

use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use step01::net::StdNet;
use step01::{Job, JoinHandle, Runtime, SpawnError, Threads};
use workloads::catalog::{self, Outcome, Params, Sample, Size};
use workloads::side::Side;
use workloads::testing::Watchdog;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    AtSpawn,
    AtStart,
}

/// Threads, but no more than so many at a time.
#[derive(Clone)]
struct Limited {
    inner: Threads,
    most: usize,
    when: When,
    alive: Arc<AtomicUsize>,
}

/// One of the places that there are; free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Limited {
    fn to(most: usize, when: When) -> Limited {
        Limited {
            inner: Threads::new(),
            most,
            when,
            alive: Arc::default(),
        }
    }
}

impl Runtime for Limited {
    type Net = StdNet;

    fn name(&self) -> &'static str {
        "limited"
    }

    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        self.inner.run(main)
    }

    fn start(&self, _: Job) -> Result<(), SpawnError> {
        unreachable!("`try_spawn` does it all")
    }

    fn try_spawn<T, F>(&self, f: F) -> Result<JoinHandle<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let place = Place(self.alive.clone());
        if self.alive.fetch_add(1, SeqCst) < self.most {
            // The place is free again before the joiner learns of the end.
            return self.inner.try_spawn(move || {
                let _place = place;
                f()
            });
        }
        match self.when {
            When::AtSpawn => Err(SpawnError::new(
                io::ErrorKind::OutOfMemory.into(),
                "the limit of this test",
                "raise it",
            )),
            When::AtStart => Ok(Job::new(f, Location::caller()).1),
        }
    }

    fn yield_now(&self) {
        self.inner.yield_now();
    }

    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }

    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        self.inner.blocking(f)
    }

    fn net(&self) -> &StdNet {
        self.inner.net()
    }
}

fn run(name: &str, most: usize, when: When) -> Outcome {
    let _watchdog = Watchdog::new(name);
    let params = Params {
        size: Size::Test,
        workers: 2,
        side: Side::Threads,
    };
    catalog::run(name, &Limited::to(most, when), &params)
        .unwrap_or_else(|reason| panic!("{name} {when:?}: {reason}"))
}

fn measured(name: &str, most: usize, when: When) -> (Sample, Vec<Sample>) {
    match run(name, most, when) {
        Outcome::Measured(mut samples) => (samples.remove(0), samples),
        Outcome::Skipped { reason } => panic!("{name} {when:?} was skipped: {reason}"),
    }
}

fn skipped(name: &str, most: usize, when: When) -> String {
    match run(name, most, when) {
        Outcome::Measured(samples) => panic!("{name} {when:?} was measured: {samples:?}"),
        Outcome::Skipped { reason } => reason,
    }
}

/// What the reason must say: the limit, where the runtime has named one.
fn names_the_limit(text: &str, when: When) -> bool {
    match when {
        When::AtSpawn => text.contains("the limit of this test"),
        When::AtStart => text.contains("ended by"),
    }
}

#[test]
fn the_count_of_live_tasks_ends_at_the_limit_and_names_it() {
    for when in [When::AtSpawn, When::AtStart] {
        let (alive, _) = measured("alive", 50, when);
        assert_eq!(alive.value, 50.0, "{when:?}");
        let note = alive.note.unwrap();
        assert!(names_the_limit(&note, when), "{note}");
    }
}

#[test]
fn memory_is_weighed_with_as_many_as_there_can_be() {
    for when in [When::AtSpawn, When::AtStart] {
        let (resident, _) = measured("memory", 50, when);
        let note = resident.note.unwrap();
        assert!(note.starts_with("50 tasks; then no more"), "{note}");
        assert!(names_the_limit(&note, when), "{note}");
    }
}

#[test]
fn growth_is_measured_as_far_as_it_goes() {
    for when in [When::AtSpawn, When::AtStart] {
        let (reached, points) = measured("scale_tasks", 150, when);
        assert_eq!(reached.value, 150.0, "{when:?}");
        let note = reached.note.unwrap();
        assert!(note.starts_with("stopped by the system"), "{note}");
        assert!(names_the_limit(&note, when), "{note}");
        let at: Vec<Option<f64>> = points.iter().map(|point| point.at).collect();
        let each = |place| [Some(place), Some(place)];
        assert_eq!(at, [each(100.0), each(150.0)].concat(), "{points:?}");
    }
}

#[test]
fn a_smaller_tree_is_measured_and_its_time_is_not_given_as_the_large_ones() {
    for when in [When::AtSpawn, When::AtStart] {
        // A hundred leaves need twelve tasks at once at the very least, ten leaves need eleven.
        match run("skynet", 11, when) {
            Outcome::Measured(samples) => {
                let note = samples[0].note.as_deref().unwrap_or_default();
                assert!(note.starts_with("10 leaves; 100 were refused"), "{note}");
                assert!(names_the_limit(note, when), "{note}");
                assert_eq!(samples.len(), 1, "{samples:?}");
            }
            // A task of the large tree still had its place when the small one was planted.
            Outcome::Skipped { reason } => assert!(names_the_limit(&reason, when), "{reason}"),
        }
        assert!(names_the_limit(&skipped("skynet", 5, when), when));
    }
}

#[test]
fn a_smaller_number_is_computed_where_forks_are_refused() {
    for when in [When::AtSpawn, When::AtStart] {
        // fib(8) has up to seven tasks below each other.
        let (per_fork, others) = measured("fib_all", 6, when);
        let note = per_fork.note.unwrap();
        assert!(note.contains("fib(8) was refused"), "{note}");
        assert!(names_the_limit(&note, when), "{note}");
        assert!(others.is_empty(), "{others:?}");
        assert!(names_the_limit(&skipped("fib_all", 0, when), when));
    }
}

#[test]
fn sleepers_that_cannot_be_are_skipped_with_the_reason() {
    for when in [When::AtSpawn, When::AtStart] {
        let reason = skipped("sleepers", 3, when);
        assert!(names_the_limit(&reason, when), "{reason}");
    }
}
