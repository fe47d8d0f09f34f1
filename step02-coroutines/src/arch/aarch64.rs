//! The switch on aarch64.
//!
//! # The stacks before, between and after
//!
//! `switch(save, to, word)` called by A, where B is a context that had stopped earlier. Stacks grow downwards.
//!
//! ```text
//!         before                          the instruction after             when someone switches back
//!                                            `mov sp, x1`
//!
//!   stack of A     stack of B         stack of A     stack of B            stack of A
//!  │ frames   │   │ frames   │       │ frames   │   │ frames   │          │ frames   │
//!  │ of A     │   │ of B     │       │ of A     │   │ of B     │          │ of A     │
//!  └──────────┘   ├──────────┤       ├──────────┤   ├──────────┤          └──────────┘
//!   ▲ sp          │ (unused) │       │ (unused) │   │ (unused) │           ▲ sp
//!                 │ resume B │       │ resume A │   │ resume B │
//!                 │ x29 of B │       │ x29 of A │   │ x29 of B │          x19, x29 are A's again,
//!                 │ x19 of B │       │ x19 of A │   │ x19 of B │          x2 holds the word that
//!                 └──────────┘       └──────────┘   └──────────┘          was sent along
//!                  ▲ to (x1)          ▲ *save        ▲ sp
//! ```
//!
//! One word is unused because the stack pointer must be a multiple of 16 whenever memory is reached through it; the
//! processor itself checks that. "resume" is the address of the last line of the assembly in `switch`, in whichever
//! function it was inlined.
//!
//! A stack that was made by `prepare` looks like B, with the trampoline `coroutine_root` as the address to resume at:
//!
//! ```text
//!  │ whatever the caller keeps │
//!  ├───────────────────────────┤ ◀── top, a multiple of 16
//!  │ the entry function        │
//!  │ its argument              │ ◀── sp when coroutine_root begins
//!  │ (unused)                  │
//!  │ resume: coroutine_root    │
//!  │ x29: 0, ends the chain of frame pointers
//!  │ x19: 0                    │
//!  └───────────────────────────┘ ◀── the context
//! ```
//!
//! # Jump, call or return?
//!
//! As on x86-64: nothing here calls and nothing returns, since a `ret` that does not go where the last `bl` came from is
//! predicted wrongly, and so are those after it. A switch leaves by `br`.

use std::arch::{asm, naked_asm};

use super::{Entry, STACK_ALIGNMENT};

/// Writes a context onto an empty stack: switching to it calls `entry(argument, word)` there.
///
/// Returns the context.
///
/// # Safety
///
/// The memory below `top` must be writable and large enough for what `entry` does, nobody else's until the context has
/// been switched away from for the last time, and `top` should be a multiple of [`STACK_ALIGNMENT`]. (If it is not, the
/// first switch ends the process with a message.)
pub unsafe fn prepare(top: *mut u8, entry: Entry, argument: *mut ()) -> *mut u8 {
    if !top.addr().is_multiple_of(STACK_ALIGNMENT) {
        // The processor would fault at the first access, before the trampoline could look.
        super::misaligned();
    }
    // From high to low: the reverse of the order in which `switch` and the trampoline take them off.
    let words = [
        entry as *mut (),
        argument,
        std::ptr::null_mut(), // unused
        coroutine_root as *mut (),
        std::ptr::null_mut(), // x29
        std::ptr::null_mut(), // x19
    ];
    let mut sp = top.cast::<*mut ()>();
    for word in words {
        // SAFETY: the caller says that the memory below `top` is ours to write.
        unsafe {
            sp = sp.sub(1);
            sp.write(word);
        }
    }
    sp.cast()
}

