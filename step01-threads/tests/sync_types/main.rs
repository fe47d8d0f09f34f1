//! The types that tasks synchronise with: what they promise, step by step where an interleaving matters.
//!
//! Most tests use puppets, threads that stop at every park until the test lets them go. What is asserted is then a fact
//! about one interleaving, and no time passes.

mod condvar;
mod mutex;
mod once;
#[path = "../common/puppet.rs"]
mod puppet;
mod semaphore;
mod wait_group;
#[path = "../common/watchdog.rs"]
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use puppet::Puppet;

/// A deadline that has passed.
fn past() -> Instant {
    Instant::now()
}

/// A deadline soon enough to be waited for, and late enough that a puppet nearly always parks first. On a machine so
/// busy that it does not, it gives up without parking, and what a test asserts must hold then too: see `gives_up`.
fn soon() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

/// Lets a puppet's deadline pass, wherever it is; returns what it returns.
#[track_caller]
fn gives_up<T: Send + 'static>(puppet: Puppet<T>) -> T {
    while puppet.parks().is_some() {
        puppet.expire();
    }
    puppet.join().expect("it panicked")
}

/// The message with which `f` panics.
#[track_caller]
fn panic_message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it did not panic");
    match payload.downcast::<&str>() {
        Ok(text) => text.to_string(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}
