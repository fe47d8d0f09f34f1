//! Step 4 of *From Threads to Goroutines*: a run queue for each processor, and stealing between them.
//!
//! Step 3 had one queue, and one lock that all workers fought for. Here each processor has a queue of its own, and a
//! worker that has nothing to do takes from another. That is all: the scheduler around it is step 3's, and what is new is
//! a [`Policy`](step03::Policy), [`WorkStealing`].
//!
//! ```
//! use step01::Runtime;
//!
//! let rt = step04::build(&step03::Builder::default().workers(2))?;
//! let handles: Vec<_> = (0..1_000u64).map(|n| rt.spawn(move || n)).collect();
//! let sum: u64 = rt.run(|| handles.into_iter().map(|handle| handle.join().unwrap()).sum());
//! assert_eq!(sum, 499_500);
//! # Ok::<(), step01::BuildError>(())
//! ```
//!
//! Beside it, and unknown to it, is a second way to steal. A computation that splits itself, with [`join`], [`scope()`] or
//! [`par_map_reduce`], leaves each half in a deque of its task, and does it itself unless somebody takes it first. So a
//! fork that nobody steals costs no task.
//!
//! Where to read first: `local_queue.rs` (the ring), `idle.rs` (who is woken), `stealing.rs` (the policy); then
//! `chase_lev.rs` (the deque), `fork_join.rs` (`join`) and `helper.rs` (who steals from it).

mod chase_lev;
mod fork_join;
mod helper;
mod idle;
mod injector;
mod latch;
mod local_queue;
mod next_slot;
mod par;
mod registry;
mod scope;
mod stealing;
mod sync;
mod task_deque;

pub use fork_join::join;
pub use par::par_map_reduce;
pub use scope::{Scope, scope};
pub use stealing::{Local, WorkStealing};

/// The runtime of this step.
pub type Stealing = step03::Scheduled<WorkStealing>;

// ANCHOR: build
/// Makes the runtime of this step with these settings.
///
/// # Errors
///
/// As [`step03::Builder::build`].
pub fn build(builder: &step03::Builder) -> Result<Stealing, step01::BuildError> {
    builder.build_with("step04", WorkStealing::new)
}
// ANCHOR_END: build
