//! Judges a pool: how many jobs it runs at once, how many it lets wait, what becomes of panics, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use exercises::turns::{Explore, Turns, every_order};
use step01::{Job, JoinError, Runtime, SpawnError, bounded};

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub)]
mod exercise;

use exercise::Pool;

#[test]
fn results_come_back() {
    every_order(|rt| {
        let pool = Pool::new(rt, 2, 2);
        let handles: Vec<_> = (1..=3).map(|n| pool.submit(move || n * n)).collect();
        let results: Vec<i32> = handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .collect();
        assert_eq!(results, [1, 4, 9]);
    });
}

#[test]
fn no_more_jobs_run_at_once_than_there_are_workers() {
    Explore::default().preemptions(1).run(|rt| {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new(rt, 2, 4);
        for _ in 0..4 {
            let (rt, running, most) = (rt.clone(), running.clone(), most.clone());
            pool.submit(move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                rt.yield_now();
                running.fetch_sub(1, SeqCst);
            });
        }
        drop(pool);
        let most = most.load(SeqCst);
        assert!(
            most <= 2,
            "{most} jobs ran at once, and the pool has 2 workers"
        );
    });
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_workers() {
    every_order(|rt| {
        let pool = Pool::new(rt, 2, 2);
        // Each waits for the other: with one worker they would wait for ever.
        let (to_second, from_first) = bounded(0);
        let (to_first, from_second) = bounded(0);
        let first = pool.submit(move || {
            to_second.send(1).unwrap();
            from_second.recv().unwrap()
        });
        let second = pool.submit(move || {
            let n: i32 = from_first.recv().unwrap();
            to_first.send(n + 1).unwrap();
        });
        assert_eq!(first.join().unwrap(), 2);
        second.join().unwrap();
    });
}

/// Counts the tasks that are started.
#[derive(Clone)]
struct Counting {
    rt: Turns,
    started: Arc<AtomicUsize>,
}

impl Runtime for Counting {
    type Net = <Turns as Runtime>::Net;

    fn name(&self) -> &'static str {
        "counting"
    }

    fn run<T: Send, F: FnOnce() -> T + Send>(&self, main: F) -> T {
        self.rt.run(main)
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        self.started.fetch_add(1, SeqCst);
        self.rt.start(job)
    }

    fn yield_now(&self) {
        self.rt.yield_now();
    }

    fn sleep(&self, duration: Duration) {
        self.rt.sleep(duration);
    }

    fn blocking<T, F: FnOnce() -> T>(&self, f: F) -> T {
        self.rt.blocking(f)
    }

    fn net(&self) -> &Self::Net {
        self.rt.net()
    }
}

#[test]
fn jobs_are_done_by_the_workers_and_not_by_tasks_of_their_own() {
    every_order(|rt| {
        let started = Arc::new(AtomicUsize::new(0));
        let rt = Counting {
            rt: rt.clone(),
            started: started.clone(),
        };
        let pool = Pool::new(&rt, 2, 1);
        for _ in 0..4 {
            pool.submit(|| ());
        }
        drop(pool);
        assert_eq!(
            started.load(SeqCst),
            2,
            "a pool of 2 workers starts 2 tasks, however many jobs it is given"
        );
    });
}

#[test]
fn a_full_queue_makes_the_submitter_wait() {
    every_order(|rt| {
        let pool = Arc::new(Pool::new(rt, 1, 1));
        let (open, gate) = bounded::<()>(0);
        let submitted = Arc::new(AtomicUsize::new(0));
        let submitter = {
            let (pool, gate, submitted) = (pool.clone(), gate.clone(), submitted.clone());
            rt.spawn_named("submitter", move || {
                for _ in 0..4 {
                    let gate = gate.clone();
                    pool.submit(move || gate.recv().is_ok());
                    submitted.fetch_add(1, SeqCst);
                }
            })
        };
        rt.settle();
        let accepted = submitted.load(SeqCst);
        assert!(
            accepted >= 2,
            "one job runs and there is room for one more, but only {accepted} were accepted"
        );
        assert!(
            accepted <= 2,
            "one job runs and there is room for one more, but {accepted} were accepted"
        );
        // Nobody will send: every job, running or waiting, finds the gate open.
        drop(open);
        submitter.join().unwrap();
        assert_eq!(submitted.load(SeqCst), 4);
    });
}

#[test]
fn a_panic_comes_out_of_the_join_and_costs_no_worker() {
    every_order(|rt| {
        let pool = Pool::new(rt, 1, 2);
        let bad = pool.submit(|| panic!("boom"));
        let good = pool.submit(|| 7);
        match bad.join() {
            Err(error @ JoinError::Panicked(_)) => assert_eq!(error.panic_message(), Some("boom")),
            other => panic!("a job panicked, and its join returned {other:?}"),
        }
        match good.join() {
            Ok(seven) => assert_eq!(seven, 7),
            Err(error) => panic!("a job was not done because another one panicked: {error}"),
        }
    });
}

#[test]
fn a_drop_waits_until_every_accepted_job_is_done() {
    every_order(|rt| {
        let finished = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new(rt, 1, 3);
        for _ in 0..3 {
            let (rt, finished) = (rt.clone(), finished.clone());
            pool.submit(move || {
                rt.yield_now();
                finished.fetch_add(1, SeqCst);
            });
        }
        drop(pool);
        let finished = finished.load(SeqCst);
        assert_eq!(
            finished, 3,
            "3 jobs were accepted, and {finished} are done now that the pool is gone"
        );
    });
}

#[test]
#[should_panic(expected = "a pool needs a worker")]
fn a_pool_without_workers_is_refused() {
    drop(Pool::new(&step01::Threads::new(), 0, 1));
}

/// The same on real threads. There a wrong answer would hang, so it is looked for first.
#[test]
fn it_works_on_one_thread_per_task_too() {
    results_come_back();
    a_drop_waits_until_every_accepted_job_is_done();
    let rt = step01::Threads::new();
    rt.run(|| {
        let pool = Pool::new(&rt, 3, 2);
        let handles: Vec<_> = (0..300_u64).map(|n| pool.submit(move || n)).collect();
        let sum: u64 = handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .sum();
        assert_eq!(sum, 299 * 300 / 2);
    });
}
