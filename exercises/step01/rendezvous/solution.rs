//! A rendezvous channel from a mutex and condition variables: a sender and a receiver meet, or both wait.
//!
//! It holds no value that nobody has asked for: `send` returns only once a receiver has taken *this sender's* value, and
//! `recv` returns one value of one sender. Any number of tasks may send and receive.

use exercises::sync::{Condvar, Mutex};

// ANCHOR: rendezvous
/// The place where they meet.
#[derive(Debug)]
pub struct Rendezvous<T> {
    // ANCHOR: cut_fields | // What is on the table, who waits for what, and how does a sender know that its value is gone?
    // ANCHOR: cut_fields | values: std::marker::PhantomData<T>,
    state: Mutex<State<T>>,
    /// Told when a value is on the table: for receivers.
    offered: Condvar,
    /// Told when the table is free: for senders that want to offer.
    free: Condvar,
    /// Told when a value has been taken: for senders that have offered.
    taken: Condvar,
    // ANCHOR_END: cut_fields
}

// ANCHOR: cut_state
#[derive(Debug)]
struct State<T> {
    table: Option<T>,
    /// How many values have ever been put on the table, and how many taken: values have numbers.
    put: u64,
    took: u64,
}

// ANCHOR_END: cut_state
impl<T> Rendezvous<T> {
    /// A channel on which nobody waits.
    pub fn new() -> Self {
        // ANCHOR: cut_new | todo!("make a channel on which nobody waits")
        Rendezvous {
            state: Mutex::new(State {
                table: None,
                put: 0,
                took: 0,
            }),
            offered: Condvar::new(),
            free: Condvar::new(),
            taken: Condvar::new(),
        }
        // ANCHOR_END: cut_new
    }

    /// Parks until a receiver has taken `value`.
    pub fn send(&self, value: T) {
        // ANCHOR: cut_send | let _ = value;
        // ANCHOR: cut_send | todo!("offer the value, and wait until it is taken")
        let mut state = self.state.lock();
        // One value at a time. A loop: between the notification and our waking up another sender may have come.
        while state.table.is_some() {
            state = self.free.wait(state);
        }
        state.table = Some(value);
        state.put += 1;
        let mine = state.put;
        // Three condition variables, so that the one task that is told is one that can do something with it. On a single
        // one a sender's notification could reach another sender, and a receiver would sleep on.
        self.offered.notify_one();
        // Not "until the table is free": by the time we look, the next sender may have put its value there, and we would
        // wait for that one too. Values have numbers, and this one is ours.
        while state.took < mine {
            state = self.taken.wait(state);
        }
        // ANCHOR_END: cut_send
    }

    /// Parks until a sender offers a value, and takes it.
    pub fn recv(&self) -> T {
        // ANCHOR: cut_recv | todo!("wait for a value, and tell its sender that it is taken")
        let mut state = self.state.lock();
        loop {
            if let Some(value) = state.table.take() {
                state.took += 1;
                // The sender of this value is the only one that waits for it: whoever has offered before has been told
                // before. And one other may offer now.
                self.taken.notify_one();
                self.free.notify_one();
                return value;
            }
            state = self.offered.wait(state);
        }
        // ANCHOR_END: cut_recv
    }
}
// ANCHOR_END: rendezvous
