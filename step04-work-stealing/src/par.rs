//! Over a slice in parallel: `join` is all that it takes.

use crate::fork_join::join;

/// Maps every element of a slice and reduces the results to one, on as many workers as have time. None if the slice is
/// empty.
///
/// The slice is halved, and the halves again, until a piece has at most `grain` elements; such a piece is done in a plain
/// loop. The pieces are reduced as neighbours, from left to right, so `reduce` must be associative, and need not be
/// commutative: the result is that of `slice.iter().map(map).reduce(reduce)`. (For floating-point numbers, whose
/// addition is not associative, the result depends on `grain`; but not on who has stolen what.)
///
/// A grain is right if the loop over it takes some microseconds: long against a fork, short against the whole.
///
/// # Panics
///
/// If `grain` is zero. With the panic of `map` or `reduce`.
///
/// ```
/// use step01::Runtime;
///
/// let numbers: Vec<u64> = (1..=100_000).collect();
/// let rt = step04::build(&step03::Builder::default().workers(2))?;
/// let sum = rt.run(|| step04::par_map_reduce(&numbers, 1_000, |n| n * n, |a, b| a + b));
/// assert_eq!(sum, Some(333_338_333_350_000));
/// # Ok::<(), step01::BuildError>(())
/// ```
pub fn par_map_reduce<T, R, M, F>(slice: &[T], grain: usize, map: M, reduce: F) -> Option<R>
where
    T: Sync,
    R: Send,
    M: Fn(&T) -> R + Sync,
    F: Fn(R, R) -> R + Sync,
{
    assert!(grain > 0, "grain is 0: a piece has at least one element");
    piece(slice, grain, &map, &reduce)
}

// ANCHOR: piece
fn piece<T, R, M, F>(slice: &[T], grain: usize, map: &M, reduce: &F) -> Option<R>
where
    T: Sync,
    R: Send,
    M: Fn(&T) -> R + Sync,
    F: Fn(R, R) -> R + Sync,
{
    if slice.len() <= grain {
        return slice.iter().map(map).reduce(reduce);
    }
    let (left, right) = slice.split_at(slice.len() / 2);
    let (left, right) = join(
        || piece(left, grain, map, reduce),
        || piece(right, grain, map, reduce),
    );
    match (left, right) {
        (Some(left), Some(right)) => Some(reduce(left, right)),
        (one, other) => one.or(other),
    }
}
// ANCHOR_END: piece
