//! Stacks to use again: the last one returned is the first one taken.
//!
//! A fresh stack costs a guard, a page fault and a page of zeros, a few microseconds; a used one costs nothing, and if it
//! was used a moment ago it is still in the cache. So the pool is a stack of stacks.
//!
//! What a used one may cost is memory: a task that once called deeply leaves the pages that it touched. A pool cannot see
//! how deep a stack was used without asking the kernel, and that costs as much as giving the pages back. Asking for every
//! task would cost more than the task. So stacks are in two groups:
//!
//! ```text
//!            take                                    take, if none is hot
//!              ▲                                               ▲
//!   ┌──────────┴──────────┐    the 17th: the coldest  ┌────────┴──────────┐
//!   │  hot, at most 16    │ ────────────────────────▶ │  cold             │
//!   │  as they were left  │    is trimmed             │  16 KiB each      │
//!   └──────────▲──────────┘                           └───────────────────┘
//!              │ give back
//! ```
//!
//! The hot ones are kept as they are: a task after another finds the pages that it needs, and there are at most 16. When
//! one more comes back, the one that was idle longest is *trimmed*: it keeps 16 KiB at its top, and the kernel gets the
//! rest. So after a burst of a million deep calls, sixteen deep stacks are left.
//!
//! From step 3 on there is a pool for each processor, and a task may end on another one than it began on. A pool that
//! takes back more than it hands out would collect them, while another asks for new ones. So at 512 cold stacks the older
//! half goes back to the region, as it is, for any pool to find.
//!
//! Rejected: *trimming by a mark* that is written at some depth and looked at later. It costs a page for each stack that
//! is never used so deep. *Unmapping*: it cuts the region into pieces, and the next task pays for a guard again.

use std::sync::Arc;

use step01::SpawnError;

use crate::stack::{Region, Stack};

/// The most stacks that are kept as they were left.
pub const HOT: usize = 16;

/// What a cold stack keeps, in bytes, rounded up to whole pages.
pub const KEPT: usize = 16 << 10;

/// So many go back to the region at once, when twice as many are cold.
const SHARE: usize = 256;

/// No pool keeps more idle stacks than this.
pub const MOST_IDLE: usize = HOT + 2 * SHARE;

/// The stacks of one thread, for use again.
#[derive(Debug)]
pub struct StackPool {
    region: Arc<Region>,
    /// The one returned last is at the back.
    hot: Vec<Stack>,
    cold: Vec<Stack>,
    counts: Counts,
}

/// What a pool has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stacks taken for the first time.
    pub opened: u64,
    /// Stacks taken that had been used before.
    pub reused: u64,
    /// Stacks returned.
    pub returned: u64,
    /// Stacks whose lower pages went back to the system.
    pub trimmed: u64,
}

// ANCHOR: pool
impl StackPool {
    /// A pool that takes new stacks from `region`.
    pub fn new(region: Arc<Region>) -> Self {
        StackPool {
            region,
            hot: Vec::with_capacity(HOT + 1),
            cold: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// A stack, the most recently used one that there is. What is on it are the remains of its last use.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], if there is none to use again and the region has no further one.
    #[inline]
    pub fn take(&mut self) -> Result<Stack, SpawnError> {
        match self.hot.pop() {
            Some(stack) => {
                self.counts.reused += 1;
                Ok(stack)
            }
            None => self.take_cold(),
        }
    }

    #[cold]
    fn take_cold(&mut self) -> Result<Stack, SpawnError> {
        if let Some(stack) = self.cold.pop() {
            self.counts.reused += 1;
            return Ok(stack);
        }
        let stack = self.region.open()?;
        self.counts.opened += 1;
        Ok(stack)
    }

    /// Takes a stack back. It may come from another thread, or from another pool of the same region.
    ///
    /// # Panics
    ///
    /// If it is a stack of another region.
    #[inline]
    pub fn give_back(&mut self, stack: Stack) {
        assert!(
            Arc::ptr_eq(stack.region(), &self.region),
            "a stack was returned to a pool of another region"
        );
        self.counts.returned += 1;
        self.hot.push(stack);
        if self.hot.len() > HOT {
            self.cool();
        }
    }

    #[cold]
    fn cool(&mut self) {
        // The others move up: sixteen times two words, which is little beside the system call.
        let mut coldest = self.hot.remove(0);
        coldest.trim(KEPT);
        self.counts.trimmed += 1;
        self.cold.push(coldest);
        if self.cold.len() == 2 * SHARE {
            self.region.take_back(self.cold.drain(..SHARE));
        }
    }
    // ANCHOR_END: pool

    /// The number of stacks that wait here to be used again.
    pub fn idle(&self) -> usize {
        self.hot.len() + self.cold.len()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Where its stacks come from.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }
}

impl Drop for StackPool {
    /// The idle stacks go back to the region, as they are.
    fn drop(&mut self) {
        self.region
            .take_back(self.hot.drain(..).chain(self.cold.drain(..)));
    }
}
