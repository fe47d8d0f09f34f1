//! Three short measurements that say what kind of machine this is: how long a cache line takes from core to core, what
//! a function call costs, and what the cheapest system call costs.
//!
//! Two cores of one virtual machine are sometimes neighbours and sometimes not, and what two workers say to each other
//! costs two to three times as much in the second case. So the crossing is measured with every run and printed beside
//! it, once before and once after: the host may move the cores in between.
//!
//! # The crossing
//!
//! Two threads, each pinned to a core of its own, write to one word in turn. A line that is written by one core and
//! read by the other has to cross; a round is two crossings. Many short batches are timed. A batch in which one of the
//! two lost its core to somebody else says nothing about caches and takes many times as long, so batches far above the
//! fastest are left out, and the median of the others is reported.

use std::hint::{black_box, spin_loop};
use std::io;
use std::mem;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::stats::Summary;

/// How long a cache line takes from one core to another.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Crossing {
    /// The number of one core.
    pub(crate) from: usize,
    /// The number of the other.
    pub(crate) to: usize,
    /// Nanoseconds one way.
    pub(crate) ns: f64,
}

/// Rounds in one batch: some hundred microseconds.
const ROUNDS: u32 = 1_000;
/// Batches of which the median is taken.
const BATCHES: usize = 31;
/// After this time no further batch is begun.
const PATIENCE: Duration = Duration::from_millis(150);
/// A batch that took so many times as long as the fastest was interrupted.
const INTERRUPTED: f64 = 4.0;
/// With more cores than this, not all pairs are measured.
const ALL_PAIRS_UP_TO: usize = 4;

/// The word that goes back and forth, alone in its cache line and in the one that is fetched with it.
#[repr(align(128))]
struct Line(AtomicU32);

/// What the leader writes when there are no more batches.
const STOP: u32 = u32::MAX;

/// The numbers of the cores that this process may use.
pub(crate) fn allowed_cores() -> io::Result<Vec<usize>> {
    // SAFETY: a `cpu_set_t` is an array of integers, for which all zeros is a value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is as large as said.
    let code = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set) };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the number stays below the size of the set.
    let is_set = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(is_set).collect())
}

/// Pins the calling thread to one core.
fn pin(core: usize) -> io::Result<()> {
    // SAFETY: as in `allowed_cores`.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `allowed_cores` has given only numbers below the size of the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set is as large as said, and the call changes the calling thread alone.
    match unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The pairs to measure: all of them on a small machine, otherwise the first core with its neighbour, with the one half
/// way, and with the last.
fn pairs(cores: &[usize]) -> Vec<(usize, usize)> {
    let n = cores.len();
    let mut pairs: Vec<(usize, usize)> = if n <= ALL_PAIRS_UP_TO {
        let with_later = |i: usize| (i + 1..n).map(move |j| (cores[i], cores[j]));
        (0..n).flat_map(with_later).collect()
    } else {
        [1, n / 2, n - 1].map(|j| (cores[0], cores[j])).to_vec()
    };
    pairs.dedup();
    pairs
}

/// Measures the crossing between pairs of the given cores. Takes a few hundredths of a second for each pair. Empty on a
/// machine with one core.
pub(crate) fn crossings(cores: &[usize]) -> io::Result<Vec<Crossing>> {
    let one = |(from, to)| crossing(from, to).map(|ns| Crossing { from, to, ns });
    pairs(cores).into_iter().map(one).collect()
}

/// Nanoseconds one way between two cores.
fn crossing(from: usize, to: usize) -> io::Result<f64> {
    let line = Line(AtomicU32::new(0));
    thread::scope(|scope| {
        let follower = scope.spawn(|| {
            // If it cannot be pinned it follows all the same, so that the leader does not wait for ever.
            let pinned = pin(to);
            follow(&line.0);
            pinned
        });
        let leader = scope.spawn(|| {
            let pinned = pin(from);
            let batches = lead(&line.0);
            pinned.map(|()| batches)
        });
        let batches = leader.join().expect("the leader does not panic")?;
        follower.join().expect("the follower does not panic")?;
        Ok(median_of_uninterrupted(batches))
    })
}

fn median_of_uninterrupted(mut batches: Vec<f64>) -> f64 {
    let fastest = batches.iter().copied().fold(f64::INFINITY, f64::min);
    batches.retain(|ns| *ns <= INTERRUPTED * fastest);
    Summary::of(&batches).map_or(0.0, |summary| summary.median)
}

/// Writes odd numbers, waits for the even ones that answer them; returns nanoseconds per crossing of each batch.
fn lead(line: &AtomicU32) -> Vec<f64> {
    let begin = Instant::now();
    let mut next = 0;
    let mut batches = Vec::with_capacity(BATCHES);
    while batches.len() < BATCHES && (batches.is_empty() || begin.elapsed() < PATIENCE) {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            // Release and Acquire pair with `follow`'s: with no other data to publish they only keep the order plain.
            line.store(next + 1, Release);
            next += 2;
            while line.load(Acquire) != next {
                spin_loop();
            }
        }
        batches.push(start.elapsed().as_nanos() as f64 / f64::from(2 * ROUNDS));
    }
    line.store(STOP, Release);
    batches
}

