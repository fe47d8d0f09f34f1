//! A function that can stop in the middle and go on later: resume with a value, suspend with a value, return a value.
//!
//! # The protocol
//!
//! Two parties: the *resumer*, who has the [`Coroutine`], and the code on the coroutine's stack, which has a
//! [`Suspender`]. They take turns, on one thread. Between them, in the coroutine's first frame, lies a [`Link`]:
//!
//! ```text
//!     the resumer's stack                        the coroutine's stack
//!   ┌───────────────────────┐  ┌────── Link ──────┐
//!   │ resume(input)         │  │ resumer ─────────┼──▶ where `resume` stopped, while the coroutine runs
//!   │   the input is here   │  │ coroutine ───────┼──▶ where `suspend` stopped, while it does not
//!   │   switch …            │  │ ended            │
//!   └───────────────────────┘  ├──────────────────┤
//!                              │ the closure      │
//!                              │ frames …         │
//! ```
//!
//! A value goes across as the address at which it lies on the sender's stack. The receiver moves it out before anything
//! else happens, and the sender, which is stopped, does not touch it again. The null address is a message too: *unwind*.
//!
//! # Panics
//!
//! A panic cannot pass from stack to stack by itself: unwinders stop at the root. So it is caught there, carried across
//! like a result, and goes on in the resumer with the same payload.
//!
//! # Dropping one that is suspended
//!
//! Its frames own things: boxes, locks, files. They are dropped as a panic would drop them: the coroutine is resumed with
//! the word "unwind", `suspend` starts an unwinding with a payload of its own ([`ForcedUnwind`]), which no hook prints,
//! and at the root it ends. A coroutine that was never resumed only drops its closure.
//!
//! Code can catch that payload, as it can any panic. Then it has been told to end and goes on:
//!
//! - *it returns*: fine. Nothing is left on the stack, which is all that the drop is for.
//! - *it suspends again*: the process is aborted with a message. There is no value to resume it with, and to unwind it
//!   once more may be tried for ever by a loop that catches everything.
//! - *it panics with something else*: the same. A drop has nobody to hand a panic to; most often it runs because of one.
//!
//! # Suspending in the middle of a panic
//!
//! A destructor may run because of a panic, and may call `suspend`. std counts panics per *thread*, so the resumer would
//! find itself panicking. That, too, is an abort with a message (coio-rs#56 shows the silent version). Only a panic
//! *inside* counts: a coroutine may be resumed by a destructor, and then suspends as ever.
//!
//! # Why 'static, and why not Send
//!
//! A coroutine may be forgotten (`mem::forget`, a cycle of `Rc`s). Then its stack stays mapped for ever and nothing on
//! it is dropped. That is sound only if nothing on it can be missed: with a borrow of the resumer's data on it, a
//! `thread::scope` inside would never come to its end, while its threads go on using the borrow. So the closure and the
//! values that go in and out must be `'static` (corosensei#27 is about just that).
//!
//! Its stack can hold anything between two suspensions: an `Rc`, a lock's guard, the address of a thread-local.
//! Whether everything there may move to another thread is not in any type. So a coroutine is never `Send`. A scheduler
//! with several threads (step 3) switches tasks itself, and says there why it may.
//!
//! # Rejected
//!
//! - *Unwinding through the switch*, by tables that lead from the coroutine's root into the resumer (corosensei can). It
//!   needs an unstable option, and ties a stack's backtrace to whoever resumed it last.
//! - *Skipping the destructors* when a suspended coroutine is dropped, as open-coroutine does: locks stay locked.

use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::{self, AssertUnwindSafe, Location};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use step01::ForcedUnwind;

use crate::arch;
use crate::fatal::die;
use crate::stack::Stack;

/// The number of the next coroutine of this process, for messages.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a resumed coroutine came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed<Yield, Return> {
    /// It has suspended itself with this value, and can be resumed again.
    Yielded(Yield),
    /// It has returned this value, and is done.
    Returned(Return),
}

// ANCHOR: link
/// Where both parties are. It lies at the top of the coroutine's stack.
#[derive(Debug)]
struct Link {
    /// The resumer's context, while the coroutine runs.
    resumer: Cell<*mut u8>,
    /// The coroutine's context, while it does not run.
    coroutine: Cell<*mut u8>,
    /// Its function has returned, or panicked; its result is at the address that came across.
    ended: Cell<bool>,
    /// It was told to unwind.
    unwinding: Cell<bool>,
    /// Whether the thread was panicking when the coroutine was last resumed.
    resumer_panics: Cell<bool>,
}
// ANCHOR_END: link

