//! Step 2 of *From Threads to Goroutines*: stacks of our own, and a switch between them.
//!
//! A thread is a stack, a set of registers, and a kernel that decides who runs. This crate makes the first two itself:
//! stacks are slots in one large mapping ([`Region`], [`StackPool`]), and a switch between two of them is a dozen
//! instructions ([`arch::switch`]). On top of that, [`Coroutine`] is a function that can stop in the middle.
//!
//! On top of that, [`RoundRobin`] is a runtime: any number of tasks on one thread, one after the other.
//!
//! ```
//! use step01::{Runtime, bounded};
//! use step02::RoundRobin;
//!
//! let rt = RoundRobin::new();
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
//! Where to read first: `arch/x86_64.rs` (the switch), then `layout.rs` and `stack.rs` (a million stacks in one mapping),
//! then `coroutine.rs` (resume, suspend, unwind), then `worker.rs` (the scheduler).

pub mod arch;
#[cfg(any(feature = "valgrind", feature = "asan"))]
mod checkers;
mod coroutine;
mod deadlock;
mod ending;
mod fatal;
mod guard;
mod home;
mod inbox;
mod layout;
mod overflow;
pub mod polling_net;
pub mod round_robin;
pub mod run_queue;
mod stack;
mod stack_pool;
mod stopping;
mod sync;
mod task;
pub mod task_word;
pub mod timer;
mod worker;

pub use coroutine::{Coroutine, Resumed, Suspender};
pub use guard::GuardKind;
pub use layout::{DEFAULT_SLOT, SlotLayout};
pub use round_robin::RoundRobin;
pub use stack::{Region, Stack};
pub use stack_pool::{Counts, HOT, KEPT, MOST_IDLE, StackPool};
pub use step01::ForcedUnwind;

/// What the user writes to have larger stacks, for messages.
const STACK_SETTING: &str =
    "stack_size(bytes)` of the runtime's builder, or `SlotLayout::new(bytes)";

/// What the user writes to have more stacks, for messages.
const COUNT_SETTING: &str =
    "max_tasks(count)` of the runtime's builder, or `Region::map(layout, slots)";
