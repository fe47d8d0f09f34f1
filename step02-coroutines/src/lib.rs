//! Step 2 of *From Threads to Goroutines*: stacks of our own, and a switch between them.
//!
//! A thread is a stack, a set of registers, and a kernel that decides who runs. This crate makes the first two itself:
//! stacks are slots in one large mapping ([`Region`], [`StackPool`]), and a switch between two of them is a dozen
//! instructions ([`arch::switch`]). On top of that, [`Coroutine`] is a function that can stop in the middle.
//!
//! Where to read first: `arch/x86_64.rs` (the switch), then `layout.rs` and `stack.rs` (a million stacks in one mapping),
//! then `coroutine.rs` (resume, suspend, unwind).

pub mod arch;
mod coroutine;
mod fatal;
mod guard;
mod layout;
mod overflow;
mod stack;
mod stack_pool;

pub use coroutine::{Coroutine, ForcedUnwind, Resumed, Suspender};
pub use guard::GuardKind;
pub use layout::{DEFAULT_SLOT, SlotLayout};
pub use stack::{Region, Stack};
pub use stack_pool::{Counts, HOT, KEPT, StackPool};

/// What the user writes to have larger stacks, for messages.
const STACK_SETTING: &str = "SlotLayout::new(bytes)";

/// What the user writes to have more stacks, for messages.
const COUNT_SETTING: &str = "Region::map(layout, slots)";
