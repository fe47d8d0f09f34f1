//! Step 1 of *From Threads to Goroutines*: the contract, kept by the kernel.
//!
//! This crate owns what every later stage keeps. It says what a task may rely on ([`Runtime`]), how a task stops and
//! how it is started again ([`park`]), and it builds on those two alone everything that tasks use to talk to each
//! other: channels ([`bounded`], [`unbounded`]) and [`select!`], [`Mutex`], [`Condvar`], [`WaitGroup`], [`Semaphore`],
//! [`Once`], join handles and [`scope()`]. They are written once. A stage that brings its own scheduler installs its own
//! parker, and all of them work on it unchanged.
//!
//! It also is a complete runtime, the simplest there is: [`Threads`] gives every task an OS thread and leaves the
//! scheduling to the kernel.
//!
//! ```
//! use step01::{Runtime, Threads, bounded};
//!
//! let rt = Threads::new();
//! let sum = rt.run(|| {
//!     let (tx, rx) = bounded(0);
//!     let producer = rt.spawn(move || (1..=10).for_each(|n| tx.send(n).unwrap()));
//!     let sum: u32 = rx.iter().sum();
//!     producer.join().unwrap();
//!     sum
//! });
//! assert_eq!(sum, 55);
//! ```
//!
//! Where to read first: `park.rs` (the seam), then `wait_queue.rs` (how a waiter is found), then `channel/core.rs`.

mod build_error;
mod channel;
mod condvar;
mod crowd;
mod join;
mod join_error;
mod lock;
mod mutex;
mod once;
mod os_parker;
mod packet_memory;
mod scope;
mod select;
mod select_dynamic;
mod select_macro;
mod semaphore;
mod spawn_error;
mod sync;
mod unparker;
mod wait;
mod wait_group;
mod wait_queue;

pub mod alt_stack;
pub mod limits;
pub mod net;
pub mod overflow;
pub mod park;
pub mod runtime;
pub mod tally;
pub mod threads;

pub use build_error::BuildError;
pub use channel::error::{
    RecvError, RecvTimeoutError, SelectTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySelectError, TrySendError,
};
pub use channel::{
    IntoIter, Iter, Receiver, Sender, TryIter, after, bounded, never, tick, unbounded,
};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use join::{ForcedUnwind, Job, JoinError, JoinHandle};
pub use mutex::{Mutex, MutexGuard};
pub use net::{Net, NetListener, NetStream};
pub use once::Once;
pub use runtime::{Runtime, SpawnError};
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use select_dynamic::{FiredArm, Select};
pub use semaphore::{Permit, Semaphore};
pub use threads::Threads;
pub use unparker::{UnparkVTable, Unparker};
pub use wait_group::WaitGroup;

/// What the expansion of [`select!`] names; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::select_macro::{ArmRef, Fired, poll, wait, wait_timeout};
}
