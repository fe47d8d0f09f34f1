//! How large a stack slot is, and how it is divided.
//!
//! ```text
//!   low addresses                                                          high addresses
//!   ┌───────────────┬──────────────────────────────────────────────┬──────────┐
//!   │ guard         │ usable                                       │  label   │
//!   └───────────────┴──────────────────────────────────────────────┴──────────┘
//!   ▲ base: a multiple of the slot's size         first frame here ▲ top      ▲ base + slot
//! ```
//!
//! A slot is a power of two bytes, and lies at a multiple of its size. So whoever has an address in a slot, the stack
//! pointer for one, finds the slot by clearing low bits: no table, no lock, no thread-local.
//!
//! The guard is 16 pages. One page would stop any function that touches its frame page by page, and Rust's functions do.
//! C code that is compiled without stack probes moves the stack pointer past a large array in one step, over a page and
//! into the slot below. In a small slot 16 pages would leave little, so the guard takes a quarter of the slot at most.

use step01::BuildError;

/// The slot's size if nothing else is asked for: 256 KiB. (A TLS handshake in a debug build takes 68 KiB of stack.)
pub const DEFAULT_SLOT: usize = 256 << 10;

/// The largest slot: 1 GiB.
const LARGEST_SLOT: usize = 1 << 30;

/// The guard in pages, where the slot is large enough.
const GUARD_PAGES: usize = 16;

/// Bytes at the top of each slot that say whose it is.
pub(crate) const LABEL_BYTES: usize = 64;

/// The sizes of a stack slot and of its parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLayout {
    slot: usize,
    guard: usize,
}

impl SlotLayout {
    /// The layout for slots of `slot` bytes, guard and label included. It is rounded up to a power of two.
    ///
    /// # Errors
    ///
    /// [`BuildError`], naming the setting `stack_size`, if the slot would be smaller than [`SlotLayout::smallest`] or
    /// larger than 1 GiB.
    pub fn new(slot: usize) -> Result<SlotLayout, BuildError> {
        let least = SlotLayout::smallest();
        let refused = |reason| Err(BuildError::new("stack_size", slot, reason));
        if slot < least {
            return refused(format!(
                "a stack and its guard take at least {least} bytes here"
            ));
        }
        if slot > LARGEST_SLOT {
            return refused(format!("{LARGEST_SLOT} bytes is the most for one stack"));
        }
        let slot = slot.next_power_of_two();
        let guard = (GUARD_PAGES * page_size()).min(slot / 4);
        Ok(SlotLayout { slot, guard })
    }

    /// A layout that was one before.
    pub(crate) fn from_parts(slot: usize, guard: usize) -> SlotLayout {
        SlotLayout { slot, guard }
    }

    /// The smallest slot in bytes: four pages, one of them the guard; 16 KiB where a page is 4 KiB. It is enough for a
    /// task that calls little. Printing a panic takes more.
    pub fn smallest() -> usize {
        4 * page_size()
    }

    /// The whole slot in bytes.
    pub fn slot(self) -> usize {
        self.slot
    }

    /// The guard at its lower end, in bytes.
    pub fn guard(self) -> usize {
        self.guard
    }

    /// What is left for frames, in bytes.
    pub fn usable(self) -> usize {
        self.slot - self.guard - LABEL_BYTES
    }

    // ANCHOR: mask
    /// The base of the slot that an address lies in.
    #[inline]
    pub(crate) fn base_of(self, address: usize) -> usize {
        address & !(self.slot - 1)
    }
    // ANCHOR_END: mask

    /// The address one past the highest usable byte of the slot at `base`.
    #[inline]
    pub(crate) fn top_of(self, base: usize) -> usize {
        base + self.slot - LABEL_BYTES
    }
}

impl Default for SlotLayout {
    fn default() -> Self {
        // 256 KiB is within the bounds for every page size up to the 64 KiB that aarch64 can have.
        let guard = (GUARD_PAGES * page_size()).min(DEFAULT_SLOT / 4);
        SlotLayout {
            slot: DEFAULT_SLOT,
            guard,
        }
    }
}

/// The size of a page in bytes: 4 KiB on x86-64; 4, 16 or 64 KiB on aarch64.
pub(crate) fn page_size() -> usize {
    // SAFETY: it only asks.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(answer).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_powers_of_two_and_bounded() {
        assert_eq!(
            SlotLayout::default(),
            SlotLayout::new(DEFAULT_SLOT).unwrap()
        );
        assert_eq!(SlotLayout::new((64 << 10) + 1).unwrap().slot(), 128 << 10);
        let least = SlotLayout::smallest();
        assert_eq!(SlotLayout::new(least).unwrap().slot(), least);
        for wrong in [0, 1, least - 1, LARGEST_SLOT + 1, usize::MAX] {
            let error = SlotLayout::new(wrong).unwrap_err();
            assert_eq!(error.setting(), "stack_size");
            assert!(error.to_string().contains(&wrong.to_string()));
        }
    }

    #[test]
    fn a_small_slot_gives_a_quarter_to_its_guard_and_a_large_one_sixteen_pages() {
        let page = page_size();
        assert_eq!(SlotLayout::new(4 * page).unwrap().guard(), page);
        assert_eq!(SlotLayout::new(16 * page).unwrap().guard(), 4 * page);
        assert_eq!(SlotLayout::new(256 * page).unwrap().guard(), 16 * page);
    }

    #[test]
    fn every_address_of_a_slot_leads_to_its_base() {
        let layout = SlotLayout::new(SlotLayout::smallest()).unwrap();
        let base = 5 * layout.slot();
        for offset in [0, 1, layout.guard(), layout.slot() - 1] {
            assert_eq!(layout.base_of(base + offset), base);
        }
        assert_eq!(layout.base_of(base + layout.slot()), base + layout.slot());
        assert_eq!(layout.base_of(layout.top_of(base)), base);
    }
}
