//! The soak for stages with several workers: everything at once, with few workers and with more than there are cores, again
//! and again, and nothing is left behind.
//!
//! The scripts are those of [`soak`](crate::soak). Beside them threads that are no workers spawn tasks and wake them, and
//! two tasks talk over a socket until their runtime ends them. Each round has a runtime of its own for each number of
//! workers. After the first two rounds, in which heap and tables grow to what they need, the process is measured, and at
//! the end again: descriptors and threads are as many as before, and neither mappings nor memory have grown.

use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use step01::{Net, NetListener, Runtime};

use crate::endings::talk_to_a_task;
use crate::soak::Soak;

/// How much more memory may be resident after all rounds than before, in bytes. The heap keeps some, here and there, and so
/// do headers, of which there are as many as there were ever tasks at a time.
const MEMORY_SLACK: u64 = 4 << 20;

/// How many mappings there may be more. libc keeps the stacks of ended threads for the next ones, and it is chance
/// whether they lie side by side.
const MAPPING_SLACK: u64 = 32;

/// Threads beside the runtime's.
const FOREIGN: usize = 2;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct LongRun {
    /// Numbers of workers, one runtime for each.
    pub workers: &'static [usize],
    /// How often; three at least, since two are for warming up.
    pub rounds: u64,
    /// Tasks to run with each runtime, at least.
    pub tasks: u64,
    /// Where the scripts come from.
    pub seed: u64,
}

/// What a process has that can leak.
#[derive(Debug)]
struct Footprint {
    descriptors: u64,
    threads: u64,
    mappings: u64,
    resident: u64,
}

fn entries(path: &str) -> u64 {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    entries.count() as u64
}

impl Footprint {
    fn now() -> Footprint {
        // SAFETY: it gives free memory back to the kernel, and nothing else.
        unsafe { libc::malloc_trim(0) };
        let text =
            |path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let rollup = text("/proc/self/smaps_rollup");
        let resident = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes = resident.map(|rest| rest.trim().trim_end_matches(" kB").trim());
        let kilobytes = kilobytes.and_then(|number| number.parse::<u64>().ok());
        Footprint {
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            mappings: text("/proc/self/maps").lines().count() as u64,
            resident: kilobytes.expect("a line with Rss, in kilobytes") << 10,
        }
    }

    fn is_no_more_than(&self, before: &Footprint) {
        let both = format!("before: {before:?}, after: {self:?}");
        assert!(self.descriptors <= before.descriptors, "{both}");
        assert!(self.threads <= before.threads, "{both}");
        assert!(self.mappings <= before.mappings + MAPPING_SLACK, "{both}");
        assert!(self.resident <= before.resident + MEMORY_SLACK, "{both}");
    }
}

impl LongRun {
    /// The seed: the variable SEED of the environment, or one of this process's own, which is printed.
    ///
    /// # Panics
    ///
    /// If SEED is not a number.
    pub fn seed() -> u64 {
        let seed = match std::env::var("SEED") {
            Ok(text) => text.parse().expect("SEED must be a number"),
            Err(_) => u64::from(std::process::id()) << 20 ^ u64::from(line!()),
        };
        println!("replay with SEED={seed}");
        seed
    }

    /// Does it, with runtimes that `make` makes for a number of workers. Returns how many tasks there were. Nothing else
    /// may go on in the process.
    ///
    /// # Panics
    ///
    /// If two counts of the scripts disagree, an answer is wrong, or something has leaked.
    pub fn run<R: Runtime>(self, make: impl Fn(usize) -> R) -> u64 {
        assert!(self.rounds > 2, "two rounds are for warming up");
        // SAFETY: it sets a number. With one heap for all threads, mappings do not depend on which thread allocated when.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
        let (ended, cut_off) = (AtomicU64::new(0), AtomicU64::new(0));
        let threads = entries("/proc/self/task");
        let round = |number: u64| -> u64 {
            let runtimes = self.workers.iter().map(|workers| {
                let soak = Soak {
                    tasks: self.tasks,
                    lanes: 16 * *workers as u64,
                    seed: self.seed.wrapping_add(number * 64 + *workers as u64),
                };
                one(make(*workers), soak, &ended, &cut_off)
            });
            let ran = runtimes.sum();
            // The kernel takes ended threads down a moment after they were joined.
            while entries("/proc/self/task") > threads {
                thread::yield_now();
            }
            ran
        };
        let warm = round(0) + round(1);
        let before = Footprint::now();
        let ran = warm + (2..self.rounds).map(round).sum::<u64>();
        let after = Footprint::now();
        after.is_no_more_than(&before);
        println!(
            "{ran} tasks; from outside {ended:?} ended, {cut_off:?} cut off; {before:?}, {after:?}"
        );
        assert!(ended.into_inner() > 0, "no task was spawned from outside");
        ran
    }
}

/// A runtime from its start to its end.
fn one<R: Runtime>(rt: R, soak: Soak, ended: &AtomicU64, cut_off: &AtomicU64) -> u64 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..FOREIGN)
            .map(|_| {
                let (rt, stop) = (&rt, &stop);
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        match talk_to_a_task(rt) {
                            Some(true) => ended.fetch_add(1, Relaxed),
                            Some(false) => cut_off.fetch_add(1, Relaxed),
                            None => 0,
                        };
                        thread::yield_now();
                    }
                })
            })
            .collect();
        conversation(&rt);
        let tally = soak.run(&rt);
        stop.store(true, Relaxed);
        // What they have spawned in the meantime is cancelled, so that they come to their end.
        while threads.iter().any(|thread| !thread.is_finished()) {
            rt.run(|| ());
        }
        let tally = tally.unwrap_or_else(|difference| panic!("{difference}"));
        assert!(tally.values > 0 && tally.panics > 0, "{tally:?}");
        tally.tasks
    })
}

/// Two tasks that talk over a socket; the end of their runtime finds them in the middle of a read.
fn conversation<R: Runtime>(rt: &R) {
    let listener = rt.net().listen("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    drop(rt.spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let mut line = [0; 64];
        while let Ok(len @ 1..) = stream.read(&mut line) {
            if stream.write_all(&line[..len]).is_err() {
                return;
            }
        }
    }));
    let client = rt.clone();
    drop(rt.spawn(move || {
        let mut stream = client.net().connect(address).expect("it listens");
        let (sent, mut got) = ([7; 64], [0; 64]);
        // An error is the end of the runtime, which has ended the other side first.
        while stream.write_all(&sent).is_ok() && stream.read_exact(&mut got).is_ok() {
            assert_eq!(got, sent);
        }
    }));
}
