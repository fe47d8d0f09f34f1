//! The interlude of *From Threads to Goroutines*: tasks without stacks.
//!
//! Step 2 gives every task a stack of its own and switches between them. There is another way. The compiler can rewrite
//! a function so that what it has to remember while it waits lies in a value, a *state machine*, and not on a stack.
//! That is what `async fn` does. This crate has what is needed to see it at work and to set it beside step 2:
//!
//! - [`run`]: runs futures on one thread, `executor.rs`, with the way in for other threads in `inbox.rs`
//! - [`channel`]: a rendezvous channel whose operations are futures
//! - the same two tasks three times, handing numbers back and forth: as `async fn` ([`as_async`]), as the state machine
//!   that the compiler makes of it, written by hand ([`by_hand`]), and on stacks of their own ([`stackful`])
//!
//! ```
//! use stackless::channel;
//!
//! let sum = stackless::run(async |spawner| {
//!     let (tx, mut rx) = channel();
//!     spawner.spawn(async move {
//!         for n in 1..=10 {
//!             tx.send(n).await.unwrap();
//!         }
//!     });
//!     let mut sum = 0;
//!     while let Some(n) = rx.recv().await {
//!         sum += n;
//!     }
//!     sum
//! });
//! assert_eq!(sum, Ok(55));
//! ```
//!
//! It is for reading and measuring. It has no timers and no sockets; the steps that follow do not build on it.

pub mod as_async;
pub mod by_hand;
mod executor;
mod inbox;
mod join;
mod rendezvous;
pub mod stackful;
mod sync;
mod yielding;

pub use executor::{Deadlock, Outside, Spawner, run};
pub use join::{Cancelled, JoinHandle};
pub use rendezvous::{Receiver, RecvFuture, SendError, SendFuture, Sender, channel};
pub use yielding::{YieldNow, yield_now};
