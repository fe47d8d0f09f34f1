//! Step 3 of *From Threads to Goroutines*: many tasks on several threads, over one shared run queue.
//!
//! Step 2 made tasks cheap, on one thread. Here they run on as many threads as there are cores. What is new is all that
//! follows from a task's being woken on one thread, and run on another: the order in which a task is marked as parked
//! and leaves its stack (`worker.rs`), thread-locals that change under a task (`current.rs`), and sleeping workers that
//! must be woken in time (`global_queue.rs`). Which task runs next is behind a seam of its own, [`Policy`].
//!
//! ```
//! use step01::{Runtime, bounded};
//! use step03::SharedQueue;
//!
//! let rt = SharedQueue::builder().workers(2).build()?;
//! let sum = rt.run(|| {
//!     let (tx, rx) = bounded(16);
//!     for n in 1..=10 {
//!         let tx = tx.clone();
//!         rt.spawn(move || tx.send(n).unwrap());
//!     }
//!     drop(tx);
//!     rx.iter().sum::<u32>()
//! });
//! assert_eq!(sum, 55);
//! # Ok::<(), step01::BuildError>(())
//! ```
//!
//! # What no type prevents
//!
//! A task that parks may go on upon another thread, with all that lies on its stack. So across anything that may park, hold
//! nothing that is tied to the thread: no borrow of a thread-local, no guard of std's locks, no lock of standard output.
//! The compiler does not see it, here as in any stackful runtime, and a borrow of a thread-local that is held across a park
//! is undefined behaviour. The page "Soundness, honestly" of the book says what is promised, and why this cannot be.

pub mod above;
mod claim;
mod counters;
mod current;
mod deadlock;
pub mod drive;
mod ending;
mod global_queue;
mod home;
pub mod policy;
pub mod processor;
pub mod runtime;
mod scheduler;
mod sync;
mod task;
mod watch;
mod worker;

// Where the protocol files find it, in this crate and in their models.
use step02::task_word;

pub use counters::Snapshot;
pub use global_queue::GlobalQueue;
pub use policy::{Policy, Why};
pub use processor::Processor;
pub use runtime::{Builder, Scheduled, SharedQueue};
pub use task::{Task, TaskRef};
