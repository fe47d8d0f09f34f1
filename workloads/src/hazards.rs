//! What can go wrong when tasks move between threads, as bodies of tests: each stage that moves them runs them.
//!
//! - [`who_am_i`]: a task that has parked may go on, on another thread. What it then asks of its thread must come from that
//!   thread, and what it asks of itself must be the same as before.
//! - [`no_switch_in_a_panic`]: std counts panics for each thread. So a task that panics stays on its thread until it
//!   has caught the panic or has ended.
//! - [`our_lock_across_a_switch`]: a lock of step 1's may be held while the task waits; another task that wants it waits
//!   as a task does.
//! - [`their_lock_across_a_park`]: std's lock may not. It blocks the thread of whoever wants it, and this example hangs.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use step01::{JoinHandle, Mutex, Runtime, Unparker, bounded, park};

thread_local! {
    static HERE: Cell<i32> = const { Cell::new(0) };
}

/// The kernel's number for this thread.
fn thread_number() -> i32 {
    // SAFETY: it asks the kernel, and touches no memory.
    unsafe { libc::gettid() }
}

// ANCHOR: thread_here
/// What this thread has written down as its number, at the first call. Not inlined: a function that asks twice, with
/// a park between, could be given the first thread's answer again.
#[inline(never)]
fn thread_here() -> i32 {
    if HERE.get() == 0 {
        HERE.set(thread_number());
    }
    HERE.get()
}
// ANCHOR_END: thread_here

fn name_of(task: Unparker) -> String {
    format!("{task:?}")
}

