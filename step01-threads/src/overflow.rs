//! Runaway recursion, answered with a sentence: which task, where it was spawned, how large its stack is.
//!
//! Below every stack lies a guard: pages that nobody may touch. A task that needs more stack than it has touches them,
//! and the kernel sends SIGSEGV. Without a handler the process dies of that, and all that is left to read is
//! "Segmentation fault". The handler here compares the address that was touched with the guards it knows of. If it is
//! in one, it says whose, and aborts; there is no way back, since the task cannot go on without stack and its frames
//! cannot be unwound from between two instructions. Any other fault is not ours, and goes to the handler that was there
//! before (std has one, for its own threads), or to the kernel's default.
//!
//! # What a signal handler may do
//!
//! It interrupts the thread anywhere, inside malloc too, or with stderr's lock held. So it takes no lock, allocates
//! nothing, and calls write(2) and abort(3) alone. The text is put together in a buffer on the alternate stack
//! (`alt_stack.rs`), by hand. A `println!` here would work until the day on which the fault comes inside another one.
//!
//! For the same reason each thing it reads was written long before, in a form that is read without a lock:
//!
//! - the running thread's own stack: a thread-local that is initialised at compile time and has no destructor, so that
//!   reading it is a plain load; written once, when the task starts, which in a shared library also makes sure that its
//!   memory is there
//! - the handlers of before: written once, before ours is installed
//! - the [`Lookup`]s of later stages: a list of statics, only ever added to
//!
//! # For stages with stacks of their own
//!
//! A task that is not a thread does not run on the thread's stack, so the thread-local knows nothing of it. Such a stage
//! registers a [`Lookup`], which tells from the address alone whose guard it is in. One handler for all stages, and not
//! one each, since a process has a single handler for SIGSEGV and a chain of five would be asked one after the other
//! anyway.
//!
//! # Rejected
//!
//! - *Guessing from the stack pointer* that a fault near it is an overflow: an array index that is far off looks the same.
//! - *A table from thread to stack*: it is looked up in the handler and changed by every thread that starts, so it would
//!   need a lock that a handler can take.
//! - *Unwinding instead of aborting*: the fault may have come in any instruction, where no clean-up code is prepared.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Once, OnceLock};

/// Whose stack has ended, for the message.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The task's number.
    pub task: u64,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// The size its stack was set to in bytes, guard not included.
    pub stack_size: usize,
    /// What the user writes to get a larger one, such as `Threads::builder().stack_size(bytes)`.
    pub setting: &'static str,
}

/// A stage's answer to "whose guard is this address in?". Made once, as a `static`.
#[derive(Debug)]
pub struct Lookup {
    find: fn(address: usize) -> Option<Report>,
    registered: Once,
    next: AtomicPtr<Lookup>,
}

