//! Everything at once on one thread for all tasks: short in `cargo test`, long in `.ci/run` (`--ignored`).
//!
//! The scripts are those of every stage (`workloads::soak`): spawns, joins, panics, timers, channels, locks, scopes. This
//! stage adds what only it can get wrong. *Foreign threads* spawn tasks into the runtime, wake them by channels and by
//! bare unparks, and are cut off in the middle when the runtime ends. *Deep calls* touch stacks far down, so that the
//! pool has something to trim. A *conversation* over sockets makes descriptors come and go.
//!
//! Each round has a runtime of its own. After two rounds, in which heap and tables grow to what they need, the process is
//! measured, and at the end again: descriptors and threads are as many as before, and neither mappings nor memory have
//! grown. A stack that is not unmapped, a descriptor that is not closed, a task that is not freed shows itself here.

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use step01::{JoinError, Net, NetListener, Runtime, bounded, park};
use step02::RoundRobin;
use workloads::soak::Soak;
use workloads::testing::Watchdog;

/// How much more memory may be resident after all rounds than before, in bytes. The heap keeps some, here and there.
const MEMORY_SLACK: u64 = 1 << 20;

/// How many mappings there may be more. libc keeps the stacks of ended threads for the next ones, and it is chance
/// whether they lie side by side. Less than one for each round that is measured.
const MAPPING_SLACK: u64 = 16;

/// Threads beside the runtime's.
const FOREIGN: u64 = 3;

/// What a process has that can leak.
#[derive(Debug)]
struct Footprint {
    descriptors: u64,
    threads: u64,
    mappings: u64,
    resident: u64,
}

impl Footprint {
    fn now() -> Footprint {
        // SAFETY: it gives free memory back to the kernel, and nothing else.
        unsafe { libc::malloc_trim(0) };
        let entries = |path: &str| fs::read_dir(path).unwrap().count() as u64;
        let text = |path: &str| fs::read_to_string(path).unwrap();
        let rollup = text("/proc/self/smaps_rollup");
        let resident = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes = resident.unwrap().trim().trim_end_matches(" kB").trim();
        Footprint {
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            mappings: text("/proc/self/maps").lines().count() as u64,
            resident: kilobytes.parse::<u64>().unwrap() << 10,
        }
    }

    /// # Panics
    ///
    /// If there is more than `before`.
    fn is_no_more_than(&self, before: &Footprint) {
        let both = format!("before: {before:?}, after: {self:?}");
        assert!(self.descriptors <= before.descriptors, "{both}");
        assert!(self.threads <= before.threads, "{both}");
        assert!(self.mappings <= before.mappings + MAPPING_SLACK, "{both}");
        assert!(self.resident <= before.resident + MEMORY_SLACK, "{both}");
    }
}

/// What the foreign threads of all rounds have seen.
#[derive(Debug, Default)]
struct Seen {
    /// Values that came back from a task.
    echoes: AtomicU64,
    /// Tasks that were woken without a channel, and ended.
    unparked: AtomicU64,
    /// Tasks that their runtime ended.
    cancelled: AtomicU64,
}

#[inline(never)]
fn deep(levels: u64) -> u64 {
    let frame = black_box([levels; 64]);
    match levels {
        0 => frame[1],
        _ => deep(levels - 1) + frame[2],
    }
}

/// A thread that the runtime knows nothing of. It goes on until it is told to stop.
fn foreign(rt: &RoundRobin, seen: &Seen, stop: &AtomicBool, n: u64) {
    let mut turn = n;
    while !stop.load(Relaxed) {
        turn += 1;
        let cancelled = if turn.is_multiple_of(2) {
            echo(rt, seen, turn)
        } else {
            unpark(rt, seen)
        };
        seen.cancelled.fetch_add(u64::from(cancelled), Relaxed);
    }
}

/// A task that gives back what it gets, from some way down its stack. True if it was cancelled.
fn echo(rt: &RoundRobin, seen: &Seen, turn: u64) -> bool {
    let (to, theirs) = bounded::<u64>(0);
    let (back, from) = bounded::<u64>(0);
    let task = rt.spawn(move || {
        let sum = deep(turn % 100);
        for value in theirs {
            if back.send(value + 1).is_err() {
                break;
            }
        }
        sum
    });
    for value in 0..5 {
        if to.send(value).is_err() {
            break; // its runtime has ended it
        }
        match from.recv() {
            Ok(answer) => assert_eq!(answer, value + 1),
            Err(_) => break,
        }
        seen.echoes.fetch_add(1, Relaxed);
    }
    drop((to, from));
    match task.join() {
        Ok(sum) => {
            assert_eq!(sum, (0..=turn % 100).sum::<u64>());
            false
        }
        Err(JoinError::Cancelled) => true,
        Err(other) => other.resume(),
    }
}

