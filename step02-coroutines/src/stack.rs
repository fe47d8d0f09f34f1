//! One large mapping, cut into stacks.
//!
//! A stack is only memory. What a million of them need is *addresses*, of which there are plenty, and as few pages and as
//! few mappings as possible:
//!
//! - *One mapping* for all stacks of a runtime, reserved and not committed: 1,048,576 slots of 256 KiB are 256 GiB of
//!   addresses, of 131,072 GiB that a process has. A page gets memory when it is touched for the first time, so a task
//!   that needs little stack costs one page, and the tables that lead to it.
//! - *Slots are powers of two*, so an address leads to its slot by a mask (`layout.rs`).
//! - *No huge pages*: where the system hands them out unasked, the first touch of a stack would commit 2 MiB.
//! - *Guards* that do not cut the mapping into pieces (`guard.rs`).
//!
//! # Who owns what
//!
//! A [`Region`] is the mapping. A [`Stack`] is one slot of it, and is its only owner: whoever has it may write to the
//! memory. It keeps the region alive, so a stack that is forgotten keeps its memory for ever, which is what makes
//! forgetting a coroutine sound. A stack that is dropped gives its pages back and goes on its region's list of returned
//! ones, from any thread; the usual way back is by a pool (`stack_pool.rs`), which is free of locks.
//!
//! Rejected: *a mapping for each stack*, as corosensei, may and most others have: two system calls for each, and two or
//! three entries of the 65,530. *Growing by copying* as Go does it: the compiler must be able to find and correct every
//! pointer into the stack. *Segmented stacks*, which Go and Rust had and left: a call at a segment's end in a loop costs
//! an allocation each time round.

use std::io;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use step01::SpawnError;
use step01::limits::{self, Request};

#[cfg(feature = "valgrind")]
use crate::checkers;
use crate::guard::{self, BATCH, GuardKind};
use crate::layout::{LABEL_BYTES, SlotLayout, page_size};
use crate::overflow::{self, Watch};

/// One mapping, cut into slots.
#[derive(Debug)]
pub struct Region {
    mapping: NonNull<u8>,
    mapped: usize,
    /// The first multiple of the slot size in the mapping: the first slot.
    first: NonNull<u8>,
    slots: usize,
    layout: SlotLayout,
    /// Slots that have been handed out at least once; they are the lowest.
    opened: Mutex<Opened>,
    /// Slots whose stack was dropped outside of a pool.
    returned: Mutex<Vec<usize>>,
    /// The length of `returned`, so that a pool need not take the lock to see that there is none.
    returned_count: AtomicUsize,
    /// Whether guards turned out to be mappings.
    protected: AtomicBool,
    watch: Watch,
}

#[derive(Debug)]
struct Opened {
    /// Slots below this were handed out before.
    used: usize,
    /// Slots below this have a guard.
    guarded: usize,
    kind: GuardKind,
    /// What valgrind calls the stacks that were handed out.
    #[cfg(feature = "valgrind")]
    names: Vec<usize>,
}

// SAFETY: the region is addresses and counts. The memory in the slots belongs to the `Stack`s.
unsafe impl Send for Region {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for Region {}

// ANCHOR: map
impl Region {
    /// Reserves addresses for `slots` stacks. No memory is spent before they are used.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] names the limit that does not allow so much address space, such as `RLIMIT_AS`.
    pub fn map(layout: SlotLayout, slots: usize) -> Result<Arc<Region>, SpawnError> {
        Region::map_guarded_by(layout, slots, GuardKind::MarkedInBatches)
    }

    /// [`Region::map`] with the way of making guards that is tried first. For tests and measurements: the default finds
    /// out by itself what this system has.
    pub fn map_guarded_by(
        layout: SlotLayout,
        slots: usize,
        kind: GuardKind,
    ) -> Result<Arc<Region>, SpawnError> {
        let refused = |cause, bytes| {
            let request = Request {
                threads: 0,
                mappings: 1,
                bytes,
                setting: crate::STACK_SETTING,
            };
            limits::explain(cause, request)
        };
        // One slot more than needed, so that there is a multiple of the slot's size early enough.
        let Some(mapped) = slots
            .checked_add(1)
            .and_then(|n| n.checked_mul(layout.slot()))
        else {
            return Err(refused(
                io::Error::from_raw_os_error(libc::ENOMEM),
                u64::MAX,
            ));
        };
        // SAFETY: a new private mapping, at an address of the kernel's choice, touches nobody's memory.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(refused(io::Error::last_os_error(), mapped as u64));
        }
        let Some(mapping) = NonNull::new(mapping.cast::<u8>()) else {
            unreachable!("without MAP_FIXED the kernel does not map address zero");
        };
        // SAFETY: the range is ours. A kernel without huge pages refuses the advice, and does not need it.
        unsafe { libc::madvise(mapping.as_ptr().cast(), mapped, libc::MADV_NOHUGEPAGE) };
        let to_first = mapping.as_ptr().align_offset(layout.slot());
        // SAFETY: less than a slot, and one slot was mapped in addition.
        let first = unsafe { mapping.add(to_first) };
        Ok(Arc::new(Region {
            mapping,
            mapped,
            first,
            slots,
            layout,
            opened: Mutex::new(Opened {
                used: 0,
                guarded: 0,
                kind,
                #[cfg(feature = "valgrind")]
                names: Vec::new(),
            }),
            returned: Mutex::new(Vec::new()),
            returned_count: AtomicUsize::new(0),
            protected: AtomicBool::new(kind == GuardKind::Protected),
            watch: overflow::watch(first.as_ptr().addr(), slots, layout),
        }))
    }
    // ANCHOR_END: map

