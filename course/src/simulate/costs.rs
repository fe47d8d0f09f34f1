//! What things cost in the simulation: measured on this machine in a moment, or given.
//!
//! Each of these is the median of a few short batches. They are prices of single steps, without anybody in the way: who is
//! in whose way is what the simulation finds out.

use std::sync::mpsc;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use step01::Runtime as _;
use step02::RoundRobin;

use crate::compare::stats::Summary;
use crate::compare::yardsticks;

/// Prices, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Costs {
    /// To start a task, and to switch to it and away at its end, half each: what both policies pay alike.
    pub(crate) task: f64,
    /// A lock that nobody else wants, an entry into a queue or out of it, and the unlock.
    pub(crate) lock: f64,
    /// A cache line on its way from one core to another.
    pub(crate) crossing: f64,
    /// What the nap between a thief's two looks really takes.
    pub(crate) nap: f64,
    /// The system call that wakes a sleeping worker, for the one who calls.
    pub(crate) call: f64,
    /// From that call until the sleeper runs.
    pub(crate) wake: f64,
}

/// The nap that a thief of step 4 asks for.
const NAP: Duration = Duration::from_micros(5);

impl Costs {
    /// Measures them, in a few tenths of a second.
    ///
    /// # Errors
    ///
    /// If this process has one core only: then nothing can cross.
    pub(crate) fn measure() -> anyhow::Result<Costs> {
        let cores = yardsticks::allowed_cores()?;
        let crossings: Vec<f64> = yardsticks::crossings(&cores)?
            .iter()
            .map(|pair| pair.ns)
            .collect();
        let crossing = Summary::of(&crossings).context(
            "with one core no cache line can cross: give the prices with --costs, or use a machine with two",
        )?;
        let (call, wake) = wake();
        Ok(Costs {
            task: batches(task),
            lock: batches(lock),
            crossing: crossing.median,
            nap: batches(|| {
                let start = Instant::now();
                thread::sleep(NAP);
                ns(start.elapsed())
            }),
            call,
            wake,
        })
    }
}

fn ns(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// The median of some batches.
fn batches(one: impl FnMut() -> f64) -> f64 {
    let all: Vec<f64> = std::iter::repeat_with(one).take(21).collect();
    Summary::of(&all).map_or(0.0, |summary| summary.median)
}

/// A task on the runtime without locks.
fn task() -> f64 {
    const TASKS: u32 = 1_000;
    let rt = RoundRobin::builder().max_tasks(2_048).build();
    let Ok(rt) = rt else { return 0.0 };
    rt.run(|| {
        let batch = || {
            let start = Instant::now();
            let handles: Vec<_> = (0..TASKS).map(|_| rt.spawn(|| ())).collect();
            let ended = handles
                .into_iter()
                .filter_map(|handle| handle.join().ok())
                .count();
            assert_eq!(ended, TASKS as usize, "a task of nothing cannot fail");
            ns(start.elapsed()) / f64::from(TASKS)
        };
        batch(); // to warm up
        batch()
    })
}

/// A lock around a queue, without anybody else.
fn lock() -> f64 {
    const TIMES: u32 = 10_000;
    let queue = Mutex::new(std::collections::VecDeque::with_capacity(4));
    let start = Instant::now();
    for n in 0..TIMES {
        let mut queue = queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match queue.pop_front() {
            Some(_) => {}
            None => queue.push_back(std::hint::black_box(n)),
        }
    }
    ns(start.elapsed()) / f64::from(TIMES)
}

/// The call that wakes a thread, and how long it takes until that runs.
fn wake() -> (f64, f64) {
    const TIMES: usize = 41;
    let bed = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let barrier = Arc::new(Barrier::new(2));
    let (awake, when) = mpsc::channel();
    let sleeper = {
        let (bed, barrier) = (bed.clone(), barrier.clone());
        thread::spawn(move || {
            for round in 1..=TIMES {
                barrier.wait();
                let calls = bed
                    .0
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let woken = bed.1.wait_while(calls, |calls| *calls < round);
                drop(woken);
                if awake.send(Instant::now()).is_err() {
                    return;
                }
            }
        })
    };
    let (mut calls, mut wakes) = (Vec::new(), Vec::new());
    for round in 1..=TIMES {
        barrier.wait();
        // It should be asleep when it is called; if it is not yet, this one is short, and the median does not care.
        thread::sleep(Duration::from_micros(500));
        *bed.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = round;
        let start = Instant::now();
        bed.1.notify_one();
        calls.push(ns(start.elapsed()));
        if let Ok(then) = when.recv() {
            wakes.push(ns(then.saturating_duration_since(start)));
        }
    }
    let _ = sleeper.join();
    let median = |all: &[f64]| Summary::of(all).map_or(0.0, |summary| summary.median);
    (median(&calls), median(&wakes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_is_found() {
        let Ok(Costs {
            task,
            lock,
            crossing,
            nap,
            call,
            wake,
        }) = Costs::measure()
        else {
            return; // a machine with one core
        };
        assert!(
            [task, lock, crossing, nap, call, wake]
                .iter()
                .all(|price| *price > 0.0)
        );
        assert!(nap >= 5_000.0, "a sleep is never shorter than asked for");
    }
}