/// A task that parks until a flag is set, and is woken more often than it needs to be. True if it was cancelled.
fn unpark(rt: &RoundRobin, seen: &Seen) -> bool {
    let flag = Arc::new(AtomicBool::new(false));
    let (name, named) = bounded(1);
    let task = {
        let flag = Arc::clone(&flag);
        rt.spawn(move || {
            name.send(park::current()).unwrap();
            while !flag.load(Relaxed) {
                // Half of the time with a deadline, which is cancelled when the wake-up comes.
                park::park_until(Instant::now() + Duration::from_secs(3600));
                if !flag.load(Relaxed) {
                    park::park();
                }
            }
        })
    };
    if let Ok(task) = named.recv() {
        task.unpark(); // for nothing
        flag.store(true, Relaxed);
        task.unpark();
        task.unpark(); // the task may be gone by now; its place is not
    }
    match task.join() {
        Ok(()) => {
            seen.unparked.fetch_add(1, Relaxed);
            false
        }
        Err(JoinError::Cancelled) => true,
        Err(other) => other.resume(),
    }
}

/// Two tasks that talk over a socket; one of them is left in the middle of a read when its runtime ends.
fn conversation(rt: &RoundRobin) {
    let listener = rt.net().listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = {
        let rt = rt.clone();
        move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                drop(rt.spawn(move || {
                    let mut line = [0; 64];
                    while let Ok(len @ 1..) = stream.read(&mut line) {
                        if stream.write_all(&line[..len]).is_err() {
                            return;
                        }
                    }
                }));
            }
        }
    };
    drop(rt.spawn(server));
    let client = rt.clone();
    drop(rt.spawn(move || {
        let _idle = client.net().connect(address).unwrap();
        let mut stream = client.net().connect(address).unwrap();
        for turn in 0.. {
            let sent = [turn as u8; 64];
            let mut got = [0; 64];
            // An error is the end of the runtime, which has ended the other side first.
            let answered = stream
                .write_all(&sent)
                .and_then(|()| stream.read_exact(&mut got));
            if answered.is_err() {
                return;
            }
            assert_eq!(got, sent);
        }
    }));
}

/// A runtime from its start to its end.
fn round(soak: Soak, seen: &Seen) -> u64 {
    // Two tasks for each foreign thread are alive at most, and each lane has a family. The region is small, so that a
    // stack that does not come back is missed.
    let builder = RoundRobin::builder().max_tasks(1 << 14);
    let rt = builder.build().expect("sensible settings");
    let stop = AtomicBool::new(false);
    let tasks = thread::scope(|scope| {
        let threads: Vec<_> = (0..FOREIGN)
            .map(|n| {
                let (rt, stop) = (&rt, &stop);
                scope.spawn(move || foreign(rt, seen, stop, n))
            })
            .collect();
        conversation(&rt);
        let tally = soak
            .run(&rt)
            .unwrap_or_else(|difference| panic!("{difference}"));
        stop.store(true, Relaxed);
        // What they have spawned in the meantime is cancelled, so that they come to their end.
        while threads.iter().any(|thread| !thread.is_finished()) {
            rt.run(|| ());
        }
        assert!(tally.values > 0 && tally.panics > 0, "{tally:?}");
        tally.tasks
    });
    let counts = rt.stack_counts();
    assert_eq!(counts.returned, counts.opened + counts.reused, "{counts:?}");
    assert!(rt.timer_count() <= 64, "{} deadlines", rt.timer_count());
    tasks
}

fn soak(rounds: u64, tasks: u64) {
    let seed = match std::env::var("SEED") {
        Ok(text) => text.parse().expect("SEED must be a number"),
        Err(_) => u64::from(std::process::id()) << 20 ^ tasks,
    };
    println!("replay with SEED={seed}");
    // SAFETY: it sets a number. With one heap for all threads, mappings do not depend on which thread allocated when.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    let seen = Seen::default();
    let next = |number: u64| {
        let soak = Soak {
            tasks,
            lanes: 8,
            seed: seed.wrapping_add(number),
        };
        round(soak, &seen)
    };
    let threads = Footprint::now().threads;
    let settled = || {
        // The kernel takes ended threads down a moment after they were joined.
        while fs::read_dir("/proc/self/task").unwrap().count() as u64 > threads {
            thread::yield_now();
        }
        Footprint::now()
    };
    let mut ran = next(0) + next(1);
    let before = settled();
    ran += (2..rounds).map(next).sum::<u64>();
    let after = settled();
    after.is_no_more_than(&before);
    println!("{ran} tasks; {seen:?}; {before:?}, {after:?}");
    assert!(ran >= rounds * tasks);
    let Seen {
        echoes, unparked, ..
    } = seen;
    assert!(echoes.into_inner() > 0 && unparked.into_inner() > 0);
}

#[test]
fn short() {
    let _watchdog = Watchdog::new("soak");
    soak(40, 150);
}

#[test]
#[ignore = "long: .ci/run runs it"]
fn long() {
    soak(40, 25_000);
}
