//! Signals that arrive while stacks are switched: on which stack their handlers run (bug 14), and what a handler that
//! looks at the stack sees, as profilers do (bug 28).

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};
use std::{mem, ptr};

use step01::alt_stack::AltStack;
use step02::{Coroutine, Region, Resumed, SlotLayout, Suspender};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("storm", storm),
    ("backtrace_storm", backtrace_storm),
    #[cfg(target_arch = "x86_64")]
    (
        "backtrace_at_every_instruction",
        backtrace_at_every_instruction,
    ),
];

/// The thread that a storm is for. The kernel may give a signal of the process to any of its threads, and the test
/// harness has one of its own, on whose small alternate stack our handlers have no business.
static TARGET: AtomicI32 = AtomicI32::new(0);

fn is_for_us() -> bool {
    // SAFETY: it only asks.
    TARGET.load(Relaxed) == unsafe { libc::gettid() }
}

/// Installs a handler for the signals that arrive on this thread.
fn handle(signal: c_int, handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)) {
    // SAFETY: it only asks.
    TARGET.store(unsafe { libc::gettid() }, Relaxed);
    // SAFETY: all zeros is a valid `sigaction`, and the handlers here call only what they may.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

/// Sends SIGPROF to this process every so many microseconds of its own running.
fn every(microseconds: libc::suseconds_t) {
    let interval = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    // SAFETY: the structure is alive during the call.
    let code = unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, ptr::null_mut()) };
    assert_eq!(code, 0);
}

/// Four coroutines that switch for ever.
fn spinning(region: &std::sync::Arc<Region>) -> Vec<Coroutine<u64, u64, ()>> {
    (0..4u64)
        .map(|n| {
            Coroutine::new(region.open().unwrap(), move |suspender, mut turn: u64| {
                loop {
                    turn = suspender.suspend(turn.wrapping_mul(n));
                }
            })
        })
        .collect()
}

static STORM_SIGNALS: AtomicUsize = AtomicUsize::new(0);
static ON_COROUTINE_STACK: AtomicUsize = AtomicUsize::new(0);
static REGION: (AtomicUsize, AtomicUsize) = (AtomicUsize::new(0), AtomicUsize::new(0));

extern "C" fn stormed(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    if is_for_us() {
        use_much_stack();
    }
}

/// Not inlined: its frame must not be there before it was decided that it has room.
#[inline(never)]
fn use_much_stack() {
    // More than the coroutines have: on their stack this would be an overflow.
    let mut large = [0u8; 14 << 10];
    black_box(&mut large).fill(1);
    let here = (&raw const large).addr();
    if (REGION.0.load(Relaxed)..REGION.1.load(Relaxed)).contains(&here) {
        ON_COROUTINE_STACK.fetch_add(1, Relaxed);
    }
    STORM_SIGNALS.fetch_add(1, Relaxed);
}

fn storm() {
    let _alt_stack = AltStack::allocate().unwrap().install();
    let layout = SlotLayout::new(SlotLayout::smallest()).unwrap();
    let region = Region::map(layout, 4).unwrap();
    let mut coroutines = spinning(&region);
    let first = coroutines[0].stack().base();
    REGION.0.store(first, SeqCst);
    REGION.1.store(first + 4 * layout.slot(), SeqCst);
    handle(libc::SIGPROF, stormed);
    every(100);
    let mut n = 0u64;
    while STORM_SIGNALS.load(Relaxed) < 300 {
        for (k, coroutine) in coroutines.iter_mut().enumerate() {
            assert_eq!(
                coroutine.resume(n),
                Resumed::Yielded(n.wrapping_mul(k as u64))
            );
        }
        n += 1;
    }
    every(0);
    assert_eq!(ON_COROUTINE_STACK.load(Relaxed), 0);
}

#[test]
fn handlers_in_a_storm_of_signals_run_on_the_alternate_stack() {
    child::run("storm").is_done();
}

// From here on: backtraces in a handler.

