//! The switch on x86-64.
//!
//! # The stacks before, between and after
//!
//! `switch(save, to, word)` called by A, where B is a context that had stopped earlier. Stacks grow downwards.
//!
//! ```text
//!         before                         the instruction after              when someone switches back
//!                                          `mov rsp, rsi`
//!
//!   stack of A     stack of B        stack of A     stack of B             stack of A
//!  │ frames   │   │ frames   │      │ frames   │   │ frames   │           │ frames   │
//!  │ of A     │   │ of B     │      │ of A     │   │ of B     │           │ of A     │
//!  └──────────┘   ├──────────┤      ├──────────┤   ├──────────┤           └──────────┘
//!   ▲ rsp         │ rbp of B │      │ rbp of A │   │ rbp of B │            ▲ rsp
//!                 │ rbx of B │      │ rbx of A │   │ rbx of B │
//!                 │ resume B │      │ resume A │   │ resume B │           rbp, rbx are A's again,
//!                 └──────────┘      └──────────┘   └──────────┘           rdx holds the word that
//!                  ▲ to (rsi)        ▲ *save        ▲ rsp                 was sent along
//! ```
//!
//! "resume" is the address of the last line of the assembly in `switch`, in whichever function it was inlined.
//!
//! A stack that was made by `prepare` looks like B, with the trampoline `coroutine_root` as the address to resume at:
//!
//! ```text
//!  │ whatever the caller keeps │
//!  ├───────────────────────────┤ ◀── top, a multiple of 16
//!  │ the entry function        │
//!  │ its argument              │ ◀── rsp when coroutine_root begins
//!  │ rbp: 0, ends the chain of frame pointers
//!  │ rbx: 0                    │
//!  │ resume: coroutine_root    │
//!  └───────────────────────────┘ ◀── the context
//! ```
//!
//! # Jump, call or return?
//!
//! The processor guesses where a `ret` goes by remembering the calls before it. A switch that ends with `ret` makes every
//! guess wrong, for this `ret` and for those of the functions around it. So nothing here calls and nothing returns: a
//! switch leaves by an indirect jump, for which there is another predictor. corosensei goes in by `call` and out by
//! `ret`, so that the guesses are right as long as the two take turns. That is as fast, and it does not allow a switch
//! from one coroutine straight to the next.

use std::arch::{asm, naked_asm};

use super::{Entry, STACK_ALIGNMENT};

// ANCHOR: prepare
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
    // From high to low: the reverse of the order in which `switch` and the trampoline take them off.
    let words = [
        entry as *mut (),
        argument,
        std::ptr::null_mut(), // rbp
        std::ptr::null_mut(), // rbx
        coroutine_root as *mut (),
    ];
    let mut sp = top.cast::<*mut ()>();
    for word in words {
        // SAFETY: the caller says that the memory below `top` is ours to write.
        unsafe {
            sp = sp.sub(1);
            sp.write_unaligned(word); // unaligned only if `top` is, which the trampoline is to find out
        }
    }
    sp.cast()
}
// ANCHOR_END: prepare

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
    // control words are the same at the end as at the beginning (the latter by the rule in `mod.rs`). Memory is assumed
    // to be changed, since neither `nomem` nor `readonly` is given.
    unsafe {
        asm!(
            // From here to the end, what is on the stack does not fit the tables of the function around us. An unwinder
            // that interrupts is told that there is no caller.
            ".cfi_remember_state",
            ".cfi_undefined rip",
            // Save what we may not declare as clobbered.
            "push rbp",
            "push rbx",
            // Where to go on when somebody switches back.
            "lea rax, [rip + 2f]",
            "push rax",
            // This is the context. From this store on, it could be resumed.
            "mov [rdi], rsp",
            // The switch: from here on we are on the other stack.
            "mov rsp, rsi",
            // Take off what the other side has put there, or `prepare` for it.
            "pop rax",
            "pop rbx",
            "pop rbp",
            "jmp rax",
            // The tables are right again from here. The address in a context is that of the 2: below, but unwinders look
            // one byte before a return address, so there must be a byte, and it belongs to the right side. It is never
            // executed, and also keeps the processor from running ahead past the jump.
            ".cfi_restore_state",
            "ud2",
            "2:",
            // The other side arrives here with the word in rdx, where it was put before.
            inout("rdx") word,
            inout("rdi") save => _,
            inout("rsi") to => _,
            // The rest of the registers that a function must keep. rbp and rbx cannot be named here, thus the pushes.
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            // All that a function may change: the other integer registers, vectors, masks, x87.
            clobber_abi("sysv64"),
        );
    }
    word
}
// ANCHOR_END: switch

// ANCHOR: root
/// The first code on every stack, and the last frame of every backtrace. Nobody calls it; `switch` jumps here.
#[unsafe(naked)]
extern "C" fn coroutine_root() {
    naked_asm!(
        ".cfi_startproc",
        // No caller: backtraces end here.
        ".cfi_undefined rip",
        // The two words that `prepare` has left. rbp and rbx are zero.
        "pop rdi", // the entry function's first argument
        "pop rax", // the entry function
        "mov rsi, rdx", // its second argument: the word that came along
        // Both are off the stack now, so the stack pointer is the top that `prepare` was given.
        "test spl, {mask}",
        "jnz 3f",
        // A call, but without the processor's noticing: the entry function never returns, and the predictor of returns
        // would count one call too many for ever.
        "lea rcx, [rip + 2f]",
        "push rcx",
        "jmp rax",
        // The return address. Should the entry function return after all, this traps.
        "2:",
        "ud2",
        // Misaligned. Round down, so that the one who reports it can run.
        "3:",
        "and rsp, -{alignment}",
        "call {misaligned}",
        "ud2",
        ".cfi_endproc",
        mask = const STACK_ALIGNMENT - 1,
        alignment = const STACK_ALIGNMENT,
        misaligned = sym super::misaligned,
    )
}
// ANCHOR_END: root

/// The stack pointer of the calling function, roughly: an address on the stack that it runs on.
#[inline(always)]
pub fn stack_pointer() -> *mut u8 {
    let sp;
    // SAFETY: it copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// How floating-point operations round and which of their exceptions trap: MXCSR for SSE and AVX, the control word for
/// x87. The flags that operations *set* are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatControl {
    mxcsr: u32,
    x87: u16,
}

/// The six low bits of MXCSR are sticky flags that every inexact addition sets.
const MXCSR_FLAGS: u32 = 0x3f;

impl FloatControl {
    /// The present setting of this thread.
    pub fn read() -> Self {
        let (mut mxcsr, mut x87) = (0u32, 0u16);
        // SAFETY: both instructions write to the local that they are given.
        unsafe {
            asm!(
                "stmxcsr [{mxcsr}]",
                "fnstcw [{x87}]",
                mxcsr = in(reg) &mut mxcsr,
                x87 = in(reg) &mut x87,
                options(nostack, preserves_flags),
            );
        }
        FloatControl {
            mxcsr: mxcsr & !MXCSR_FLAGS,
            x87,
        }
    }

    /// Makes this the setting of the thread.
    pub fn write(self) {
        // SAFETY: both instructions read from the field that they are given. The values came from `read`, so no reserved
        // bit is set, and this restores what the surrounding code was compiled for.
        unsafe {
            asm!(
                "ldmxcsr [{mxcsr}]",
                "fldcw [{x87}]",
                mxcsr = in(reg) &self.mxcsr,
                x87 = in(reg) &self.x87,
                options(nostack, preserves_flags),
            );
        }
    }
}
