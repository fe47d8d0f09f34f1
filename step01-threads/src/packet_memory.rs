//! Memory for packets, to be used again: a stack of free blocks for each size, on each thread.
//!
//! Each task has a packet with its closure and its result (`join.rs`). A task of the later steps costs some tens of
//! nanoseconds in all, and of those the system's allocator would be the largest part. What it can do fast is a handful
//! of blocks of one size; a program that starts a thousand tasks and then joins them asks for a thousand. So a block
//! that is freed goes on a list of the thread that freed it, and the next packet made there takes it from that list.
//!
//! - A list is a chain through the free blocks themselves, last in, first out: the block that was used last is in the
//!   cache.
//! - Sizes are rounded up to 32 bytes; packets of more than 256 bytes go to the system's allocator, as do those with an
//!   unusual alignment.
//! - A list holds 1,024 blocks at most. What is beyond goes back to the system, as does everything when the thread ends.
//!   So a thread that only frees what others allocate collects no memory without end.
//!
//! The lists are per thread, so they need no lock; a block may be freed on another thread than it was taken on.
//!
//! Rejected: *the system's allocator alone*: a third of the time of a spawn and a join on step 2. *Keeping the closure
//! in the runtime's own record of a task*: the handle would then need that record to stay, however long the user keeps
//! the handle. *Another allocator for the whole program*: that is the program's choice, not a library's.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Sizes are rounded up to a multiple of this, in bytes.
const STEP: usize = 32;

/// So many sizes have a list.
const SIZES: usize = 8;

/// The most blocks on one list.
const KEPT: usize = 1024;

/// What malloc aligns to anyway on the machines that this runs on.
const ALIGNMENT: usize = 16;

/// A free block: what was in it is gone.
struct Free {
    next: *mut Free,
}

/// The free blocks of one size.
struct List {
    first: Cell<*mut Free>,
    count: Cell<usize>,
}

struct Lists([List; SIZES]);

thread_local! {
    static LISTS: Lists = const {
        Lists([const {
            List {
                first: Cell::new(ptr::null_mut()),
                count: Cell::new(0),
            }
        }; SIZES])
    };
}

/// Which list is for blocks of this layout, if one is.
#[inline]
fn index(layout: Layout) -> Option<usize> {
    let small = layout.size() != 0 && layout.size() <= STEP * SIZES && layout.align() <= ALIGNMENT;
    small.then(|| (layout.size() - 1) / STEP)
}

/// The layout of the blocks on a list.
const fn block(index: usize) -> Layout {
    match Layout::from_size_align((index + 1) * STEP, ALIGNMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("a few dozen bytes, aligned to sixteen"),
    }
}

// ANCHOR: packet_memory
/// Memory for a value of this layout. Inlined, since where the layout is known, so is the list.
#[inline(always)]
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    match index(layout) {
        Some(index) => take(index),
        None => from_system(layout),
    }
}

/// Not inlined, nor is [`put`]: the address of a thread-local must not be kept across a park.
#[inline(never)]
fn take(index: usize) -> NonNull<u8> {
    // The lists are gone while the thread's destructors run.
    let listed = LISTS.try_with(|lists| {
        let list = &lists.0[index];
        let first = NonNull::new(list.first.get())?;
        // SAFETY: blocks on the list are ours, and each holds the link that `put` wrote.
        list.first.set(unsafe { first.as_ref() }.next);
        list.count.set(list.count.get() - 1);
        Some(first.cast())
    });
    match listed {
        Ok(Some(block)) => block,
        _ => from_system(block(index)),
    }
}

/// Takes memory back.
///
/// # Safety
///
/// It must come from [`allocate`], with the same layout, and nobody may use it any more.
#[inline(always)]
pub(crate) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: by the caller's promise it is from the list that this layout leads to, or from the system.
    unsafe {
        match index(layout) {
            Some(index) => put(memory, index),
            None => alloc::dealloc(memory.as_ptr(), layout),
        }
    }
}

