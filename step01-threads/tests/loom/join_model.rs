//! Jobs and their handles: `src/join.rs`.

use std::panic::Location;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::join::{Job, JoinError};
use crate::model::{Bound, explore, past};

/// Counts how often a result is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn job(drops: &Arc<AtomicUsize>) -> (Job, crate::join::JoinHandle<Counted>) {
    let result = Counted(drops.clone());
    Job::new(move || result, Location::caller())
}

/// The joiner gets the result, wherever the runner is when it comes.
#[test]
fn join_against_end() {
    explore("join against end", Bound::Complete, 20, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (job, handle) = job(&drops);
        let runner = thread::spawn(move || {
            job.run();
        });
        let result = handle.join();
        assert!(result.is_ok());
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(result);
        runner.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// A handle that is dropped: the result is dropped once, by whoever goes last.
#[test]
fn detach_against_end() {
    explore("detach against end", Bound::Complete, 3, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (job, handle) = job(&drops);
        let runner = thread::spawn(move || {
            job.run();
        });
        drop(handle);
        runner.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// A wait that times out takes its unparker back, and a second wait, by another task, leaves its own.
#[test]
fn time_out_and_join_elsewhere() {
    explore(
        "join deadline, then join elsewhere",
        Bound::Preemptions(3),
        100,
        || {
            let drops = Arc::new(AtomicUsize::new(0));
            let (job, handle) = job(&drops);
            let runner = thread::spawn(move || {
                job.run();
            });
            match handle.join_deadline(past()) {
                Ok(result) => drop(result),
                Err(handle) => {
                    let other = thread::spawn(move || assert!(handle.join().is_ok()));
                    other.join().unwrap();
                }
            }
            runner.join().unwrap();
            assert_eq!(drops.load(Ordering::Relaxed), 1);
        },
    );
}

/// A timed-out wait and a dropped handle leave everything to the runner.
#[test]
fn time_out_and_detach() {
    explore("join deadline, then detach", Bound::Complete, 10, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (job, handle) = job(&drops);
        let runner = thread::spawn(move || {
            job.run();
        });
        drop(handle.join_deadline(past()));
        runner.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// A job that is dropped instead of run tells its joiner so.
#[test]
fn cancel_against_join() {
    explore("cancel against join", Bound::Complete, 10, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (job, handle) = job(&drops);
        let runner = thread::spawn(move || drop(job));
        assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
        runner.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}