/// So many pairs of tasks wake each other `turns` times, and in between yield, sleep and wait for deadlines. After each
/// stop every task looks at who and where it is. Returns how often one found itself on another thread than before.
///
/// # Panics
///
/// If a task has taken itself for another, or its thread for another.
pub fn who_am_i<R: Runtime>(rt: &R, pairs: usize, turns: u64) -> u64 {
    let moved = Arc::new(AtomicU64::new(0));
    rt.run(|| {
        let tasks: Vec<JoinHandle<()>> = (0..pairs)
            .flat_map(|_| {
                let (left, right) = (bounded::<Unparker>(1), bounded::<Unparker>(1));
                let turn = Arc::new(AtomicU64::new(0));
                [(0, left.0, right.1), (1, right.0, left.1)].map(|(side, tell, hear)| {
                    let (rt2, moved, turn) = (rt.clone(), moved.clone(), turn.clone());
                    rt.spawn(move || {
                        tell.send(park::current()).expect("the partner is there");
                        let partner = hear.recv().expect("the partner is there");
                        let mut me = Me::new(moved);
                        while turn.load(SeqCst) < turns {
                            match turn.load(SeqCst) {
                                now if now % 2 == side => {
                                    turn.store(now + 1, SeqCst);
                                    partner.unpark();
                                    if now.is_multiple_of(7) {
                                        rt2.yield_now();
                                        me.looks_around();
                                    }
                                }
                                // A deadline that is not met, as a rule, and must be taken back on another thread.
                                now if now.is_multiple_of(5) => {
                                    park::park_until(Instant::now() + Duration::from_secs(3600));
                                }
                                _ => park::park(),
                            }
                            me.looks_around();
                        }
                        partner.unpark();
                    })
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap_or_else(|error| error.resume());
        }
    });
    moved.load(Relaxed)
}

/// What a task has found out about itself.
struct Me {
    name: String,
    thread: i32,
    moved: Arc<AtomicU64>,
}

impl Me {
    fn new(moved: Arc<AtomicU64>) -> Me {
        Me {
            name: name_of(park::current()),
            thread: thread_here(),
            moved,
        }
    }

    // ANCHOR: looks_around
    fn looks_around(&mut self) {
        let (here, truth) = (thread_here(), thread_number());
        assert_eq!(here, truth, "a thread-local of another thread was read");
        assert_eq!(
            name_of(park::current()),
            self.name,
            "a task was taken for another"
        );
        if here != self.thread {
            self.thread = here;
            // Relaxed: a count, read after all tasks were joined.
            self.moved.fetch_add(1, Relaxed);
        }
    }
    // ANCHOR_END: looks_around
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Tasks panic, and yield in a destructor that runs meanwhile. Each is on the same thread before and after, the thread is
/// panicking all the time, and for no other task, and the task goes on to move as before when it has caught its panic.
///
/// # Panics
///
/// If one of these is not so.
pub fn no_switch_in_a_panic<R: Runtime>(rt: &R, tasks: usize, rounds: usize) {
    rt.run(|| {
        let tasks: Vec<JoinHandle<()>> = (0..tasks)
            .map(|_| {
                let rt2 = rt.clone();
                rt.spawn(move || {
                    for _ in 0..rounds {
                        let result = panic::catch_unwind(AssertUnwindSafe(|| {
                            let _yields = OnDrop(|| {
                                let before = thread_number();
                                for _ in 0..3 {
                                    rt2.yield_now();
                                    assert!(std::thread::panicking(), "the panic was left behind");
                                    assert_eq!(before, thread_number(), "it switched in a panic");
                                }
                            });
                            // Not `panic!`, whose hook would print it each time.
                            panic::resume_unwind(Box::new(()));
                        }));
                        assert!(result.is_err());
                        assert!(!std::thread::panicking(), "somebody else's panic");
                        rt2.yield_now();
                        assert!(!std::thread::panicking(), "somebody else's panic");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap_or_else(|error| error.resume());
        }
    });
}

/// Tasks hold a lock of step 1's while they yield and sleep. They all get it, one at a time.
///
/// # Panics
///
/// If two have had it at once.
pub fn our_lock_across_a_switch<R: Runtime>(rt: &R, tasks: u64, rounds: u64) {
    let count = rt.run(|| {
        let lock = Arc::new(Mutex::new(0));
        let tasks: Vec<JoinHandle<()>> = (0..tasks)
            .map(|n| {
                let (rt2, lock) = (rt.clone(), lock.clone());
                rt.spawn(move || {
                    for round in 0..rounds {
                        let mut held = lock.lock();
                        let before = *held;
                        match (round + n) % 4 {
                            0 => rt2.sleep(Duration::from_micros(10)),
                            _ => rt2.yield_now(),
                        }
                        *held = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap_or_else(|error| error.resume());
        }
        *lock.lock()
    });
    assert_eq!(count, tasks * rounds, "two had the lock at once");
}

// ANCHOR: their_lock
/// The same with std's lock, and it hangs: a task holds it and parks, and as many others as there are workers want it.
/// Each of them blocks its worker's thread, and nobody is left to run the task that would give it back. Calls `all_wait`
/// when each worker is about to be blocked. Does not return.
pub fn their_lock_across_a_park<R: Runtime>(rt: &R, workers: usize, all_wait: fn()) {
    rt.run(|| {
        let lock = Arc::new(std::sync::Mutex::new(()));
        let (rt2, theirs) = (rt.clone(), lock.clone());
        let waiting = Arc::new(AtomicU64::new(0));
        let (locked, is_locked) = bounded::<()>(1);
        let count = waiting.clone();
        let holder = rt.spawn(move || {
            let held = theirs.lock();
            locked.send(()).expect("somebody listens");
            while count.load(SeqCst) < workers as u64 {
                rt2.yield_now(); // held across a switch
            }
            drop(held);
        });
        is_locked.recv().expect("the holder has it");
        let tasks: Vec<JoinHandle<()>> = (0..workers)
            .map(|_| {
                let (lock, waiting) = (lock.clone(), waiting.clone());
                rt.spawn(move || {
                    if waiting.fetch_add(1, SeqCst) + 1 == workers as u64 {
                        all_wait();
                    }
                    drop(lock.lock());
                })
            })
            .collect();
        for task in tasks.into_iter().chain([holder]) {
            task.join().unwrap_or_else(|error| error.resume());
        }
    });
}
// ANCHOR_END: their_lock
