//! What valgrind and AddressSanitizer must be told about stacks. Both know the stacks that the kernel gave to threads, and
//! make their own sense of a stack pointer that jumps elsewhere.
//!
//! Only the features `valgrind` and `asan` compile this file, and only `.ci/valgrind` and `.ci/asan` use them. Without
//! them a switch and a stack cost nothing more.
//!
//! Rejected: *the crate crabgrind*, which has all of valgrind's requests and needs its headers and a C compiler to be
//! built. Two requests are needed here, and a request is a fixed sequence of instructions.

/// valgrind's requests. Memory that a stack pointer leaves behind counts as gone, and memory that it comes to as new. It
/// takes a switch to a stack nearby for a large step on one stack, unless it knows the stacks.
#[cfg(feature = "valgrind")]
pub(crate) mod valgrind {
    #[cfg(not(target_arch = "x86_64"))]
    compile_error!("the feature `valgrind` is written for x86-64");

    use std::arch::asm;

    const STACK_REGISTER: usize = 0x1501;
    const STACK_DEREGISTER: usize = 0x1502;

    /// Asks valgrind. Without it the answer is zero, and nothing happens: four rotations that add up to none, and an
    /// exchange of a register with itself, are what valgrind takes for a request, since no compiler writes them.
    fn request(number: usize, first: usize, second: usize) -> usize {
        let words = [number, first, second, 0, 0, 0];
        let mut answer = 0;
        // SAFETY: to the processor it changes flags only; valgrind reads the words and writes the answer.
        unsafe {
            asm!(
                "rol rdi, 3",
                "rol rdi, 13",
                "rol rdi, 61",
                "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") &raw const words,
                inout("rdx") answer,
                inout("rdi") 0usize => _,
                options(nostack),
            );
        }
        answer
    }

    /// A stack from its lowest to its highest byte. The answer is its name.
    pub(crate) fn register(lowest: usize, highest: usize) -> usize {
        request(STACK_REGISTER, lowest, highest)
    }

    /// The stack is unmapped.
    pub(crate) fn deregister(name: usize) {
        request(STACK_DEREGISTER, name, 0);
    }
}

/// AddressSanitizer's annotations. It keeps red zones around the locals of each frame. A panic leaves frames without
/// tidying up, so before one begins it clears the marks of the whole stack, and it must know which stack that is.
///
/// The functions have the names of those in `arch`, and take their places.
#[cfg(feature = "asan")]
pub(crate) mod asan {
    use std::ffi::c_void;
    use std::mem;
    use std::ptr;

    use crate::arch::{Entry, plain};
    use crate::overflow;

    unsafe extern "C" {
        fn __sanitizer_start_switch_fiber(
            save: *mut *mut c_void,
            lowest: *const c_void,
            bytes: usize,
        );
        fn __sanitizer_finish_switch_fiber(
            save: *mut c_void,
            lowest: *mut *const c_void,
            bytes: *mut usize,
        );
    }

    /// What the first function of a new stack is to be called with.
    struct First {
        entry: Entry,
        argument: *mut (),
    }

    /// `arch::prepare`, with a first function before the first function.
    ///
    /// # Safety
    ///
    /// As there.
    pub unsafe fn prepare(top: *mut u8, entry: Entry, argument: *mut ()) -> *mut u8 {
        // SAFETY: by the caller's promise there is room. The size is a multiple of the stack's alignment, so a top that is
        // wrong stays wrong, to be found out by the trampoline.
        unsafe {
            let first = top.cast::<First>().sub(1);
            first.write_unaligned(First { entry, argument });
            plain::prepare(first.cast(), arrive, first.cast())
        }
    }

    const _: () = assert!(mem::size_of::<First>().is_multiple_of(crate::arch::STACK_ALIGNMENT));

    unsafe extern "C" fn arrive(first: *mut (), word: *mut ()) -> ! {
        // SAFETY: `prepare` has written it, and switches here once.
        unsafe {
            __sanitizer_finish_switch_fiber(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            let First { entry, argument } = first.cast::<First>().read();
            entry(argument, word)
        }
    }

    /// `arch::switch`, and AddressSanitizer knows.
    ///
    /// # Safety
    ///
    /// As there.
    pub unsafe fn switch(save: *mut *mut u8, to: *mut u8, word: *mut ()) -> *mut () {
        let (lowest, bytes) = overflow::stack_of(to.addr()).unwrap_or_else(of_the_thread);
        let mut own = ptr::null_mut();
        // SAFETY: the bounds are those of the stack that is switched to.
        unsafe {
            __sanitizer_start_switch_fiber(
                &raw mut own,
                ptr::with_exposed_provenance(lowest),
                bytes,
            );
            let word = plain::switch(save, to, word);
            __sanitizer_finish_switch_fiber(own, ptr::null_mut(), ptr::null_mut());
            word
        }
    }

    /// The bounds of the stack that the kernel, or libc, gave to this thread.
    fn of_the_thread() -> (usize, usize) {
        // SAFETY: libc fills in the attributes, tells two of them, and takes them back.
        unsafe {
            let mut attributes = mem::zeroed();
            assert_eq!(
                libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes),
                0
            );
            let (mut lowest, mut bytes) = (ptr::null_mut(), 0);
            libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut bytes);
            libc::pthread_attr_destroy(&raw mut attributes);
            (lowest.addr(), bytes)
        }
    }
}
