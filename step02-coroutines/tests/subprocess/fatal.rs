//! What a coroutine may not do: the process ends with a sentence.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use step02::{Coroutine, Region, SlotLayout, Suspender, arch};

use crate::child::{self, Case};
use crate::stack;

pub(crate) const CASES: &[Case] = &[
    ("swallow_and_suspend", swallow_and_suspend),
    ("swallow_and_panic", swallow_and_panic),
    ("suspend_in_panic", suspend_in_panic),
    ("suspend_in_drop", suspend_in_drop),
    ("misaligned", misaligned),
];

fn swallow_and_suspend() {
    let mut stubborn = Coroutine::<(), (), ()>::new(stack(), |suspender, ()| {
        loop {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(())));
        }
    });
    stubborn.resume(());
    drop(stubborn);
}

#[test]
fn catching_the_unwinding_of_a_drop_and_suspending_again_is_refused() {
    child::run("swallow_and_suspend")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: a coroutine that is being dropped caught the unwinding of its stack")
        .said("and suspended itself again")
        .said("step01::ForcedUnwind");
}

fn swallow_and_panic() {
    let mut stubborn = Coroutine::<(), (), ()>::new(stack(), |suspender, ()| {
        let _ = panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(())));
        panic!("of its own");
    });
    stubborn.resume(());
    drop(stubborn);
}

#[test]
fn catching_the_unwinding_of_a_drop_and_panicking_is_refused() {
    child::run("swallow_and_panic")
        .was_ended_by(libc::SIGABRT)
        .said("of its own")
        .said("fatal error: a coroutine that is being dropped caught the unwinding of its stack and panicked");
}

struct Suspends<'a>(&'a Suspender<(), ()>);

impl Drop for Suspends<'_> {
    fn drop(&mut self) {
        self.0.suspend(());
    }
}

fn suspend_in_panic() {
    let mut coroutine = Coroutine::<(), (), ()>::new(stack(), |suspender, ()| {
        let _suspends = Suspends(suspender);
        panic!("first");
    });
    coroutine.resume(());
}

#[test]
fn suspending_in_the_middle_of_a_panic_is_refused() {
    child::run("suspend_in_panic")
        .was_ended_by(libc::SIGABRT)
        .said("first")
        .said("fatal error: a coroutine suspended itself in a destructor that runs because of a panic");
}

fn suspend_in_drop() {
    let mut coroutine = Coroutine::<(), (), ()>::new(stack(), |suspender, ()| {
        let _suspends = Suspends(suspender);
        suspender.suspend(());
    });
    coroutine.resume(());
    drop(coroutine);
}

#[test]
fn suspending_in_a_destructor_of_a_drop_is_refused() {
    child::run("suspend_in_drop")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: a coroutine that is being dropped suspended itself in a destructor");
}

// ANCHOR: misaligned
unsafe extern "C" fn never_entered(_: *mut (), _: *mut ()) -> ! {
    println!("entered");
    std::process::exit(0)
}

/// Bug 15: a stack whose first frame is eight bytes off.
fn misaligned() {
    let region: Arc<Region> = Region::map(SlotLayout::default(), 1).unwrap();
    let stack = region.open().unwrap();
    let mut here = std::ptr::null_mut();
    // SAFETY: the stack is ours. That the top is wrong is what is to be found out.
    unsafe {
        let top = stack.top().sub(8);
        let context = arch::prepare(top, never_entered, std::ptr::null_mut());
        arch::switch(&raw mut here, context, std::ptr::null_mut());
    }
}

#[test]
fn a_misaligned_stack_is_found_out_before_its_first_function_runs() {
    child::run("misaligned")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: a stack was entered with a misaligned stack pointer")
        .said("the code that prepared it is wrong");
}
// ANCHOR_END: misaligned