unsafe extern "C" {
    /// glibc's; it unwinds by the tables, as profilers do.
    fn backtrace(buffer: *mut *mut c_void, size: c_int) -> c_int;
    /// libgcc's: the first instruction of the function that an instruction belongs to, or null.
    fn _Unwind_FindEnclosingFunction(pc: *mut c_void) -> *mut c_void;
}

const DEPTH: usize = 64;
const SAMPLES: usize = 20_000;

/// What handlers have seen: each from the interrupted instruction outwards, ended by a zero.
struct Samples(UnsafeCell<[[usize; DEPTH]; SAMPLES]>);

// SAFETY: written by handlers on one thread, and read by that thread when no more signals come.
unsafe impl Sync for Samples {}

static SEEN: Samples = Samples(UnsafeCell::new([[0; DEPTH]; SAMPLES]));
static SEEN_COUNT: AtomicUsize = AtomicUsize::new(0);

/// No further single steps.
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn sample(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    if !is_for_us() {
        return;
    }
    // SAFETY: the kernel passes the interrupted registers to a handler with SA_SIGINFO.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let count = SEEN_COUNT.load(Relaxed);
    if STOP.load(Relaxed) || count == SAMPLES {
        #[cfg(target_arch = "x86_64")]
        {
            context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP;
        }
        return;
    }
    let mut frames = [ptr::null_mut(); DEPTH + 8];
    // SAFETY: the buffer is large enough. `backtrace` allocates at its first call only, which was made before.
    let len = unsafe { backtrace(frames.as_mut_ptr(), frames.len() as c_int) } as usize;
    let pc = interrupted(context);
    // SAFETY: only handlers write, one at a time.
    let place = unsafe { &mut (*SEEN.0.get())[count] };
    let from = frames[..len].iter().position(|frame| frame.addr() == pc);
    for (place, frame) in place.iter_mut().zip(&frames[from.unwrap_or(len)..len]) {
        *place = frame.addr();
    }
    SEEN_COUNT.store(count + 1, Relaxed);
}

/// The flag with which the processor stops after each instruction.
#[cfg(target_arch = "x86_64")]
const TRAP: i64 = 0x100;

#[cfg(target_arch = "x86_64")]
fn interrupted(context: &libc::ucontext_t) -> usize {
    context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
}

#[cfg(target_arch = "aarch64")]
fn interrupted(context: &libc::ucontext_t) -> usize {
    context.uc_mcontext.pc as usize
}

/// The frames of the caller as its backtrace is when nothing interrupts.
#[inline(never)]
fn own_frames() -> Vec<usize> {
    let mut frames = [ptr::null_mut(); DEPTH];
    // SAFETY: the buffer is large enough.
    let len = unsafe { backtrace(frames.as_mut_ptr(), frames.len() as c_int) } as usize;
    frames[..len].iter().map(|frame| frame.addr()).collect()
}

/// The functions that frames belong to.
fn functions(frames: &[usize]) -> Vec<usize> {
    let function = |(n, frame): (usize, &usize)| {
        // The first is an instruction, the others are return addresses, which may be just behind their function.
        let pc = frame - usize::from(n > 0);
        // SAFETY: it looks into tables.
        unsafe { _Unwind_FindEnclosingFunction(pc as *mut c_void) }.addr()
    };
    frames.iter().enumerate().map(function).collect()
}

/// How often the coroutine still suspends itself. None at all: it and its resumer show their backtraces.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// The coroutine's part.
#[inline(never)]
fn inside(suspender: &Suspender<(), ()>) -> Vec<usize> {
    if TURNS.load(Relaxed) == 0 {
        return black_box(own_frames());
    }
    while TURNS.load(Relaxed) > 0 {
        suspender.suspend(());
    }
    black_box(Vec::new())
}

/// The resumer's part.
#[inline(never)]
fn outside(coroutine: &mut Coroutine<(), (), Vec<usize>>) -> (Vec<usize>, Vec<usize>) {
    let show = TURNS.load(Relaxed) == 0;
    loop {
        match coroutine.resume(()) {
            Resumed::Yielded(()) => TURNS.fetch_sub(1, Relaxed),
            Resumed::Returned(inside) if show => return black_box((inside, own_frames())),
            Resumed::Returned(_) => return black_box((Vec::new(), Vec::new())),
        };
    }
}

