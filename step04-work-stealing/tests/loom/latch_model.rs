//! The latch: who waits for a stolen job is woken, sees what it did, and may let its frame go.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::latch::Latch;
use crate::model::{Bound, explore};

/// The frame of a join.
struct Frame {
    latch: Latch,
    result: UnsafeCell<u32>,
}

// SAFETY: loom checks that the thief and the joiner do not use the cell at the same time.
unsafe impl Sync for Frame {}
// SAFETY: it is numbers.
unsafe impl Send for Frame {}

fn frame() -> Arc<Frame> {
    Arc::new(Frame {
        latch: Latch::new(),
        result: UnsafeCell::new(0),
    })
}

/// What a thief does. The joiner is a loom thread, whose token is the task's.
fn thief(frame: &Arc<Frame>) -> thread::JoinHandle<()> {
    let (frame, joiner) = (frame.clone(), thread::current());
    thread::spawn(move || {
        // SAFETY: loom checks it.
        frame.result.with_mut(|result| unsafe { *result = 7 });
        // SAFETY: it is set once.
        if unsafe { Latch::set(&raw const frame.latch) } {
            joiner.unpark();
        }
    })
}

/// What the joiner does when it has waited. Afterwards the frame is gone: nobody may be using it.
fn leave(frame: &Frame) {
    // SAFETY: loom checks it.
    frame.result.with_mut(|result| unsafe {
        assert_eq!(*result, 7, "the result is there");
        *result = 0;
    });
}

#[test]
fn wait_against_set() {
    explore("wait against set", Bound::Complete, 5, || {
        let frame = frame();
        let thief = thief(&frame);
        frame.latch.wait(thread::park);
        leave(&frame);
        thief.join().unwrap();
    });
}

/// A park that returns for no reason changes nothing.
#[test]
fn a_park_that_does_not_wait() {
    explore(
        "a park that does not wait",
        Bound::Preemptions(3),
        5,
        || {
            let frame = frame();
            let thief = thief(&frame);
            let mut spurious = true;
            frame.latch.wait(|| {
                if !std::mem::take(&mut spurious) {
                    thread::park();
                }
            });
            leave(&frame);
            thief.join().unwrap();
        },
    );
}

/// The joiner only looks, as one does whose task is being ended.
#[test]
fn a_look() {
    explore("a look at the latch", Bound::Complete, 2, || {
        let frame = frame();
        let thief = thief(&frame);
        if frame.latch.is_done() {
            leave(&frame);
        }
        thief.join().unwrap();
    });
}
