//! The registers that a function must keep are kept by one that switches.
//!
//! Whether the compiler has anything in a particular register across a call is its own affair, and differs between debug
//! and release. So a few lines of assembly fill them all, call a function that switches, and look at them afterwards.

use std::arch::naked_asm;

use step02::{Coroutine, Region, Resumed, SlotLayout};

/// rbx, rbp and r12 to r15.
#[cfg(target_arch = "x86_64")]
const KEPT: usize = 6;

/// x19 to x28, x29, and d8 to d15.
#[cfg(target_arch = "aarch64")]
const KEPT: usize = 19;

type Numbers = [u64; KEPT];
type Turn = unsafe extern "C" fn(*mut ());

/// Fills the registers with the numbers, calls `turn(data)`, and writes what is in them then over the numbers.
///
/// # Safety
///
/// `turn` does not unwind.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn with_registers(numbers: *mut Numbers, turn: Turn, data: *mut ()) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        // With the return address these are eight words: the stack is aligned for the call.
        "push rdi",
        "mov rbx, [rdi]",
        "mov rbp, [rdi + 8]",
        "mov r12, [rdi + 16]",
        "mov r13, [rdi + 24]",
        "mov r14, [rdi + 32]",
        "mov r15, [rdi + 40]",
        "mov rdi, rdx",
        "call rsi",
        "pop rdi",
        "mov [rdi], rbx",
        "mov [rdi + 8], rbp",
        "mov [rdi + 16], r12",
        "mov [rdi + 24], r13",
        "mov [rdi + 32], r14",
        "mov [rdi + 40], r15",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Fills the registers with the numbers, calls `turn(data)`, and writes what is in them then over the numbers.
///
/// # Safety
///
/// `turn` does not unwind.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn with_registers(numbers: *mut Numbers, turn: Turn, data: *mut ()) {
    naked_asm!(
        "stp x29, x30, [sp, #-176]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "str x0, [sp, #160]",
        "ldp x19, x20, [x0]",
        "ldp x21, x22, [x0, #16]",
        "ldp x23, x24, [x0, #32]",
        "ldp x25, x26, [x0, #48]",
        "ldp x27, x28, [x0, #64]",
        "ldr x29, [x0, #80]",
        "ldp d8, d9, [x0, #88]",
        "ldp d10, d11, [x0, #104]",
        "ldp d12, d13, [x0, #120]",
        "ldp d14, d15, [x0, #136]",
        "mov x0, x2",
        "blr x1",
        "ldr x0, [sp, #160]",
        "stp x19, x20, [x0]",
        "stp x21, x22, [x0, #16]",
        "stp x23, x24, [x0, #32]",
        "stp x25, x26, [x0, #48]",
        "stp x27, x28, [x0, #64]",
        "str x29, [x0, #80]",
        "stp d8, d9, [x0, #88]",
        "stp d10, d11, [x0, #104]",
        "stp d12, d13, [x0, #120]",
        "stp d14, d15, [x0, #136]",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #176",
        "ret",
    )
}

/// # Safety
///
/// `data` is the address of an `F` that nobody else uses.
unsafe extern "C" fn call<F: FnMut()>(data: *mut ()) {
    // SAFETY: by the caller's promise.
    unsafe { (*data.cast::<F>())() }
}

/// Has `turn` called with numbers of `seed` in the registers. They must be there afterwards.
fn keep<F: FnMut()>(who: &str, seed: u64, mut turn: F) {
    let before: Numbers = std::array::from_fn(|n| seed * 100 + n as u64);
    let mut numbers = before;
    // SAFETY: the numbers and the closure are alive during the call, and no closure here unwinds.
    unsafe { with_registers(&raw mut numbers, call::<F>, (&raw mut turn).cast()) };
    assert_eq!(numbers, before, "{who}: registers after a switch");
}

const ROUNDS: u64 = 5;

// ANCHOR: registers
#[test]
fn the_registers_that_a_function_must_keep_are_kept_on_both_sides() {
    let region = Region::map(SlotLayout::default(), 1).unwrap();
    let stack = region.open().unwrap();
    let mut coroutine = Coroutine::<(), (), ()>::new(stack, |suspender, ()| {
        for round in 0..ROUNDS {
            keep("the coroutine", 1_000 + round, || suspender.suspend(()));
        }
    });
    let mut returned = false;
    for round in 0..=ROUNDS {
        keep("the resumer", 2_000 + round, || {
            returned = coroutine.resume(()) == Resumed::Returned(());
        });
        assert_eq!(returned, round == ROUNDS);
    }
}
// ANCHOR_END: registers
