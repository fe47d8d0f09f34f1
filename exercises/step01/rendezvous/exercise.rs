//! A rendezvous channel from a mutex and condition variables: a sender and a receiver meet, or both wait.
//!
//! It holds no value that nobody has asked for: `send` returns only once a receiver has taken *this sender's* value, and
//! `recv` returns one value of one sender. Any number of tasks may send and receive.

use exercises::sync::{Condvar, Mutex};

/// The place where they meet.
#[derive(Debug)]
pub struct Rendezvous<T> {
    // What is on the table, who waits for what, and how does a sender know that its value is gone?
    values: std::marker::PhantomData<T>,
}

impl<T> Rendezvous<T> {
    /// A channel on which nobody waits.
    pub fn new() -> Self {
        todo!("make a channel on which nobody waits")
    }

    /// Parks until a receiver has taken `value`.
    pub fn send(&self, value: T) {
        let _ = value;
        todo!("offer the value, and wait until it is taken")
    }

    /// Parks until a sender offers a value, and takes it.
    pub fn recv(&self) -> T {
        todo!("wait for a value, and tell its sender that it is taken")
    }
}
