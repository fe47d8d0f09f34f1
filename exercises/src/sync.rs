//! The locks and words of the exercises: step01's and the kernel's, with a [`point`] before every step.
//!
//! In a run of [`turns`](crate::turns) each of these steps may be the last one before another task's turn. Anywhere else
//! they are what they wrap.

use std::sync::PoisonError;

use step01::park;
pub use step01::{Condvar, MutexGuard};

use crate::turns::{note, point};

/// step01's mutex. Its guards are step01's too, so they go into step01's [`Condvar`].
#[derive(Debug, Default)]
pub struct Mutex<T>(step01::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked mutex around `value`.
    pub fn new(value: T) -> Self {
        Mutex(step01::Mutex::new(value))
    }

    /// Locks it, after parking until it is free.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        point("locks the mutex");
        self.0.lock()
    }
}

/// A 32-bit word that a task can sleep on, as the kernel's futex is one: see `step01-threads/src/sync.rs`.
///
/// No operation takes a memory order: here all tasks see all of them in one order. What can go wrong is the order of
/// the operations themselves.
#[derive(Debug)]
pub struct Word {
    name: &'static str,
    state: std::sync::Mutex<WordState>,
}

#[derive(Debug)]
struct WordState {
    value: u32,
    sleepers: Vec<step01::Unparker>,
}

impl Word {
    /// A word with a value, and a name for the reports.
    pub fn new(name: &'static str, value: u32) -> Self {
        let sleepers = Vec::new();
        Word {
            name,
            state: std::sync::Mutex::new(WordState { value, sleepers }),
        }
    }

    /// Held for a few instructions and never across a point.
    fn state(&self) -> std::sync::MutexGuard<'_, WordState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it.
    pub fn load(&self) -> u32 {
        point(format_args!("loads `{}`", self.name));
        let value = self.state().value;
        note(format_args!(": it is {value}"));
        value
    }

    /// Writes it.
    pub fn store(&self, value: u32) {
        point(format_args!("stores {value} in `{}`", self.name));
        self.state().value = value;
    }

    /// Writes it and returns what was there, as one step.
    pub fn swap(&self, value: u32) -> u32 {
        point(format_args!("swaps {value} into `{}`", self.name));
        let before = std::mem::replace(&mut self.state().value, value);
        note(format_args!(": it was {before}"));
        before
    }

    /// Adds `count` and returns what was there before, as one step.
    pub fn add(&self, count: u32) -> u32 {
        point(format_args!("adds {count} to `{}`", self.name));
        let mut state = self.state();
        let before = state.value;
        state.value = before.wrapping_add(count);
        drop(state);
        note(format_args!(": it was {before}"));
        before
    }

    /// Takes one off, as one step, if it is not zero. True if it was not.
    pub fn take_one(&self) -> bool {
        point(format_args!("takes one off `{}`", self.name));
        let mut state = self.state();
        let before = state.value;
        state.value = before.saturating_sub(1);
        drop(state);
        note(format_args!(": it was {before}"));
        before > 0
    }

    /// Writes `to` if `from` is there, as one step. Returns what was there, in `Ok` if it was `from`.
    ///
    /// # Errors
    ///
    /// What was there instead of `from`.
    pub fn compare_exchange(&self, from: u32, to: u32) -> Result<u32, u32> {
        point(format_args!("exchanges {from} in `{}` for {to}", self.name));
        let mut state = self.state();
        let before = state.value;
        if before == from {
            state.value = to;
            return Ok(before);
        }
        drop(state);
        note(format_args!(": no, it is {before}"));
        Err(before)
    }

    /// Sleeps if the word is `expected` at the moment of looking, until someone calls [`Word::wake_one`] or for no
    /// reason. The look and the falling asleep are one step, as they are in the kernel.
    pub fn wait(&self, expected: u32) {
        point(format_args!(
            "falls asleep if `{}` is {expected}",
            self.name
        ));
        let me = park::current();
        {
            let mut state = self.state();
            if state.value != expected {
                let value = state.value;
                drop(state);
                note(format_args!(": it is {value}, so it does not"));
                return;
            }
            state.sleepers.push(me);
        }
        park::park();
        self.state()
            .sleepers
            .retain(|sleeper| sleeper.data() != me.data());
    }

    /// Wakes one sleeper, if there is one.
    pub fn wake_one(&self) {
        point(format_args!("wakes a sleeper of `{}`", self.name));
        let mut state = self.state();
        if state.sleepers.is_empty() {
            drop(state);
            note(format_args!(": there is none"));
            return;
        }
        let sleeper = state.sleepers.remove(0);
        drop(state);
        sleeper.unpark();
    }
}

/// A place to sleep until called. A call is kept until somebody takes it, so one that comes before the sleeper is not lost.
#[derive(Debug, Default)]
pub struct Bed {
    state: std::sync::Mutex<BedState>,
}

#[derive(Debug, Default)]
struct BedState {
    /// Calls that nobody has taken.
    pending: usize,
    /// All calls there ever were.
    calls: usize,
    sleepers: Vec<step01::Unparker>,
}

impl Bed {
    /// Nobody sleeps, and nobody was called.
    pub fn new() -> Self {
        Bed::default()
    }

    /// Held for a few instructions and never across a point.
    fn state(&self) -> std::sync::MutexGuard<'_, BedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call, and sleeps until there is one.
    pub fn sleep(&self) {
        point("goes to sleep until it is called");
        let me = park::current();
        loop {
            {
                let mut state = self.state();
                state.sleepers.retain(|sleeper| sleeper.data() != me.data());
                if state.pending > 0 {
                    state.pending -= 1;
                    return;
                }
                state.sleepers.push(me);
            }
            park::park();
        }
    }

    /// Calls one who sleeps, or the next one who is about to.
    pub fn call(&self) {
        point("calls a sleeper");
        let mut state = self.state();
        state.pending += 1;
        state.calls += 1;
        let sleeper = (!state.sleepers.is_empty()).then(|| state.sleepers.remove(0));
        drop(state);
        if let Some(sleeper) = sleeper {
            sleeper.unpark();
        }
    }

    /// How many calls there were so far. For tests.
    pub fn calls(&self) -> usize {
        self.state().calls
    }
}
