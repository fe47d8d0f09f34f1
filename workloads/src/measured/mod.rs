//! The measured workloads, one file for each or for a small family.
//!
//! Each file opens with what is timed and what is checked. Each workload warms up before the clock starts, keeps its
//! own bookkeeping out of the timed part, and looks at the answers before it returns a number.

pub(crate) mod spawn_join;
pub(crate) mod switch;

use std::time::Duration;

use crate::catalog::Size;

/// How long a workload that can go on for as long as it likes is timed.
pub(crate) fn budget(size: Size) -> Duration {
    Duration::from_millis(size.pick(1, 50, 300, 1_000))
}