/// # Safety
///
/// The memory must come from [`take`], with the same index, and nobody may use it any more.
#[inline(never)]
unsafe fn put(memory: NonNull<u8>, index: usize) {
    let listed = LISTS.try_with(|lists| {
        let list = &lists.0[index];
        let room = list.count.get() < KEPT;
        if room {
            let free = memory.cast::<Free>();
            // SAFETY: it is ours by the caller's promise, and large enough and aligned for a pointer.
            unsafe {
                free.write(Free {
                    next: list.first.get(),
                });
            }
            list.first.set(free.as_ptr());
            list.count.set(list.count.get() + 1);
        }
        room
    });
    if listed != Ok(true) {
        // SAFETY: `take` has it from the system, with the layout of the list's blocks.
        unsafe { alloc::dealloc(memory.as_ptr(), block(index)) };
    }
}
// ANCHOR_END: packet_memory

fn from_system(layout: Layout) -> NonNull<u8> {
    // SAFETY: a packet is never of size zero.
    let memory = unsafe { alloc::alloc(layout) };
    match NonNull::new(memory) {
        Some(memory) => memory,
        None => alloc::handle_alloc_error(layout),
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        for (index, list) in self.0.iter().enumerate() {
            let mut next = list.first.replace(ptr::null_mut());
            while let Some(free) = NonNull::new(next) {
                // SAFETY: it is on the list, so it is ours, and was taken from the system with this layout.
                unsafe {
                    next = free.as_ref().next;
                    alloc::dealloc(free.as_ptr().cast(), block(index));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Blocks that are in use at the same time never overlap, whatever is allocated and freed in between, and on
        /// whichever thread.
        #[test]
        fn no_two_share_a_byte(acts in proptest::collection::vec((any::<bool>(), 1..300usize, 0..6u32), 1..200)) {
            let mut used: Vec<(NonNull<u8>, Layout, u8)> = Vec::new();
            for (n, (take, size, align)) in acts.into_iter().enumerate() {
                if take || used.is_empty() {
                    let layout = Layout::from_size_align(size, 1 << align).unwrap();
                    let memory = allocate(layout);
                    prop_assert_eq!(memory.as_ptr().addr() % layout.align(), 0);
                    let mark = n as u8;
                    // SAFETY: it is ours, and so large.
                    unsafe { memory.write_bytes(mark, size) };
                    used.push((memory, layout, mark));
                } else {
                    let (memory, layout, mark) = used.swap_remove(size % used.len());
                    // SAFETY: it was allocated and filled, and is not used again.
                    unsafe {
                        let bytes = std::slice::from_raw_parts(memory.as_ptr(), layout.size());
                        prop_assert!(bytes.iter().all(|byte| *byte == mark));
                        free(memory, layout);
                    }
                }
            }
            let rest: Vec<(usize, Layout)> = used.iter().map(|(at, layout, _)| (at.as_ptr().expose_provenance(), *layout)).collect();
            std::thread::spawn(move || {
                for (at, layout) in rest {
                    // SAFETY: as above; a block may be freed on another thread.
                    unsafe { free(NonNull::new(ptr::with_exposed_provenance_mut(at)).unwrap(), layout) };
                }
            })
            .join()
            .unwrap();
        }
    }

    /// What is freed last is taken first, and a list does not grow without end.
    #[test]
    fn a_list_is_a_stack_with_a_limit() {
        std::thread::spawn(|| {
            let layout = Layout::from_size_align(100, 8).unwrap();
            let blocks: Vec<_> = (0..2 * KEPT).map(|_| allocate(layout)).collect();
            // SAFETY: each is freed once.
            blocks
                .iter()
                .for_each(|block| unsafe { free(*block, layout) });
            let count = LISTS.with(|lists| lists.0[index(layout).unwrap()].count.get());
            assert_eq!(count, KEPT);
            assert_eq!(allocate(layout), blocks[KEPT - 1]);
            // SAFETY: as above.
            unsafe { free(blocks[KEPT - 1], layout) };
        })
        .join()
        .unwrap();
    }
}