    // ANCHOR: open
    /// Hands out a slot: one that was dropped, if there is one, or else one that was never used.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], if all slots are in use, or the system allows no more guards.
    pub fn open(self: &Arc<Self>) -> Result<Stack, SpawnError> {
        // Relaxed: only a hint whether the lock is worth taking; a stack that is returned meanwhile is found next time.
        if self.returned_count.load(Relaxed) > 0 {
            let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = returned.pop() {
                self.returned_count.store(returned.len(), Relaxed);
                return Ok(self.stack(slot));
            }
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.used == self.slots {
            return Err(self.full());
        }
        if opened.used == opened.guarded {
            self.guard_more(&mut opened)?;
        }
        opened.used += 1;
        let stack = self.stack(opened.used - 1);
        #[cfg(feature = "valgrind")]
        opened.names.push(checkers::valgrind::register(
            stack.bottom().addr(),
            stack.top().addr() - 1,
        ));
        Ok(stack)
    }
    // ANCHOR_END: open

    /// Takes stacks back that nobody wants to keep, all at once, and as they are: giving their pages back one by one costs
    /// a system call each, and mostly the whole region is about to go.
    pub(crate) fn take_back(&self, stacks: impl Iterator<Item = Stack>) {
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        returned.extend(stacks.map(Stack::into_slot));
        self.returned_count.store(returned.len(), Relaxed);
    }

    /// Guards the next slots: as many as there are already, so that few stacks cost little and many cost few calls.
    fn guard_more(&self, opened: &mut Opened) -> Result<(), SpawnError> {
        let count = opened
            .guarded
            .clamp(1, BATCH)
            .min(self.slots - opened.guarded);
        // SAFETY: below `slots`, and never handed out, since guards go in front of use.
        unsafe {
            let base = self.first.add(opened.guarded * self.layout.slot());
            guard::install(&mut opened.kind, base.as_ptr(), count, self.layout)?;
        }
        opened.guarded += count;
        self.protected
            .store(opened.kind == GuardKind::Protected, Relaxed);
        Ok(())
    }

    /// Guards slots until there are `count`, so that the next stacks up to this number cannot be refused.
    ///
    /// # Errors
    ///
    /// As [`Region::open`].
    pub fn reserve(&self, count: usize) -> Result<(), SpawnError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        while opened.guarded < count {
            if opened.guarded == self.slots {
                return Err(self.full());
            }
            self.guard_more(&mut opened)?;
        }
        Ok(())
    }

    fn stack(self: &Arc<Self>, slot: usize) -> Stack {
        Stack {
            // SAFETY: `slot` is below `slots`.
            base: unsafe { self.first.add(slot * self.layout.slot()) },
            region: Arc::clone(self),
        }
    }

    /// What there is to say when all slots are in use.
    pub fn full(&self) -> SpawnError {
        let slots = self.slots;
        SpawnError::new(
            io::Error::from_raw_os_error(libc::EAGAIN),
            format!("all {slots} stacks of the runtime are in use"),
            format!(
                "raise it with `{}`, or keep fewer tasks alive at a time",
                crate::COUNT_SETTING
            ),
        )
    }

    /// How a slot is divided.
    pub fn layout(&self) -> SlotLayout {
        self.layout
    }

    /// The number of slots.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How guards are made here; what was asked for until the first stack was opened.
    pub fn guard_kind(&self) -> GuardKind {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .kind
    }

    /// True if guards are mappings here, of which there is a limit. Known from the first stack on.
    pub fn guards_are_mappings(&self) -> bool {
        // Relaxed: it changes once, with the first guard.
        self.protected.load(Relaxed)
    }

    // ANCHOR: find
    /// The lowest address of the slot that `address` is in, if it is in one of this region's. With a stack pointer, it
    /// answers "do I run on one of these stacks, and on which?".
    #[inline]
    pub fn slot_of(&self, address: usize) -> Option<usize> {
        let first = self.first.as_ptr().addr();
        let inside = address.wrapping_sub(first) < self.slots * self.layout.slot();
        inside.then(|| self.layout.base_of(address))
    }
    // ANCHOR_END: find
}

impl Drop for Region {
    fn drop(&mut self) {
        // First, so that the handler of faults does not look into what is no longer there.
        self.watch.end();
        #[cfg(feature = "valgrind")]
        for name in self
            .opened
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .names
            .drain(..)
        {
            checkers::valgrind::deregister(name);
        }
        // SAFETY: every `Stack` keeps its region alive, so nobody has any of it.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapped) };
    }
}

