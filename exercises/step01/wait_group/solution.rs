//! A wait group from `park` and `unpark`: tasks wait until a counter is zero.
//!
//! `add` raises the counter and `done` lowers it by one; a `wait` returns once the counter is zero, *or has been zero
//! since the call began*: whoever adds again for the next round does not hold back those who waited for this one.
//! A `done` that nobody added is a bug of the caller and panics.

use exercises::sync::Mutex;
use step01::{Unparker, park};

// ANCHOR: wait_group
/// A counter that tasks wait for.
#[derive(Debug)]
pub struct WaitGroup {
    // ANCHOR: cut_fields | // A `Mutex` around what?
    state: Mutex<State>,
    // ANCHOR_END: cut_fields
}

// ANCHOR: cut_state
#[derive(Debug)]
struct State {
    count: usize,
    /// How often the counter has come down to zero. By this a waiter knows that its round is over, even if the next one
    /// has begun before it ran again.
    rounds: u64,
    /// Who is to be unparked when it does.
    waiters: Vec<Unparker>,
}

// ANCHOR_END: cut_state
impl WaitGroup {
    /// A group with a counter of zero.
    pub fn new() -> Self {
        // ANCHOR: cut_new | todo!("make a group with a counter of zero")
        WaitGroup {
            state: Mutex::new(State {
                count: 0,
                rounds: 0,
                waiters: Vec::new(),
            }),
        }
        // ANCHOR_END: cut_new
    }

    /// Raises the counter by `n`.
    pub fn add(&self, n: usize) {
        // ANCHOR: cut_add | todo!("raise the counter by {n}")
        self.state.lock().count += n;
        // ANCHOR_END: cut_add
    }

    /// Lowers the counter by one.
    ///
    /// # Panics
    ///
    /// With `negative WaitGroup counter`, if it is zero.
    pub fn done(&self) {
        // ANCHOR: cut_done | todo!("lower the counter by one, and wake whoever waits for zero")
        let mut state = self.state.lock();
        // Checked, and the message is Go's. The guard is dropped by the panic, so the group stays usable.
        state.count = state
            .count
            .checked_sub(1)
            .expect("negative WaitGroup counter");
        if state.count > 0 {
            return;
        }
        state.rounds += 1;
        // All of them: zero is zero for everyone. Taken out under the lock, so that each is unparked once.
        let waiters = std::mem::take(&mut state.waiters);
        // Released first: whoever is unparked wants the lock at once.
        drop(state);
        for waiter in waiters {
            waiter.unpark();
        }
        // ANCHOR_END: cut_done
    }

    /// Parks the calling task until the counter is zero.
    pub fn wait(&self) {
        // ANCHOR: cut_wait | todo!("park until the counter is zero, or has been")
        let mut state = self.state.lock();
        if state.count == 0 {
            return;
        }
        let round = state.rounds;
        while state.rounds == round {
            // The look and the registration are one step, under one lock. Between two steps a `done` could come, find no
            // waiter, and wake nobody.
            let me = park::current();
            // After a wake-up for no reason this task is still on the list.
            if !state
                .waiters
                .iter()
                .any(|waiter| waiter.data() == me.data())
            {
                state.waiters.push(me);
            }
            drop(state);
            // A `done` that comes here leaves its token, and the park returns at once: the token is sticky.
            park::park();
            state = self.state.lock();
        }
        // ANCHOR_END: cut_wait
    }
}
// ANCHOR_END: wait_group