/// A function on a stack of its own.
///
/// ```
/// use step02::{Coroutine, Region, Resumed, SlotLayout};
///
/// let region = Region::map(SlotLayout::default(), 1)?;
/// let mut sums = Coroutine::new(region.open()?, |suspender, first: u64| {
///     let mut sum = first;
///     for _ in 0..2 {
///         sum += suspender.suspend(sum);
///     }
///     sum
/// });
/// assert_eq!(sums.resume(1), Resumed::Yielded(1));
/// assert_eq!(sums.resume(10), Resumed::Yielded(11));
/// assert_eq!(sums.resume(100), Resumed::Returned(111));
/// # Ok::<(), step01::SpawnError>(())
/// ```
///
/// It cannot be sent to another thread, whatever is in it:
///
/// ```compile_fail
/// fn must_be_send<T: Send>() {}
/// must_be_send::<step02::Coroutine<(), (), ()>>();
/// ```
///
/// And it cannot borrow from where it was made:
///
/// ```compile_fail
/// # use step02::{Coroutine, Region, SlotLayout};
/// # let region = Region::map(SlotLayout::default(), 1).unwrap();
/// let local = 1;
/// let borrows = Coroutine::<(), (), u32>::new(region.open().unwrap(), |_, ()| *(&local));
/// ```
#[derive(Debug)]
pub struct Coroutine<Input, Yield, Return> {
    link: NonNull<Link>,
    /// `None` only while it is being taken apart.
    stack: Option<Stack>,
    _across: PhantomData<fn(Input) -> (Yield, Return)>,
    _not_send: PhantomData<*mut ()>,
}

/// What the code on a coroutine's stack suspends itself with.
///
/// It cannot leave its coroutine: it is lent to the function, is not `Sync`, and is not `'static`.
#[derive(Debug)]
#[repr(transparent)]
pub struct Suspender<Input, Yield> {
    link: Link,
    _across: PhantomData<fn(Yield) -> Input>,
    _not_sync: PhantomData<*mut ()>,
}

type Ending<Return> = Result<Return, Box<dyn Any + Send>>;

// ANCHOR: new
impl<Input, Yield, Return> Coroutine<Input, Yield, Return>
where
    Input: 'static,
    Yield: 'static,
    Return: 'static,
{
    /// Puts `f` on the stack, to be called by the first [`Coroutine::resume`]. What `f` is called with is that first
    /// input; what is said to the later ones, [`Suspender::suspend`] returns.
    ///
    /// # Panics
    ///
    /// If the closure takes more than a quarter of the stack: box what it owns.
    #[track_caller]
    pub fn new<F>(stack: Stack, f: F) -> Self
    where
        F: FnOnce(&Suspender<Input, Yield>, Input) -> Return + 'static,
    {
        // Relaxed: only distinct numbers are wanted.
        let number = NEXT.fetch_add(1, Relaxed);
        Coroutine::labelled(stack, number, Location::caller(), f)
    }

    /// [`Coroutine::new`], with what a report calls it.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::new`].
    pub fn labelled<F>(stack: Stack, number: u64, site: &'static Location<'static>, f: F) -> Self
    where
        F: FnOnce(&Suspender<Input, Yield>, Input) -> Return + 'static,
    {
        assert!(
            size_of::<F>() + align_of::<F>() <= stack.layout().usable() / 4,
            "the closure takes more than a quarter of the coroutine's stack"
        );
        stack.label(number, site);
        // SAFETY: the stack is ours, nothing is on it, and both fit, as was just checked. The top is a multiple of 64.
        let link = unsafe {
            let link = stack.top().cast::<Link>().sub(1);
            let closure = below::<F>(link.cast());
            closure.write(f);
            let first = closure.cast::<u8>();
            let first = first.sub(first.addr() % arch::STACK_ALIGNMENT);
            link.write(Link {
                resumer: Cell::new(ptr::null_mut()),
                coroutine: Cell::new(arch::prepare(
                    first,
                    run::<F, Input, Yield, Return>,
                    link.cast(),
                )),
                ended: Cell::new(false),
                unwinding: Cell::new(false),
                resumer_panics: Cell::new(false),
            });
            NonNull::new_unchecked(link)
        };
        Coroutine {
            link,
            stack: Some(stack),
            _across: PhantomData,
            _not_send: PhantomData,
        }
    }
}

