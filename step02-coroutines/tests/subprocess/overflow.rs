//! Bug 12: runaway recursion, which without a guard writes over whatever lies below the stack.

use std::hint::black_box;

use step02::{Coroutine, GuardKind, Region, SlotLayout};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("recurse_marked", || recurse(GuardKind::MarkedInBatches)),
    ("recurse_protected", || recurse(GuardKind::Protected)),
    ("recurse_nested", recurse_nested),
    ("stray", stray),
];

#[allow(unconditional_recursion)]
fn endless(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    endless(depth + 1) + frame[3]
}

fn recurse(kind: GuardKind) {
    let region = Region::map_guarded_by(SlotLayout::new(64 << 10).unwrap(), 3, kind).unwrap();
    let _below = region.open().unwrap();
    let mut runaway = Coroutine::<u64, (), u64>::new(region.open().unwrap(), |_, n| endless(n));
    println!("line {}", line!() - 1);
    runaway.resume(black_box(1));
}

fn reports(case: &str) {
    let ended = child::run(case);
    let line = ended.value("line");
    ended
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task ")
        .said(&format!(
            "spawned at step02-coroutines/tests/subprocess/overflow.rs:{line}:"
        ))
        .said(&format!(
            " {} bytes",
            SlotLayout::new(64 << 10).unwrap().usable()
        ))
        .said("SlotLayout::new(bytes)");
}

#[test]
fn runaway_recursion_is_reported_where_guards_are_marks() {
    reports("recurse_marked");
}

#[test]
fn runaway_recursion_is_reported_where_guards_are_mappings() {
    reports("recurse_protected");
}

fn recurse_nested() {
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 3).unwrap();
    let inner = region.open().unwrap();
    let mut outer = Coroutine::<u64, (), u64>::new(region.open().unwrap(), |_, n| {
        let mut inner = Coroutine::<u64, (), u64>::new(inner, |_, n| endless(n));
        println!("line {}", line!() - 1);
        inner.resume(n);
        0
    });
    outer.resume(black_box(1));
}

#[test]
fn the_one_that_overflows_is_named_and_not_the_one_that_resumed_it() {
    reports("recurse_nested");
}

/// A fault on a coroutine's stack that is no overflow.
fn stray() {
    let mut coroutine = Coroutine::<usize, (), u8>::new(crate::stack(), |_, address| {
        // SAFETY: none; the kernel is to end this process.
        unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
    });
    coroutine.resume(black_box(64));
}

#[test]
fn another_fault_stays_a_fault() {
    child::run("stray")
        .was_ended_by(libc::SIGSEGV)
        .did_not_say("stack overflow");
}
