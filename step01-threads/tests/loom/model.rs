//! Runs one model: says its bound, counts the executions, and insists on a minimum, so that a model which has quietly
//! stopped exploring does not pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How much of the interleavings is explored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// All of them.
    Complete,
    /// Those in which threads are interrupted at most so often where they could have gone on.
    Preemptions(usize),
}

// ANCHOR: explore
/// Explores `f` and asserts that there were at least `minimum` executions.
pub(crate) fn explore(
    name: &str,
    bound: Bound,
    minimum: usize,
    f: impl Fn() + Send + Sync + 'static,
) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match bound {
        Bound::Complete => None,
        Bound::Preemptions(most) => Some(most),
    };
    builder.max_branches = 10_000;
    builder.check(move || {
        // Relaxed: a count, read after everything has ended.
        counter.fetch_add(1, Ordering::Relaxed);
        f();
    });
    let explored = executions.load(Ordering::Relaxed);
    println!("model {name}: {explored} executions, {bound:?}");
    assert!(
        explored >= minimum,
        "model {name} explored {explored} executions, fewer than {minimum}: does it still race?"
    );
}
// ANCHOR_END: explore

/// A deadline that has passed.
pub(crate) fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}