/// The place for a `T` directly below an address.
///
/// # Safety
///
/// There must be room for it.
unsafe fn below<T>(address: *mut u8) -> *mut T {
    // SAFETY: by the caller's promise this stays within the stack.
    unsafe {
        let lowest = address.sub(size_of::<T>());
        lowest.sub(lowest.addr() % align_of::<T>()).cast()
    }
}
// ANCHOR_END: new

// ANCHOR: resume
impl<Input, Yield, Return> Coroutine<Input, Yield, Return> {
    /// Runs the coroutine until it suspends itself or returns. `input` is what its `suspend` returns, or, the first time,
    /// what its function is called with.
    ///
    /// # Panics
    ///
    /// With the coroutine's own panic, if it panics; it is done then. If it is done already. With debug assertions, if
    /// it came back with other floating-point control words than it was entered with (see `arch`).
    #[inline]
    pub fn resume(&mut self, input: Input) -> Resumed<Yield, Return> {
        assert!(!self.is_done(), "a coroutine was resumed that is done");
        let mut input = ManuallyDrop::new(input);
        #[cfg(debug_assertions)]
        let float_control = arch::FloatControl::read();
        // SAFETY: it is not done, so there is somebody to move the input out.
        let word = unsafe { self.enter((&raw mut input).cast()) };
        #[cfg(debug_assertions)]
        assert_eq!(
            arch::FloatControl::read(),
            float_control,
            "a coroutine has changed the floating-point control words of its thread and did not change them back"
        );
        if self.is_done() {
            // SAFETY: it has ended, so the word is the address of how, and it is read once, here.
            match unsafe { word.cast::<Ending<Return>>().read() } {
                Ok(value) => Resumed::Returned(value),
                Err(payload) => panic::resume_unwind(payload),
            }
        } else {
            // SAFETY: it has suspended itself, so the word is the address of the value, which it does not touch again.
            Resumed::Yielded(unsafe { word.cast::<Yield>().read() })
        }
    }

    /// Switches to the coroutine and comes back with its word.
    ///
    /// # Safety
    ///
    /// The coroutine is not done, and `word` is null or the address of an input that is given away.
    #[inline]
    unsafe fn enter(&mut self, word: *mut ()) -> *mut () {
        let link = self.link();
        link.resumer_panics.set(thread::panicking());
        // SAFETY: a coroutine that is not done and not running is suspended at this context. It is not running, since
        // that would be within another `resume`, which has the `&mut`. It is on its own thread, since it is not Send.
        unsafe { arch::switch(link.resumer.as_ptr(), link.coroutine.get(), word) }
    }

    /// True once its function has returned or panicked.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.link().ended.get()
    }

    /// The stack it runs on, to label it.
    pub fn stack(&self) -> &Stack {
        match &self.stack {
            Some(stack) => stack,
            None => unreachable!("the stack is taken only by what consumes the coroutine"),
        }
    }

    fn link(&self) -> &Link {
        // SAFETY: the link lies on our stack and is never moved or changed but through its cells.
        unsafe { self.link.as_ref() }
    }
}
// ANCHOR_END: resume

// ANCHOR: suspend
impl<Input, Yield> Suspender<Input, Yield> {
    /// Goes back to the resumer, whose `resume` returns `value`. Returns what the next `resume` is given.
    ///
    /// # Panics
    ///
    /// It *unwinds* with [`ForcedUnwind`] if the coroutine is dropped instead of resumed. The process is aborted with a
    /// message if this is called again after that was caught, or by a destructor that runs because of a panic.
    #[inline]
    pub fn suspend(&self, value: Yield) -> Input {
        if thread::panicking() {
            self.link.may_suspend_while_panicking();
        }
        let mut value = ManuallyDrop::new(value);
        // SAFETY: we run on this coroutine's stack, or on that of one which was resumed from it, so `resume` has stored
        // the resumer's context. It is stopped there until this switch.
        let word = unsafe {
            let link = &self.link;
            arch::switch(
                link.coroutine.as_ptr(),
                link.resumer.get(),
                (&raw mut value).cast(),
            )
        };
        if word.is_null() {
            self.link.unwind();
        }
        // SAFETY: it is not null, so it is the address of an input that the resumer has given away.
        unsafe { word.cast::<Input>().read() }
    }
}

impl Link {
    #[cold]
    fn may_suspend_while_panicking(&self) {
        if self.unwinding.get() {
            die(&["a coroutine that is being dropped suspended itself in a destructor"]);
        }
        if !self.resumer_panics.get() {
            die(&["a coroutine suspended itself in a destructor that runs because of a panic"]);
        }
    }

