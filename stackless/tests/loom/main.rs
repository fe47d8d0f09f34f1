//! The two parts that other threads reach, explored by the model checker loom: `src/inbox.rs`, the library's own file.
//!
//! Everything else of the executor is one thread's business: cells that are not `Sync`, behind types that are not
//! `Send`. There is nothing to explore there, and the compiler says so.
//!
//! What loom cannot see: stores are not reordered before earlier loads, and a condition variable never wakes for no
//! reason.

#![allow(dead_code, unreachable_pub)]

#[path = "../../src/inbox.rs"]
mod inbox;
#[path = "../../../step01-threads/tests/loom/model.rs"]
mod model;

mod sync {
    pub use loom::sync::atomic;
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
}

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

use inbox::{Inbox, Queued};
use model::{Bound, explore};

/// A task of the model: what wakers write, and the word.
struct Task {
    written: AtomicUsize,
    queued: Queued,
}

/// What [`stackless::run`] does with one task that waits until `wanted` is written. Returns the number of polls.
fn run(task: &Arc<Task>, inbox: &Inbox<Arc<Task>>, wanted: usize) -> usize {
    let mut polls = 0;
    let mut queue = vec![task.clone()];
    loop {
        let next = match queue.pop() {
            Some(next) => next,
            None => {
                queue = inbox.wait().expect("somebody is outside");
                continue;
            }
        };
        assert!(next.queued.lower(), "whatever is in a queue says so");
        polls += 1;
        // Relaxed: the word alone has to make it visible.
        if next.written.load(Relaxed) == wanted {
            return polls;
        }
    }
}

// ANCHOR: model
/// Two threads write and wake. Whatever the order, the task is polled when both have written, and sees both.
#[test]
fn no_wake_up_is_lost() {
    explore("inbox, two wakers", Bound::Preemptions(3), 100, || {
        let inbox = Arc::new(Inbox::new());
        let task = Arc::new(Task {
            written: AtomicUsize::new(0),
            queued: Queued::raised(),
        });
        let wakers = [1, 2].map(|bit| {
            inbox.go_out();
            let (inbox, task) = (inbox.clone(), task.clone());
            thread::spawn(move || {
                task.written.fetch_add(bit, Relaxed);
                if task.queued.raise() {
                    inbox.put(task);
                }
                inbox.come_in();
            })
        });
        let polls = run(&task, &inbox, 3);
        assert!(polls <= 3, "{polls} polls for two wake-ups");
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}
// ANCHOR_END: model

/// The word alone publishes: a poll that comes after the waker's raise sees what the waker wrote.
#[test]
fn the_word_publishes() {
    explore("queued, publishes", Bound::Complete, 2, || {
        let queued = Arc::new(Queued::raised());
        assert!(queued.lower());
        let data = Arc::new(UnsafeCell::new(0));
        let waker = thread::spawn({
            let (queued, data) = (queued.clone(), data.clone());
            move || {
                // SAFETY: read only after a `lower` that comes after the `raise` below.
                data.with_mut(|data| unsafe { *data = 7 });
                assert!(queued.raise());
            }
        });
        if queued.lower() {
            // SAFETY: the waker's raise came before this `lower`, and it has written before that.
            data.with(|data| assert_eq!(unsafe { *data }, 7));
        }
        waker.join().unwrap();
    });
}

/// The last one outside comes in at the very moment when the executor falls asleep: it finds out.
#[test]
fn the_end_of_the_last_one_outside_is_noticed() {
    explore("inbox, nobody outside", Bound::Complete, 3, || {
        let inbox: Arc<Inbox<()>> = Arc::new(Inbox::new());
        inbox.go_out();
        let outside = thread::spawn({
            let inbox = inbox.clone();
            move || inbox.come_in()
        });
        assert_eq!(inbox.wait(), None);
        outside.join().unwrap();
    });
}

/// A wake-up and the end of the one who brought it: what was put in before is found before anybody cries deadlock.
#[test]
fn what_was_brought_last_is_found() {
    explore("inbox, brought and gone", Bound::Complete, 3, || {
        let inbox = Arc::new(Inbox::new());
        inbox.go_out();
        let outside = thread::spawn({
            let inbox = inbox.clone();
            move || {
                inbox.put(7);
                inbox.come_in();
            }
        });
        assert_eq!(inbox.wait(), Some(vec![7]));
        outside.join().unwrap();
    });
}
