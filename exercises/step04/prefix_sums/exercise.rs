//! Prefix sums by fork and join: what looks like a chain, each element after the one before, done side by side.
//!
//! After `prefix_sums` each element is the sum of all up to it, itself included: 3 1 4 1 5 becomes 3 4 8 9 14. "Sum" is
//! whatever `add` says. It is associative, and that is all: `add(a, b)` need not be `add(b, a)`.
//!
//! Two passes over a tree of halves. On the way up each half tells its sum. On the way down each half is told what comes
//! before it, and then it can begin at once, whatever its neighbours do.

// In one test this is `step04::join`, in another one that counts.
use super::fork::join;

/// Replaces each element by the sum of all up to it. Pieces of up to `grain` elements are done in a plain loop.
pub fn prefix_sums<T, F>(values: &mut [T], grain: usize, add: &F)
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> T + Sync,
{
    assert!(grain > 0, "grain is 0: a piece has at least one element");
    let _ = (values, add);
    todo!("tell the sums upwards, and what comes before downwards")
}
