//! The next slot: one task, which runs as soon as the running one stops.
//!
//! # The protocol
//!
//! A task that was just woken waits for something that its waker has just written. So it runs next, on the same core, and
//! not behind all the others in the ring. The slot holds one task. Who is put there pushes the one before out, and that
//! goes to the ring.
//!
//! - *Nobody starves the ring.* Two tasks that wake each other could hand the slot to and fro for ever. So after
//!   [`IN_A_ROW`] tasks from the slot in a row [`NextSlot::take`] says that there is none, once, and the ring has a turn.
//! - *Only its owner looks into it*: the slot is a plain cell, and thieves know nothing of it. So whoever lets another
//!   task run before the one in the slot must [`NextSlot::empty`] the slot into the ring, where thieves look. Then a
//!   task is in the slot only while the one that put it there runs.
//!
//! What is left is a waker that computes on without end: the task in the slot waits for it, even if other workers have
//! nothing to do. Step 5 has a remedy for that.
//!
//! This is `runnext` of Go's processors, and the LIFO slot of tokio's workers, which got its limit only when somebody's
//! program had starved (tokio#5712).
//!
//! Rejected: *a slot that thieves may take from*. It would be an atomic, and so two locked exchanges for each wake-up; and
//! the thief would mostly take what is about to be run, with its data in another core's cache. Go's thieves do take it,
//! as their last resort and after a nap.

use std::cell::Cell;

/// So many tasks from the slot in a row, and then one from the ring.
pub(crate) const IN_A_ROW: u32 = 16;

/// The slot of one processor.
#[derive(Debug)]
pub(crate) struct NextSlot<T: Copy> {
    task: Cell<Option<T>>,
    in_a_row: Cell<u32>,
}

impl<T: Copy> NextSlot<T> {
    pub(crate) fn new() -> Self {
        NextSlot {
            task: Cell::new(None),
            in_a_row: Cell::new(0),
        }
    }

    // ANCHOR: slot
    /// Puts a task in. The one that was there comes out, and belongs into the ring.
    #[inline]
    pub(crate) fn put(&self, task: T) -> Option<T> {
        self.task.replace(Some(task))
    }

    /// Takes the task out, unless it is the ring's turn.
    #[inline]
    pub(crate) fn take(&self) -> Option<T> {
        let in_a_row = self.in_a_row.get();
        if in_a_row == IN_A_ROW {
            return None;
        }
        let task = self.task.take()?;
        self.in_a_row.set(in_a_row + 1);
        Some(task)
    }

    /// Another task has its turn, or there is none: takes the task out whoever's turn it is, and counts anew.
    #[inline]
    pub(crate) fn empty(&self) -> Option<T> {
        self.in_a_row.set(0);
        self.task.take()
    }
    // ANCHOR_END: slot

    /// Whether there is a task in it.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.task.get().is_some()
    }
}