/// What every sample must be like: it ends where its own stack ends.
fn judge(inside_frames: &[usize], outside_frames: &[usize]) -> Judged {
    let [inside, outside] = [inside_frames, outside_frames].map(functions);
    let [inside_end, outside_end] =
        [&inside, &outside].map(|functions| functions[functions.len() - 1]);
    let [inside_fn, outside_fn] = [inside[1], outside[1]];
    assert_ne!(inside_end, outside_end);
    let mut judged = Judged::default();
    // SAFETY: no more signals come.
    let seen = &unsafe { &*SEEN.0.get() }[..SEEN_COUNT.load(Relaxed)];
    for (n, sample) in seen.iter().enumerate() {
        let len = sample.iter().position(|frame| *frame == 0).unwrap_or(DEPTH);
        assert!(len > 0 && len < DEPTH, "sample {n} has {len} frames");
        let frames = functions(&sample[..len]);
        let (is_inside, is_outside) = (frames.contains(&inside_fn), frames.contains(&outside_fn));
        assert!(
            !(is_inside && is_outside),
            "sample {n} goes from one stack to the other: {frames:x?}"
        );
        match frames[len - 1] {
            end if end == inside_end => judged.inside += 1,
            end if end == outside_end => judged.outside += 1,
            _ if len == 1 => judged.in_a_switch += 1,
            _ => panic!("sample {n} ends in the middle of nowhere: {frames:x?}"),
        }
    }
    judged
}

/// How many samples ended at the coroutine's root, at the thread's first function, and in a switch.
#[derive(Debug, Default)]
struct Judged {
    inside: usize,
    outside: usize,
    in_a_switch: usize,
}

fn new_coroutine() -> Coroutine<(), (), Vec<usize>> {
    Coroutine::new(crate::stack(), |suspender, ()| inside(suspender))
}

fn backtrace_storm() {
    let _alt_stack = AltStack::allocate().unwrap().install();
    let (inside, outside_frames) = outside(&mut new_coroutine());
    handle(libc::SIGPROF, sample);
    every(100);
    while SEEN_COUNT.load(Relaxed) < 200 {
        TURNS.store(1000, Relaxed);
        outside(&mut new_coroutine());
    }
    every(0);
    println!("judged {:?}", judge(&inside, &outside_frames));
}

#[test]
fn a_profilers_backtrace_ends_where_its_stack_ends() {
    child::run("backtrace_storm").is_done();
}

// ANCHOR: every_instruction
/// The processor's trap flag raises SIGTRAP after every instruction: no moment is left out.
#[cfg(target_arch = "x86_64")]
fn backtrace_at_every_instruction() {
    use std::arch::asm;

    let _alt_stack = AltStack::allocate().unwrap().install();
    let (inside, outside_frames) = outside(&mut new_coroutine());
    handle(libc::SIGTRAP, sample);
    TURNS.store(3, Relaxed);
    let mut coroutine = new_coroutine();
    // SAFETY: it sets one flag, for which there is a handler.
    unsafe { asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq") };
    outside(&mut coroutine);
    STOP.store(true, Relaxed);
    assert!(
        SEEN_COUNT.load(Relaxed) < SAMPLES,
        "more instructions than there is room for"
    );
    let judged = judge(&inside, &outside_frames);
    // Four resumes, three suspensions and the end are eight switches, of ten instructions at least.
    assert!(judged.in_a_switch >= 80, "{judged:?}");
    assert!(judged.inside > 50 && judged.outside > 50, "{judged:?}");
    println!("judged {judged:?}");
}

/// Bug 28: at each single instruction of resuming, suspending and ending, a backtrace stays on the stack that it began
/// on, or ends at once.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_backtrace_at_every_instruction_of_a_switch_ends_where_its_stack_ends() {
    child::run("backtrace_at_every_instruction").is_done();
}
// ANCHOR_END: every_instruction