/// What is written at the top of each slot: whose stack it is. Read by the handler of stack overflows.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Label {
    task: AtomicU64,
    site: AtomicPtr<Location<'static>>,
}

const _: () = assert!(size_of::<Label>() == LABEL_BYTES);

impl Label {
    /// The label of the slot at `base`.
    ///
    /// # Safety
    ///
    /// The slot must be mapped. (Fresh memory is zeros, which is the label of nobody.)
    pub(crate) unsafe fn of<'a>(base: usize, layout: SlotLayout) -> &'a Label {
        // SAFETY: it is within the slot, by the caller's promise mapped, and all of it is atomic.
        unsafe { &*ptr::with_exposed_provenance(layout.top_of(base)) }
    }

    // ANCHOR: label_write
    fn write(&self, task: u64, site: Option<&'static Location<'static>>) {
        // Relaxed: it is read on the same thread, by a signal handler that comes later. A handler on another thread, in
        // which a stray pointer hit this slot's guard, may see one half of it new and the other old, which only spoils
        // a message.
        self.task.store(task, Relaxed);
        let site = site.map_or(ptr::null_mut(), |site| ptr::from_ref(site).cast_mut());
        // Release: pairs with the Acquire in `read`, for the one that sees the site to see the number.
        self.site.store(site, Release);
    }
    // ANCHOR_END: label_write

    pub(crate) fn read(&self) -> Option<(u64, &'static Location<'static>)> {
        let site = self.site.load(Acquire);
        // SAFETY: null, or a `&'static` that `write` has stored.
        let site = unsafe { site.as_ref() }?;
        Some((self.task.load(Relaxed), site))
    }
}

/// One slot of a region: a stack that nobody else has.
#[derive(Debug)]
pub struct Stack {
    base: NonNull<u8>,
    region: Arc<Region>,
}

// SAFETY: it owns the memory of its slot, and the region is Sync.
unsafe impl Send for Stack {}
// SAFETY: through a shared reference it only tells addresses, and writes the label, which is atomic.
unsafe impl Sync for Stack {}

impl Stack {
    /// One past the highest usable byte: where the first frame begins. A multiple of 64.
    pub fn top(&self) -> *mut u8 {
        let layout = self.region.layout;
        // SAFETY: in the slot.
        unsafe { self.base.as_ptr().add(layout.slot() - LABEL_BYTES) }
    }

    /// The lowest usable byte, above the guard.
    pub fn bottom(&self) -> *mut u8 {
        // SAFETY: in the slot.
        unsafe { self.base.as_ptr().add(self.region.layout.guard()) }
    }

    /// The lowest address of the slot: the guard. No two stacks that are in use have the same.
    pub fn base(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// How the slot is divided.
    pub fn layout(&self) -> SlotLayout {
        self.region.layout
    }

    /// The region that it is a part of.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Says whose stack this is, for the message if it overflows. It writes to the slot's highest page.
    pub fn label(&self, task: u64, site: &'static Location<'static>) {
        self.own_label().write(task, Some(site));
    }

    pub(crate) fn own_label(&self) -> &Label {
        // SAFETY: the slot is ours, and mapped while the region lives.
        unsafe { &*self.top().cast::<Label>() }
    }

    // ANCHOR: trim
    /// Gives the pages back that a deep call has touched, all but the uppermost `keep` bytes of the slot. They are zeros
    /// if they are touched again.
    pub fn trim(&mut self, keep: usize) {
        let layout = self.region.layout;
        let keep = keep.next_multiple_of(page_size());
        let Some(len) = (layout.slot() - layout.guard()).checked_sub(keep) else {
            return;
        };
        // SAFETY: the range is in the slot, which is ours, and no frame is on it: `&mut self` cannot be had while a
        // coroutine runs on it.
        unsafe { libc::madvise(self.bottom().cast(), len, libc::MADV_DONTNEED) };
    }
    // ANCHOR_END: trim

    /// How much memory it takes at present, in bytes: whole pages that were touched. Asks the kernel, so it is not for
    /// every day.
    ///
    /// # Errors
    ///
    /// Those of mincore(2).
    pub fn resident(&self) -> io::Result<usize> {
        let layout = self.region.layout;
        let page = page_size();
        let len = layout.slot() - layout.guard();
        let mut pages = vec![0u8; len / page];
        // SAFETY: the range is mapped, and the vector has a byte for each of its pages.
        let code = unsafe { libc::mincore(self.bottom().cast(), len, pages.as_mut_ptr()) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(page * pages.iter().filter(|state| **state & 1 == 1).count())
    }
}

impl Stack {
    /// The number of its slot.
    fn slot(&self) -> usize {
        (self.base() - self.region.first.as_ptr().addr()) / self.region.layout.slot()
    }

    /// The slot without the stack around it: what is on it stays as it is.
    fn into_slot(self) -> usize {
        let slot = self.slot();
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and nobody looks at it again, so the region is taken out of it once.
        drop(unsafe { ptr::read(&this.region) });
        slot
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.trim(0);
        let (region, slot) = (&self.region, self.slot());
        let mut returned = region
            .returned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        returned.push(slot);
        region.returned_count.store(returned.len(), Relaxed);
    }
}
