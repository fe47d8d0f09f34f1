//! Prefix sums by fork and join: what looks like a chain, each element after the one before, done side by side.
//!
//! After `prefix_sums` each element is the sum of all up to it, itself included: 3 1 4 1 5 becomes 3 4 8 9 14. "Sum" is
//! whatever `add` says. It is associative, and that is all: `add(a, b)` need not be `add(b, a)`.
//!
//! Two passes over a tree of halves. On the way up each half tells its sum. On the way down each half is told what comes
//! before it, and then it can begin at once, whatever its neighbours do.

// In one test this is `step04::join`, in another one that counts.
use super::fork::join;

// ANCHOR: prefix
/// Replaces each element by the sum of all up to it. Pieces of up to `grain` elements are done in a plain loop.
pub fn prefix_sums<T, F>(values: &mut [T], grain: usize, add: &F)
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> T + Sync,
{
    assert!(grain > 0, "grain is 0: a piece has at least one element");
    // ANCHOR: cut_prefix | let _ = (values, add);
    // ANCHOR: cut_prefix | todo!("tell the sums upwards, and what comes before downwards")
    if let Some(sums) = up(values, grain, add) {
        down(values, &sums, None, add);
    }
    // ANCHOR_END: cut_prefix
}
// ANCHOR: cut_helpers

/// The sum of a piece, and those of its halves if it was divided.
struct Sums<T> {
    sum: T,
    halves: Option<Box<(Sums<T>, Sums<T>)>>,
}

/// Where a piece is divided: the same place on both ways, and never at an end of it.
fn middle(length: usize) -> usize {
    length / 2
}

/// The way up: none if there is nothing to add.
fn up<T, F>(values: &[T], grain: usize, add: &F) -> Option<Sums<T>>
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> T + Sync,
{
    if values.len() <= grain {
        let sum = values.iter().copied().reduce(add)?;
        return Some(Sums { sum, halves: None });
    }
    let (left, right) = values.split_at(middle(values.len()));
    let (left, right) = join(|| up(left, grain, add), || up(right, grain, add));
    // Neither half is empty, since more than `grain` elements are two at least.
    let (left, right) = (left?, right?);
    Some(Sums {
        sum: add(left.sum, right.sum),
        halves: Some(Box::new((left, right))),
    })
}

/// The way down. `before` is the sum of all that comes before these values.
fn down<T, F>(values: &mut [T], sums: &Sums<T>, before: Option<T>, add: &F)
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> T + Sync,
{
    let Some(halves) = &sums.halves else {
        let mut sum = before;
        for value in values {
            *value = sum.map_or(*value, |sum| add(sum, *value));
            sum = Some(*value);
        }
        return;
    };
    let (left, right) = values.split_at_mut(middle(values.len()));
    // What comes before the right half is known already, from the way up: so it need not wait for the left one.
    let left_of_right = before.map_or(halves.0.sum, |before| add(before, halves.0.sum));
    join(
        || down(left, &halves.0, before, add),
        || down(right, &halves.1, Some(left_of_right), add),
    );
}
// ANCHOR_END: cut_helpers
// ANCHOR_END: prefix
