//! Regions: guards, a million of them, and what the system says about it.

use std::fs;
use std::sync::Arc;

use step02::{GuardKind, Region, SlotLayout, Stack, StackPool};

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Lets the kernel touch the byte, which answers EFAULT where this process would get a signal.
fn readable(address: *const u8) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: write(2) checks the address itself.
    unsafe {
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        let written = libc::write(pipe[1], address.cast(), 1);
        libc::close(pipe[0]);
        libc::close(pipe[1]);
        written == 1
    }
}

#[test]
fn every_stack_is_writable_down_to_its_guard_and_not_below() {
    for kind in [
        GuardKind::MarkedInBatches,
        GuardKind::Marked,
        GuardKind::Protected,
    ] {
        for slot in [SlotLayout::smallest(), 64 << 10, 256 << 10] {
            let layout = SlotLayout::new(slot).unwrap();
            let region = Region::map_guarded_by(layout, 40, kind).unwrap();
            let stacks: Vec<Stack> = (0..40).map(|_| region.open().unwrap()).collect();
            for stack in &stacks {
                assert_eq!(stack.base() % layout.slot(), 0);
                let (bottom, top) = (stack.bottom(), stack.top());
                assert_eq!(top.addr() - bottom.addr(), layout.usable());
                assert_eq!(bottom.addr() - stack.base(), layout.guard());
                // SAFETY: both bytes are in the slot, which is ours.
                unsafe {
                    bottom.write(1);
                    top.sub(1).write(1);
                }
                assert!(!readable(bottom.wrapping_sub(1)));
                assert!(!readable(bottom.wrapping_sub(layout.guard())));
            }
            assert!(
                region
                    .open()
                    .unwrap_err()
                    .to_string()
                    .contains("all 40 stacks")
            );
        }
    }
}

#[test]
fn a_stack_that_comes_back_is_guarded_still_and_empty() {
    let region = Region::map(SlotLayout::default(), 1).unwrap();
    for _ in 0..3 {
        let stack = region.open().unwrap();
        assert_eq!(stack.resident().unwrap(), 0);
        // SAFETY: in the slot.
        unsafe { stack.top().sub(1).write(1) };
        assert!(stack.resident().unwrap() > 0);
        assert!(!readable(stack.bottom().wrapping_sub(1)));
    }
}

/// Whether MADV_GUARD_INSTALL does here what it says, tried on a page of its own.
fn kernel_has_marks() -> bool {
    // SAFETY: a new mapping, and advice on it.
    unsafe {
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), 4096, rights, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        let marked = libc::madvise(page, 4096, 102) == 0 && !readable(page.cast());
        libc::munmap(page, 4096);
        marked
    }
}

/// A kernel that does not know the advice says so. An emulated one may say "done" and do nothing.
#[test]
fn guards_are_mappings_only_where_the_kernel_has_no_marks() {
    for first in [GuardKind::MarkedInBatches, GuardKind::Marked] {
        let layout = SlotLayout::new(64 << 10).unwrap();
        let region = Region::map_guarded_by(layout, 3, first).unwrap();
        let stack = region.open().unwrap();
        let kind = region.guard_kind();
        println!("asked for {first:?}, got {kind:?}");
        assert_eq!(kind != GuardKind::Protected, kernel_has_marks(), "{kind:?}");
        assert!(!readable(stack.bottom().wrapping_sub(1)));
    }
}

// ANCHOR: million
/// Bug 13: guards that split the mapping stop near 32,700 stacks.
#[test]
fn a_million_guarded_stacks_are_one_mapping() {
    if !kernel_has_marks() {
        println!("skipped: this kernel has no MADV_GUARD_INSTALL (Linux 6.13)");
        return;
    }
    let layout = SlotLayout::new(64 << 10).unwrap();
    let region = Region::map(layout, 1_000_000).unwrap();
    let mut stacks = vec![region.open().unwrap()];
    let before = mappings();
    stacks.extend((1..1_000_000).map(|_| region.open().unwrap()));
    let after = mappings();
    // The list of stacks grows too, and malloc may map that. Other tests of this process map a region or two.
    assert!(after <= before + 200, "{before} mappings became {after}");
    for stack in stacks.iter().step_by(99_991) {
        assert!(readable(stack.bottom()));
        assert!(!readable(stack.bottom().wrapping_sub(1)));
    }
}
// ANCHOR_END: million

#[test]
fn a_region_that_no_process_can_have_is_refused_by_the_limits_name() {
    let layout = SlotLayout::new(1 << 30).unwrap();
    for slots in [1 << 20, usize::MAX] {
        let error = Region::map(layout, slots).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot start another task: Cannot allocate memory"),
            "{text}"
        );
    }
}

#[test]
fn stacks_may_be_dropped_on_any_thread() {
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 8).unwrap();
    let stacks: Vec<Stack> = (0..8).map(|_| region.open().unwrap()).collect();
    let threads: Vec<_> = stacks
        .into_iter()
        .map(|stack| std::thread::spawn(move || drop(stack)))
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let again: Vec<Stack> = (0..8).map(|_| region.open().unwrap()).collect();
    assert!(region.open().is_err());
    let mut bases: Vec<usize> = again.iter().map(Stack::base).collect();
    bases.sort_unstable();
    bases.dedup();
    assert_eq!(bases.len(), 8);
}

#[test]
fn the_last_stack_unmaps_the_region() {
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 8).unwrap();
    let weak = Arc::downgrade(&region);
    let stack = region.open().unwrap();
    drop(region);
    assert!(weak.upgrade().is_some());
    let byte = stack.bottom();
    assert!(readable(byte));
    drop(stack);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_pool_that_ends_leaves_its_stacks_to_the_region() {
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 40).unwrap();
    let weak = Arc::downgrade(&region);
    for _ in 0..3 {
        let mut pool = StackPool::new(Arc::clone(&region));
        let stacks: Vec<Stack> = (0..40).map(|_| pool.take().unwrap()).collect();
        assert!(pool.take().is_err());
        stacks.into_iter().for_each(|stack| pool.give_back(stack));
        assert_eq!(pool.idle(), 40);
    }
    drop(region);
    assert!(weak.upgrade().is_none());
}