/// Answers each odd number with the next even one.
fn follow(line: &AtomicU32) {
    let mut seen = 0;
    loop {
        // Pairs with `lead`'s, as said there.
        let now = line.load(Acquire);
        if now == STOP {
            return;
        }
        if now == seen + 1 {
            seen += 2;
            line.store(seen, Release);
        } else {
            spin_loop();
        }
    }
}

/// Nanoseconds of a call of a function that does next to nothing and is not inlined.
pub(crate) fn function_call() -> f64 {
    #[inline(never)]
    fn callee(x: u64) -> u64 {
        black_box(x) + 1
    }
    // Through a pointer that the compiler cannot see through, or it would look inside.
    let callee: fn(u64) -> u64 = black_box(callee);
    median_call(10_000, callee)
}

/// Nanoseconds of the cheapest system call, `getppid`: the way into the kernel and back.
pub(crate) fn system_call() -> f64 {
    median_call(1_000, |x| {
        // SAFETY: the call takes no argument and cannot fail.
        x + unsafe { libc::getppid() } as u64
    })
}

/// The median over batches of what one call costs, each call waiting for the one before.
fn median_call(calls: u64, mut f: impl FnMut(u64) -> u64) -> f64 {
    let mut batch = || {
        let start = Instant::now();
        let mut x = 0;
        for _ in 0..calls {
            x = f(x);
        }
        black_box(x);
        start.elapsed().as_nanos() as f64 / calls as f64
    };
    batch();
    let batches: Vec<f64> = (0..BATCHES).map(|_| batch()).collect();
    Summary::of(&batches).map_or(0.0, |summary| summary.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_cores_are_all_measured_and_many_are_sampled() {
        assert_eq!(pairs(&[0]), []);
        assert_eq!(pairs(&[0, 3]), [(0, 3)]);
        assert_eq!(pairs(&[0, 1, 2]), [(0, 1), (0, 2), (1, 2)]);
        let many: Vec<usize> = (10..74).collect();
        assert_eq!(pairs(&many), [(10, 11), (10, 42), (10, 73)]);
    }

    #[test]
    fn interrupted_batches_do_not_count() {
        assert_eq!(
            median_of_uninterrupted(vec![900.0, 40.0, 800.0, 44.0, 42.0, 700.0, 999.0]),
            42.0
        );
        assert_eq!(median_of_uninterrupted(Vec::new()), 0.0);
    }

    #[test]
    fn a_leader_and_a_follower_come_to_an_end() {
        let line = AtomicU32::new(0);
        let batches = thread::scope(|scope| {
            scope.spawn(|| follow(&line));
            lead(&line)
        });
        assert!(!batches.is_empty());
        assert!(batches.iter().all(|ns| *ns > 0.0));
    }
}