// ANCHOR: switch
/// Stops here, stores the context of this execution in `*save`, and goes on with the context `to`, whose `switch` returns
/// `word`. Returns when somebody switches to the stored context, with the word that they sent.
///
/// # Safety
///
/// `to` must come from [`prepare`] or from a `switch` that has not returned since, its stack must still be there, and
/// must be one that may run on this thread. `save` must be valid for a write. Everything that is borrowed, locked or
/// thread-local on either side is the caller's to think about: to the compiler this is a function call.
#[inline(always)]
pub unsafe fn switch(save: *mut *mut u8, to: *mut u8, mut word: *mut ()) -> *mut () {
    // SAFETY: every register is declared as changed but the three that are saved; the stack pointer and the floating-point
    // control word are the same at the end as at the beginning (the latter by the rule in `mod.rs`). Memory is assumed
    // to be changed, since neither `nomem` nor `readonly` is given.
    unsafe {
        asm!(
            // From here to the end, what is on the stack does not fit the tables of the function around us. An unwinder
            // that interrupts is told that there is no caller: lr is the column of the return address.
            ".cfi_remember_state",
            ".cfi_undefined lr",
            // Save what we may not declare as clobbered, in a block of four words.
            "stp x19, x29, [sp, #-32]!",
            // Where to go on when somebody switches back.
            "adr x9, 2f",
            "str x9, [sp, #16]",
            // This is the context. From this store on, it could be resumed.
            "mov x9, sp",
            "str x9, [x0]",
            // The switch: from here on we are on the other stack.
            "mov sp, x1",
            // Take off what the other side has put there, or `prepare` for it.
            "ldr x16, [sp, #16]",
            "ldp x19, x29, [sp], #32",
            "br x16",
            // The tables are right again from here. The address in a context is that of the 2: below, but unwinders look
            // before a return address, so there must be an instruction, and it belongs to the right side. It is never
            // executed.
            ".cfi_restore_state",
            "brk #1",
            "2:",
            // The other side arrives here with the word in x2, where it was put before.
            inout("x2") word,
            inout("x0") save => _,
            inout("x1") to => _,
            // The rest of the registers that a function must keep. x19 and x29 cannot be named here, thus the saving.
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            // All that a function may change, the whole of the vector registers included, and lr.
            clobber_abi("C"),
        );
    }
    word
}
// ANCHOR_END: switch

/// The first code on every stack, and the last frame of every backtrace. Nobody calls it; `switch` jumps here.
#[unsafe(naked)]
extern "C" fn coroutine_root() {
    naked_asm!(
        ".cfi_startproc",
        // No caller: backtraces end here.
        ".cfi_undefined lr",
        // The two words that `prepare` has left: the entry function's first argument, and the function. x29 is zero.
        "ldp x0, x9, [sp], #16",
        // Its second argument: the word that came along.
        "mov x1, x2",
        // Both are off the stack now, so the stack pointer is the top that `prepare` was given.
        "mov x10, sp",
        "tst x10, #{mask}",
        "b.ne 3f",
        // A call, but without the processor's noticing: the entry function never returns, and the predictor of returns
        // would count one call too many for ever.
        "adr lr, 2f",
        "br x9",
        // The return address. Should the entry function return after all, this traps.
        "2:",
        "brk #1",
        // Misaligned. Round down, so that the one who reports it can run.
        "3:",
        "and x10, x10, #-{alignment}",
        "mov sp, x10",
        "bl {misaligned}",
        "brk #1",
        ".cfi_endproc",
        mask = const STACK_ALIGNMENT - 1,
        alignment = const STACK_ALIGNMENT,
        misaligned = sym super::misaligned,
    )
}

/// The stack pointer of the calling function, roughly: an address on the stack that it runs on.
#[inline(always)]
pub fn stack_pointer() -> *mut u8 {
    let sp;
    // SAFETY: it copies a register.
    unsafe { asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// How floating-point operations round and which of their exceptions trap: the register FPCR. The flags that operations
/// *set* are in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatControl {
    fpcr: u64,
}

impl FloatControl {
    /// The present setting of this thread.
    pub fn read() -> Self {
        let fpcr;
        // SAFETY: it copies a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        FloatControl { fpcr }
    }

    /// Makes this the setting of the thread.
    pub fn write(self) {
        // SAFETY: the value came from `read`, so this restores what the surrounding code was compiled for.
        unsafe {
            asm!("msr fpcr, {}", in(reg) self.fpcr, options(nostack, preserves_flags));
        }
    }
}
