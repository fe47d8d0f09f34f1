//! Runaway recursion on a stack of ours: whose it is, found from the address alone.
//!
//! Step 1 owns the handler, the message and the abort (`step01::overflow`). It asks every stage whether it knows the
//! guard that was touched. Here the answer takes three steps, and no lock: which region is the address in, what is the
//! base of its slot (a mask), and what does the label at the slot's top say.
//!
//! The regions are in a list that only grows. A region that is unmapped leaves its entry to the next one.

use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use step01::overflow::{self, Lookup, Report};

use crate::layout::SlotLayout;
use crate::stack::Label;

/// One region, as far as the handler needs to know it. Never freed.
#[derive(Debug)]
struct Entry {
    first: AtomicUsize,
    /// Zero if no region has this entry.
    bytes: AtomicUsize,
    slot: AtomicUsize,
    guard: AtomicUsize,
    next: AtomicPtr<Entry>,
}

/// The first of the entries; each leads to an older one.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());

/// Held by who changes entries. The handler does not take it.
static CHANGE: Mutex<()> = Mutex::new(());

/// What step 1's handler asks.
static LOOKUP: Lookup = Lookup::new(find);

/// A region's entry; it must be ended before the region is unmapped.
#[derive(Debug)]
pub(crate) struct Watch(&'static Entry);

fn entries() -> impl Iterator<Item = &'static Entry> {
    // Acquire, here and below: pairs with the Release in `watch`, so that the entry is seen whole.
    let mut at = ENTRIES.load(Acquire);
    std::iter::from_fn(move || {
        // SAFETY: null, or a leaked entry.
        let entry = unsafe { at.as_ref() }?;
        at = entry.next.load(Acquire);
        Some(entry)
    })
}

/// Has overflows in these slots reported. Installs step 1's handler if it is not there yet.
pub(crate) fn watch(first: usize, slots: usize, layout: SlotLayout) -> Watch {
    overflow::install();
    // SAFETY: `find` compares, loads atomics and reads a label in memory that is mapped as long as its entry says so.
    unsafe { overflow::register(&LOOKUP) };
    let _changing = CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: entries change under the lock only.
    let free = entries().find(|entry| entry.bytes.load(Relaxed) == 0);
    let entry = free.unwrap_or_else(|| {
        let entry = Box::leak(Box::new(Entry {
            first: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            slot: AtomicUsize::new(0),
            guard: AtomicUsize::new(0),
            // Relaxed: as above.
            next: AtomicPtr::new(ENTRIES.load(Relaxed)),
        }));
        // Release: pairs with the Acquire in `entries`.
        ENTRIES.store(entry, Release);
        entry
    });
    entry.first.store(first, Relaxed);
    entry.slot.store(layout.slot(), Relaxed);
    entry.guard.store(layout.guard(), Relaxed);
    // Release: pairs with the Acquire in `find`. From here on the entry counts.
    entry.bytes.store(slots * layout.slot(), Release);
    Watch(entry)
}

impl Watch {
    /// The region is about to go.
    pub(crate) fn end(&self) {
        let _changing = CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
        // Release: what the handler does with an entry that it has seen to count is over before the entry is reused, but
        // for a handler that runs at this very moment on another thread. It was called for a stray pointer into a
        // region that is being unmapped, and may then report nonsense, or fault itself; the process ends either way.
        self.0.bytes.store(0, Release);
    }
}

/// The bounds of the stack that an address is in: its lowest usable byte, and its size.
#[cfg(feature = "asan")]
pub(crate) fn stack_of(address: usize) -> Option<(usize, usize)> {
    entries().find_map(|entry| {
        // Acquire: as in `find`.
        let bytes = entry.bytes.load(Acquire);
        let inside = address.wrapping_sub(entry.first.load(Relaxed)) < bytes;
        inside.then(|| {
            let (slot, guard) = (entry.slot.load(Relaxed), entry.guard.load(Relaxed));
            let layout = SlotLayout::from_parts(slot, guard);
            (layout.base_of(address) + guard, layout.usable())
        })
    })
}

// ANCHOR: find
/// Called in the handler: no lock, no allocation.
fn find(address: usize) -> Option<Report> {
    for entry in entries() {
        let bytes = entry.bytes.load(Acquire);
        let first = entry.first.load(Relaxed);
        if address.wrapping_sub(first) >= bytes {
            continue;
        }
        let layout = SlotLayout::from_parts(entry.slot.load(Relaxed), entry.guard.load(Relaxed));
        let base = layout.base_of(address);
        if address - base >= layout.guard() {
            return None; // a fault, but not in a guard
        }
        // SAFETY: the entry says that the slot is mapped.
        let (task, site) = unsafe { Label::of(base, layout) }.read()?;
        return Some(Report {
            task,
            site,
            stack_size: layout.usable(),
            setting: crate::STACK_SETTING,
        });
    }
    None
}
// ANCHOR_END: find
