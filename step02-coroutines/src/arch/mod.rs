//! The two pieces of this course that no Rust can say: making a stack that can be switched to, and switching to it.
//!
//! A *context* is an execution that has been stopped in the middle. All that is needed to go on with it lies on its own
//! stack, so a context is one word: the stack pointer at which it stopped.
//!
//! - [`prepare`] writes onto an empty stack what makes it look like a context that stopped just before its first line.
//! - [`switch`] stops the running execution, stores its context, and goes on with another one, carrying one word across.
//! - [`FloatControl`] reads and writes what `switch` leaves alone: how floating-point numbers are rounded.
//!
//! `switch` does not know who started whom. That one side *resumes* and the other *suspends* is an agreement of
//! `coroutine.rs`; a scheduler may as well go from task to task.
//!
//! # What is saved, and by whom
//!
//! A function call may destroy most registers, and compilers know how to deal with that: they keep what they still need
//! on the stack. A switch is declared as a call that destroys *every* register. Then the compiler saves what is live at
//! this very place, mostly nothing, and we save only the three it does not let us declare: the stack pointer, the frame
//! pointer, and the base register that LLVM reserves (rbx, x19). This is corosensei's way. Switches that are ordinary
//! functions of C, such as Boost's, save all callee-saved registers each time, because they cannot know. (Go's saves
//! three words: in its calling convention no register survives a call.)
//!
//! # Backtraces
//!
//! An unwinder finds the caller of a frame by tables (*CFI*) that say, for each instruction, where the caller's registers
//! are. Three places must be told what no compiler knows:
//!
//! - the first frame of a stack has no caller: backtraces end there, and not in whatever lies above the stack
//! - during a switch the stack pointer belongs to one execution and the program counter to another. A profiler's signal
//!   may come just then, so from the first instruction of a switch to the last the tables say "no caller"
//! - after it, everything is as before
//!
//! seastar#3538 is what happens without: the unwinder walks on in the wrong stack and crashes.
//!
//! # The floating-point control words belong to the thread
//!
//! x86-64 has MXCSR and the x87 control word, aarch64 has FPCR: how to round, which exceptions trap. A switch neither
//! saves nor restores them. So they are like the thread's signal mask or its working directory: code that changes them
//! changes them for whoever runs next on this thread, and restores them before it lets others run. The reasons:
//!
//! - Rust itself assumes the default setting everywhere, so Rust code may not suspend with another one anyway
//! - C code that changes them restores them before it returns, as the ABI demands, and C code does not suspend
//! - reading and writing them costs several times what the rest of a switch costs
//!
//! Boost.Context saves them by default; corosensei and Go do not. The silent leak, a task that computes with another
//! task's rounding, is made loud where that is free: with debug assertions `Coroutine::resume` compares the words before
//! and after. Who needs both keeps them with [`FloatControl::keep`].

#[cfg(target_arch = "aarch64")]
#[cfg_attr(feature = "asan", allow(unreachable_pub))]
mod aarch64;
#[cfg(target_arch = "x86_64")]
#[cfg_attr(feature = "asan", allow(unreachable_pub))]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as imp;
#[cfg(target_arch = "x86_64")]
use x86_64 as imp;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("stacks are switched in assembly, which is written for x86-64 and aarch64");
#[cfg(not(target_os = "linux"))]
compile_error!("stacks are mapped and guarded with what Linux offers");
#[cfg(not(panic = "unwind"))]
compile_error!(
    "a suspended coroutine is dropped by unwinding its stack, which needs panic = \"unwind\""
);

pub use imp::{FloatControl, stack_pointer};
#[cfg(not(feature = "asan"))]
pub use imp::{prepare, switch};

#[cfg(feature = "asan")]
pub use crate::checkers::asan::{prepare, switch};
/// The two as they are, for those that replace them.
#[cfg(feature = "asan")]
pub(crate) mod plain {
    pub(crate) use super::imp::{prepare, switch};
}

/// The first function on a new stack. It gets the argument that [`prepare`] was given and the word that the first
/// [`switch`] carried, and must never return: there is nothing to return to.
pub type Entry = unsafe extern "C" fn(argument: *mut (), word: *mut ()) -> !;

/// Stack pointers are multiples of this, in bytes, wherever a function is called: both ABIs demand it.
pub const STACK_ALIGNMENT: usize = 16;

impl FloatControl {
    // ANCHOR: keep
    /// Calls `f`, which may switch, and restores the control words afterwards.
    pub fn keep<T>(f: impl FnOnce() -> T) -> T {
        let words = FloatControl::read();
        let result = f();
        words.write();
        result
    }
    // ANCHOR_END: keep
}

/// Where a stack begins its life if its alignment is wrong: the assembly comes here instead of to the entry function,
/// on a stack pointer that it has rounded. A wrong one would do until the first `movaps`, somewhere in a library.
extern "C" fn misaligned() -> ! {
    crate::fatal::die(&[
        "a stack was entered with a misaligned stack pointer: the code that prepared it is wrong",
    ])
}