impl Lookup {
    /// A lookup that asks `find`, for [`register`].
    pub const fn new(find: fn(address: usize) -> Option<Report>) -> Self {
        Lookup {
            find,
            registered: Once::new(),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// The lookup that was registered last; each leads to the one before.
static LOOKUPS: AtomicPtr<Lookup> = AtomicPtr::new(ptr::null_mut());

/// Has the fault handler ask `lookup`, too. Doing it twice is the same as doing it once.
///
/// # Safety
///
/// The lookup's function is called in a signal handler, on any thread, at any moment: it must not allocate, lock,
/// block or panic, and may read only what another thread cannot be in the middle of writing.
pub unsafe fn register(lookup: &'static Lookup) {
    lookup.registered.call_once(|| {
        // Relaxed: only a first guess, which the exchange checks.
        let mut head = LOOKUPS.load(Relaxed);
        loop {
            // Relaxed: published by the exchange below.
            lookup.next.store(head, Relaxed);
            let new = ptr::from_ref(lookup).cast_mut();
            // Release: pairs with the Acquire in `find`, so that the handler sees the whole entry.
            match LOOKUPS.compare_exchange_weak(head, new, Release, Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
    });
}

/// The stack of a thread that is a task.
#[derive(Clone, Copy)]
struct Watched {
    /// The addresses of its guard: first, and one past the last.
    guard: (usize, usize),
    report: Report,
}

thread_local! {
    static WATCHED: Cell<Option<Watched>> = const { Cell::new(None) };
}

/// From now on, an overflow of the calling thread's own stack is reported as that of this task. The thread needs an
/// [`AltStack`](crate::alt_stack::AltStack), and [`install`] must have been called.
///
/// # Errors
///
/// What pthread_getattr_np(3) answered, which allocates. An overflow is then a plain SIGSEGV.
pub fn watch_this_thread(report: Report) -> io::Result<()> {
    let guard = own_guard()?;
    WATCHED.set(Some(Watched {
        guard: (guard.start, guard.end),
        report,
    }));
    Ok(())
}

/// Where the guard of the calling thread's stack is.
fn own_guard() -> io::Result<Range<usize>> {
    let mut attributes = MaybeUninit::uninit();
    let (mut lowest, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the first call fills in the attributes, the others read them into locals, and the last one frees what the
    // first allocated.
    unsafe {
        let code = libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr());
        if code != 0 {
            return Err(io::Error::from_raw_os_error(code));
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &mut lowest, &mut size);
        libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    // The guard is below the lowest address of the stack. glibc before 2.27 counts it as a part of the stack, so look
    // on both sides: where there is no guard there is no fault either.
    let lowest = lowest as usize;
    Ok(lowest.saturating_sub(guard)..lowest.saturating_add(guard))
}

/// The signals that a touched guard raises: SIGSEGV on Linux; SIGBUS when a page that should be there cannot be had.
const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was to happen on each of [`SIGNALS`] before.
static EARLIER: [OnceLock<libc::sigaction>; 2] = [OnceLock::new(), OnceLock::new()];

/// Installs the handler in front of what is there, once in the life of the process. Later calls do nothing.
///
/// A handler that the program installs afterwards takes the place of this one, and should pass on what it does not know.
pub fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for (signal, earlier) in SIGNALS.into_iter().zip(&EARLIER) {
            // SAFETY: all zeros is a valid `sigaction`: default action, no flags, empty mask.
            let (mut old, mut new): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
            new.sa_sigaction = on_fault as *const () as usize;
            // ONSTACK: on the alternate stack, since the thread's own has just ended.
            new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: `old` and `new` are locals of the right type, and `on_fault` does only what a handler may do.
            // The old action is read and stored before ours takes its place, so that a fault at any moment finds it.
            unsafe {
                libc::sigaction(signal, ptr::null(), &mut old);
                earlier.get_or_init(|| old);
                libc::sigaction(signal, &new, ptr::null_mut());
            }
        }
    });
}

/// The handler.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler that was installed with SA_SIGINFO.
    let info_now = unsafe { &*info };
    // A positive code means that the kernel found a fault. Otherwise somebody called kill(2), and there is no address.
    if info_now.si_code > 0 {
        // SAFETY: both signals carry an address when the kernel raises them.
        let address = unsafe { info_now.si_addr() } as usize;
        if let Some(report) = find(address) {
            announce(&report);
            // SAFETY: it may be called from a handler, and does not return.
            unsafe { libc::abort() }
        }
    }
    // SAFETY: these are the very arguments that the kernel passed.
    unsafe { pass_on(signal, info, context) }
}

/// Whose guard the address is in.
fn find(address: usize) -> Option<Report> {
    if let Some(own) = WATCHED.get()
        && (own.guard.0..own.guard.1).contains(&address)
    {
        return Some(own.report);
    }
    // Acquire, here and below: pairs with the Release in `register`.
    let mut lookup = LOOKUPS.load(Acquire);
    // SAFETY: every pointer in the list is null or came from a `&'static Lookup`.
    while let Some(entry) = unsafe { lookup.as_ref() } {
        if let Some(report) = (entry.find)(address) {
            return Some(report);
        }
        lookup = entry.next.load(Acquire);
    }
    None
}

/// Does with the signal what would have been done with it without us. Of the earlier handler's flags only the one that
/// says how to call it is looked at; it runs with this handler's mask, and on the same stack.
///
/// # Safety
///
/// The arguments are those of a handler that the kernel has called.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let place = SIGNALS.iter().position(|known| *known == signal);
    let earlier = place.and_then(|place| EARLIER[place].get());
    let handler = earlier.map_or(libc::SIG_DFL, |action| action.sa_sigaction);
    // SAFETY: see above.
    let sent = unsafe { (*info).si_code } <= 0;
    match handler {
        libc::SIG_IGN if sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // A fault cannot be ignored: the instruction would only fault again. So the default is restored; after the
            // return the instruction does fault again, and the kernel ends the process as if we had never been here.
            // SAFETY: all zeros is the default action. raise(3) is allowed in a handler; the signal is blocked until
            // we return, and is delivered then.
            unsafe {
                let default: libc::sigaction = mem::zeroed();
                libc::sigaction(signal, &default, ptr::null_mut());
                if sent {
                    libc::raise(signal);
                }
            }
        }
        _ if earlier.is_some_and(|action| action.sa_flags & libc::SA_SIGINFO != 0) => {
            // SAFETY: SA_SIGINFO says that the function has this signature.
            unsafe {
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                    mem::transmute(handler);
                handler(signal, info, context);
            }
        }
        _ => {
            // SAFETY: without SA_SIGINFO the function has this signature.
            unsafe {
                let handler: extern "C" fn(c_int) = mem::transmute(handler);
                handler(signal);
            }
        }
    }
}

