//! Judges a loom model by schedulers of which some have a bug, and the mended scheduler by a model of our own.

use std::sync::Arc;

use loom::cell::UnsafeCell;

mod sync {
    pub(crate) use loom::sync::{Mutex, atomic};
    pub(crate) use loom::thread;
}

#[path = "../../tests/with_loom.rs"]
mod with_loom;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub)]
mod exercise;

#[path = "broken.rs"]
#[allow(unused)]
mod broken;

use sync::atomic::AtomicU8;
use sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use with_loom::{explore, in_every_order};

/// A scheduler with one task, which is in the queue in the beginning, and parks at the end of each turn.
pub(crate) trait Scheduler: Send + Sync + 'static {
    /// With the task in the queue.
    fn new() -> Self;

    /// A worker looks into the queue. If the task is there it has a turn. True if it had.
    fn work(&self) -> bool;

    /// Anybody: queues the task if it is parked, or leaves a token.
    fn unpark(&self);
}

/// A task's stack. To run on it is to write on it, from `enter` to `leave`; two that do so at a time, or one that does not
/// see what the one before has written, end the run.
#[derive(Debug)]
pub(crate) struct Stack(UnsafeCell<u32>);

// SAFETY: loom checks each access.
unsafe impl Sync for Stack {}
// SAFETY: as above.
unsafe impl Send for Stack {}

/// A worker is on the stack.
#[must_use = "a worker that goes to a stack leaves it again"]
pub(crate) struct OnStack<'a>(&'a Stack);

impl Stack {
    pub(crate) fn new() -> Self {
        Stack(UnsafeCell::new(0))
    }

    /// The worker goes to the task's stack.
    pub(crate) fn enter(&self) -> OnStack<'_> {
        self.write();
        OnStack(self)
    }

    fn write(&self) {
        self.0.with_mut(|words| {
            // SAFETY: loom panics if somebody else is there.
            unsafe { *words += 1 };
        });
    }
}

impl OnStack<'_> {
    /// Back to the worker's own stack. The last that is written on the task's are its registers.
    pub(crate) fn leave(self) {}
}

impl Drop for OnStack<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.write();
        }
    }
}

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// What may be wrong with the park at the end of a turn, `N` says which.
struct Other<const N: u32> {
    queued: sync::Mutex<bool>,
    word: AtomicU8,
    stack: Stack,
}

const RIGHT: u32 = 0;
const LOSES: u32 = 1;
const REPEATS: u32 = 2;

impl<const N: u32> Scheduler for Other<N> {
    fn new() -> Self {
        Other {
            queued: sync::Mutex::new(true),
            word: AtomicU8::new(RUNNING),
            stack: Stack::new(),
        }
    }

    fn work(&self) -> bool {
        if !std::mem::take(&mut *self.queued.lock().unwrap()) {
            return false;
        }
        self.stack.enter().leave();
        if N == LOSES {
            // A token that has come in the meantime is overwritten.
            self.word.store(PARKED, Release);
        } else if self
            .word
            .compare_exchange(RUNNING, PARKED, Release, Relaxed)
            .is_err()
        {
            if N != REPEATS {
                self.word.swap(RUNNING, Acquire);
            }
            *self.queued.lock().unwrap() = true;
        }
        true
    }

    fn unpark(&self) {
        let mut seen = self.word.load(Relaxed);
        loop {
            let next = if seen == PARKED { RUNNING } else { NOTIFIED };
            match self.word.compare_exchange(seen, next, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if seen == PARKED {
            *self.queued.lock().unwrap() = true;
        }
    }
}

/// The learner's model, with a scheduler. With three preemptions at most: these bugs need one.
fn modelled<S: Scheduler>() -> Result<usize, (usize, String)> {
    let result = explore(3, exercise::model::<S>);
    if let Err((_, report)) = &result
        && report.starts_with("not yet implemented")
    {
        panic!("{report}");
    }
    result
}

fn must_fail<S: Scheduler>(says: &str) {
    match modelled::<S>() {
        Ok(orders) => panic!("{says} (it tried {orders} orders)"),
        Err((order, report)) => println!("found in order number {order}: {report}"),
    }
}

#[test]
fn the_model_finds_the_bug_of_the_scheduler_as_it_was_found() {
    must_fail::<broken::Found>(
        "your model finds nothing wrong with the scheduler as it was found: who may come to the stack, and when?",
    );
}

#[test]
fn the_model_fails_with_no_scheduler_that_has_no_bug() {
    match modelled::<Other<RIGHT>>() {
        Ok(orders) => println!("{orders} orders"),
        Err((order, report)) => panic!(
            "your model fails with a scheduler that has no bug: it asks for too much\n(in order number {order}: {report})"
        ),
    }
}

#[test]
fn the_model_finds_a_lost_wake_up() {
    must_fail::<Other<LOSES>>(
        "your model finds nothing wrong with a scheduler that loses the wake-up: what must be true in the end?",
    );
}

#[test]
fn the_model_finds_a_wake_up_that_counts_twice() {
    must_fail::<Other<REPEATS>>(
        "your model finds nothing wrong with a scheduler whose task runs again and again after one unpark",
    );
}

/// Our own model: one turn, and so many that unpark and work.
fn turns_are_right<S: Scheduler>(wakers: usize) {
    let scheduler = Arc::new(S::new());
    let wakers = (0..wakers).map(|_| {
        let scheduler = scheduler.clone();
        loom::thread::spawn(move || {
            scheduler.unpark();
            usize::from(scheduler.work())
        })
    });
    let wakers: Vec<_> = wakers.collect();
    let most = 1 + wakers.len();
    let mut turns = usize::from(scheduler.work());
    for waker in wakers {
        turns += waker.join().unwrap();
    }
    while scheduler.work() {
        turns += 1;
        assert!(turns <= most, "more turns than wake-ups");
    }
    assert!(
        turns >= 2,
        "the task was unparked, and has had no turn since: the wake-up is lost"
    );
    assert!(turns <= most, "more turns than wake-ups");
}

const MENDED: &str =
    "in your scheduler two workers are on the stack, or a wake-up is lost or counts twice";

#[test]
fn the_mended_scheduler_is_right_with_one_waker() {
    in_every_order(4, 10, MENDED, || turns_are_right::<exercise::Mended>(1));
}

#[test]
fn the_mended_scheduler_is_right_with_two_wakers() {
    in_every_order(2, 50, MENDED, || turns_are_right::<exercise::Mended>(2));
}

/// Ours, on itself: it must find what it is to find, too.
#[test]
fn our_own_model_finds_all_three() {
    assert!(explore(4, || turns_are_right::<Other<RIGHT>>(1)).is_ok());
    let found = [
        explore(4, || turns_are_right::<broken::Found>(1)),
        explore(4, || turns_are_right::<Other<LOSES>>(1)),
        explore(4, || turns_are_right::<Other<REPEATS>>(1)),
    ];
    assert!(found.iter().all(Result::is_err), "{found:?}");
}
