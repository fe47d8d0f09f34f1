//! The end of a scope: `src/tally.rs`.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::model::{Bound, explore};
use crate::tally::Tally;

/// What tasks of a scope share with its owner: the tally, and something borrowed.
struct Frame {
    tally: Tally,
    borrowed: [UnsafeCell<usize>; 2],
}

// SAFETY: each task has a cell of its own, and the owner reads them when no task is left.
unsafe impl Sync for Frame {}
// SAFETY: numbers and atomics.
unsafe impl Send for Frame {}

impl Frame {
    /// A frame that is kept for as long as loom looks: touching it too late is then an error loom can report, and not a
    /// crash.
    fn new() -> Arc<Frame> {
        Arc::new(Frame {
            tally: Tally::new(),
            borrowed: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    fn task(frame: &Arc<Frame>, n: usize) -> thread::JoinHandle<()> {
        frame.tally.enter();
        let frame = frame.clone();
        thread::spawn(move || {
            // SAFETY: this task's own.
            frame.borrowed[n].with_mut(|cell| unsafe { *cell = 1 });
            // SAFETY: entered above, left once.
            unsafe { Tally::leave(&frame.tally) };
        })
    }

    /// Waits, and then uses what was borrowed as its owner may.
    fn end(&self) {
        self.tally.wait();
        for cell in &self.borrowed {
            // SAFETY: no task is left.
            cell.with_mut(|cell| unsafe { *cell += 1 });
        }
    }
}

/// One task: the owner is woken, wherever it is, and nobody touches the frame behind its back.
#[test]
fn one_task() {
    explore("tally, one task", Bound::Complete, 50, || {
        let frame = Frame::new();
        let task = Frame::task(&frame, 0);
        frame.end();
        task.join().unwrap();
    });
}

/// Two tasks end at once.
#[test]
fn two_tasks() {
    explore("tally, two tasks", Bound::Preemptions(3), 600, || {
        let frame = Frame::new();
        let tasks = [Frame::task(&frame, 0), Frame::task(&frame, 1)];
        frame.end();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

/// A task starts another one in the same scope, and ends first.
#[test]
fn task_of_a_task() {
    explore("tally, a task of a task", Bound::Complete, 8_000, || {
        let frame = Frame::new();
        frame.tally.enter();
        let parent = thread::spawn({
            let frame = frame.clone();
            move || {
                let child = Frame::task(&frame, 1);
                // SAFETY: this task's own.
                frame.borrowed[0].with_mut(|cell| unsafe { *cell = 1 });
                // SAFETY: entered above, left once.
                unsafe { Tally::leave(&frame.tally) };
                child
            }
        });
        frame.end();
        parent.join().unwrap().join().unwrap();
    });
}