// ANCHOR: announce
/// Writes the message to stderr, in one piece so that no other thread's output gets between.
fn announce(report: &Report) {
    let mut text = Text::new();
    text.push("\nfatal error: stack overflow in task ");
    text.push_number(report.task);
    text.push(", spawned at ");
    text.push(report.site.file());
    text.push(":");
    text.push_number(report.site.line().into());
    text.push(":");
    text.push_number(report.site.column().into());
    text.push("\nIts stack is set to ");
    text.push_number(report.stack_size as u64);
    text.push(" bytes and has been used up. If the recursion is meant to end, allow more with `");
    text.push(report.setting);
    text.push("`.\n");
    text.write_to(libc::STDERR_FILENO);
}
// ANCHOR_END: announce

/// A text of bounded length that needs no allocation; what does not fit is left out.
struct Text {
    bytes: [u8; 1024],
    len: usize,
}

impl Text {
    fn new() -> Self {
        Text {
            bytes: [0; 1024],
            len: 0,
        }
    }

    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, mut number: u64) {
        // 20 digits are enough for any u64.
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        for place in digits.iter_mut().rev() {
            *place += (number % 10) as u8;
            number /= 10;
            first -= 1;
            if number == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or_default();
        self.push(str::from_utf8(digits).unwrap_or_default());
    }

    fn write_to(&self, descriptor: c_int) {
        let mut left = self.bytes.get(..self.len).unwrap_or_default();
        while !left.is_empty() {
            // SAFETY: the slice is valid for reading. write(2) is allowed in a handler.
            let written = unsafe { libc::write(descriptor, left.as_ptr().cast(), left.len()) };
            // Zero or an error: nobody can be told, and the abort that follows says the rest.
            let Some(written) = usize::try_from(written).ok().filter(|n| *n > 0) else {
                return;
            };
            left = left.get(written..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(number: u64) {
            let mut text = Text::new();
            text.push_number(number);
            let expected = number.to_string();
            prop_assert_eq!(&text.bytes[..text.len], expected.as_bytes());
        }

        #[test]
        fn a_text_that_is_too_long_is_cut(parts in proptest::collection::vec("[a-z]{0,300}", 0..8)) {
            let mut text = Text::new();
            parts.iter().for_each(|part| text.push(part));
            let whole = parts.concat();
            prop_assert_eq!(&text.bytes[..text.len], &whole.as_bytes()[..whole.len().min(1024)]);
        }
    }

    #[test]
    fn a_fault_in_a_registered_range_is_found_and_no_other() {
        const TASK: u64 = 77;
        fn in_a_range(address: usize) -> Option<Report> {
            (1000..2000).contains(&address).then_some(Report {
                task: TASK,
                site: Location::caller(),
                stack_size: 1,
                setting: "none",
            })
        }
        fn nowhere(_: usize) -> Option<Report> {
            None
        }
        static FIRST: Lookup = Lookup::new(in_a_range);
        static SECOND: Lookup = Lookup::new(nowhere);
        // SAFETY: both functions only compare. The second and third time must not tie the list into a ring.
        unsafe {
            register(&FIRST);
            register(&SECOND);
            register(&FIRST);
        }
        assert_eq!(find(1500).map(|report| report.task), Some(TASK));
        assert!(find(2000).is_none());
    }

    #[test]
    fn the_guard_is_just_below_the_stack() {
        std::thread::spawn(|| {
            let guard = own_guard().unwrap();
            let local = 0u8;
            assert!((&raw const local as usize) > guard.end);
            assert!(!guard.is_empty());
        })
        .join()
        .unwrap();
    }
}