    #[cold]
    fn unwind(&self) -> ! {
        ForcedUnwind::throw()
    }
}
// ANCHOR_END: suspend

// ANCHOR: run
/// The first function on a coroutine's stack; the trampoline of `arch` calls it with what `new` has prepared.
///
/// # Safety
///
/// `link` is the link that `new` wrote, with the closure below it, and this is the only call. `word` is null, or the
/// address of an input that is given away.
unsafe extern "C" fn run<F, Input, Yield, Return>(link: *mut (), word: *mut ()) -> !
where
    F: FnOnce(&Suspender<Input, Yield>, Input) -> Return,
{
    // SAFETY: a `Suspender` is a link with types; the link stays until the stack is used for something else.
    let suspender = unsafe { &*link.cast::<Suspender<Input, Yield>>() };
    // SAFETY: `new` has written the closure to this place, and it is read once, here.
    let f = unsafe { below::<F>(link.cast()).read() };
    let body = || {
        if word.is_null() {
            drop(f);
            suspender.link.unwind(); // never resumed, and dropped: there was only the closure
        }
        // SAFETY: not null, so it is an input that is given away.
        f(suspender, unsafe { word.cast::<Input>().read() })
    };
    // Nobody sees what the panic may have left half-done but through what the user shares: the closure owns the rest,
    // and it is gone then.
    let ending: Ending<Return> = panic::catch_unwind(AssertUnwindSafe(body));
    // The resumer moves it out of this frame before anybody writes to this stack again.
    let mut ending = MaybeUninit::new(ending);
    suspender.link.ended.set(true);
    // SAFETY: as in `suspend`. There is nothing left here that would have to be dropped.
    unsafe {
        arch::switch(
            suspender.link.coroutine.as_ptr(),
            suspender.link.resumer.get(),
            ending.as_mut_ptr().cast(),
        );
    }
    die(&["a coroutine was resumed that is done"])
}
// ANCHOR_END: run

// ANCHOR: drop
impl<Input, Yield, Return> Coroutine<Input, Yield, Return> {
    /// The stack, for another use. If the coroutine is not done it is ended first, as by dropping it.
    pub fn into_stack(mut self) -> Stack {
        self.take_stack()
    }

    /// [`Coroutine::into_stack`] for one that lies in a larger structure, so that it need not be moved first: `place` is
    /// empty afterwards. None if it was empty before.
    #[inline(always)]
    pub fn stack_of(place: &mut Option<Self>) -> Option<Stack> {
        let stack = place.as_mut()?.take_stack();
        // SAFETY: what is overwritten has no stack any more, so there is nothing to drop.
        unsafe { ptr::write(place, None) };
        Some(stack)
    }

    #[inline(always)]
    fn take_stack(&mut self) -> Stack {
        if !self.is_done() {
            self.end();
        }
        match self.stack.take() {
            Some(stack) => stack,
            None => unreachable!("nothing but this takes it"),
        }
    }

    /// Unwinds what is on the stack. It is not done.
    #[cold]
    fn end(&mut self) {
        self.link().unwinding.set(true);
        // SAFETY: it is not done. The null word says that it is to unwind.
        let word = unsafe { self.enter(ptr::null_mut()) };
        if !self.is_done() {
            die(&[
                "a coroutine that is being dropped caught the unwinding of its stack and suspended itself again; ",
                "whoever catches panics should pass on a payload of the type step01::ForcedUnwind",
            ]);
        }
        // SAFETY: it has ended, so the word is the address of how, and it is read once, here.
        match unsafe { word.cast::<Ending<Return>>().read() } {
            // It caught the unwinding, and returned: what was on the stack is dropped all the same.
            Ok(value) => drop(value),
            Err(payload) if payload.is::<ForcedUnwind>() => {}
            Err(payload) => {
                // The hook has printed the panic.
                mem::forget(payload);
                die(&[
                    "a coroutine that is being dropped caught the unwinding of its stack and panicked",
                ])
            }
        }
    }
}

impl<Input, Yield, Return> Drop for Coroutine<Input, Yield, Return> {
    /// Ends the coroutine if it is suspended: see the module's description. The stack goes back to its region.
    fn drop(&mut self) {
        if self.stack.is_some() && !self.is_done() {
            self.end();
        }
    }
}
// ANCHOR_END: drop
