//! The seam: what a park and an unpark promise on a plain OS thread, and that a stage which installs its own parker is
//! asked, with the reason, by everything that blocks.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use step01::park::{self, ParkVTable, Parker, Wait};
use step01::{
    Condvar, Job, Mutex, Runtime, Semaphore, Threads, UnparkVTable, Unparker, WaitGroup, bounded,
    scope, select,
};

#[test]
fn a_token_left_before_the_park_is_kept_and_taken_once() {
    park::current().unpark();
    park::current().unpark(); // twice is once
    park::park(); // returns at once, or this test hangs
    let start = Instant::now();
    let until = start + Duration::from_millis(20);
    while Instant::now() < until {
        park::park_until(until); // may return for no reason, but the token is gone: time alone ends this
    }
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn what_was_written_before_an_unpark_is_there_after_the_park() {
    for round in 0..200 {
        static DATA: AtomicUsize = AtomicUsize::new(0);
        static READY: AtomicBool = AtomicBool::new(false);
        READY.store(false, Ordering::Relaxed);
        let main = park::current();
        let writer = thread::spawn(move || {
            DATA.store(round, Ordering::Relaxed); // relaxed, both: the token publishes them
            READY.store(true, Ordering::Relaxed);
            main.unpark();
        });
        while !READY.load(Ordering::Relaxed) {
            park::park();
        }
        assert_eq!(DATA.load(Ordering::Relaxed), round);
        writer.join().unwrap();
    }
}

/// An unparker may be used for ever: the cell behind it is recycled, never freed.
#[test]
fn an_unparker_of_an_ended_thread_does_no_harm() {
    let stale: Vec<Unparker> = (0..20)
        .map(|_| thread::spawn(park::current).join().unwrap())
        .collect();
    let (tx, rx) = bounded(0);
    let receiver = thread::spawn(move || rx.iter().sum::<u32>());
    for n in 0..500 {
        stale.iter().for_each(|unparker| unparker.unpark()); // the receiver may have one of these cells
        tx.send(n).unwrap();
    }
    drop(tx);
    assert_eq!(receiver.join().unwrap(), 124_750);
}

/// Threads that end give their cells back, so a program that starts a million threads one after the other does not keep
/// a million cells.
#[test]
fn cells_are_recycled() {
    let mut cells: Vec<*const ()> = (0..64)
        .map(|_| {
            thread::spawn(|| park::current().data() as usize)
                .join()
                .unwrap() as *const ()
        })
        .collect();
    cells.sort_unstable();
    cells.dedup();
    // Other tests of this file run beside this one and use cells too.
    assert!(cells.len() < 32, "{} cells for 64 threads", cells.len());
}

/// A thread-local whose destructor parks: the thread's cell has been given back by then, perhaps, and another one must do.
#[test]
fn parking_while_a_thread_ends() {
    struct Last(RefCell<Option<mpsc::Sender<()>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            park::current().unpark();
            park::park();
            if let Some(tx) = self.0.take() {
                tx.send(()).unwrap();
            }
        }
    }
    thread_local! {
        static LAST: Last = const { Last(RefCell::new(None)) };
    }
    for park_first in [false, true] {
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            if park_first {
                park::current();
            }
            LAST.with(|last| last.0.replace(Some(tx)));
            if !park_first {
                park::current();
            }
        })
        .join()
        .unwrap();
        rx.recv().unwrap();
    }
}

thread_local! {
    /// What the toy stage below was asked to wait for, on this thread.
    static ASKED: RefCell<Vec<Wait>> = const { RefCell::new(Vec::new()) };
}

/// A stage with one task, which is the thread itself: it takes notes and then does what a thread does. Who parks with a
/// deadline is sent back by unwinding, so that nobody has to wait for a clock, or come too late for it.
mod toy {
    use super::*;

    static UNPARK: UnparkVTable = UnparkVTable {
        // SAFETY: `data` is a leaked thread handle.
        unpark: |data| unsafe { &*data.cast::<thread::Thread>() }.unpark(),
    };

    static PARK: ParkVTable = ParkVTable {
        park: |_, wait, deadline| {
            ASKED.with_borrow_mut(|asked| asked.push(wait));
            match deadline {
                None => thread::park(),
                Some(_) => panic::resume_unwind(Box::new(SentBack)),
            }
        },
        // SAFETY: the handle is leaked, and unparking is for any thread.
        current: |data| unsafe { Unparker::new(data, &UNPARK) },
    };

    pub(super) fn parker() -> Parker {
        let handle = Box::leak(Box::new(thread::current()));
        // SAFETY: both functions may be called anywhere, and the handle is never freed.
        unsafe { Parker::new((&raw const *handle).cast(), &PARK) }
    }
}

/// What the toy stage unwinds with.
struct SentBack;

/// Runs `f` on a thread of the toy stage; returns the reasons of its parks, each once.
fn reasons(f: impl FnOnce() + Send) -> Vec<Wait> {
    thread::scope(|scope| {
        let stage = scope.spawn(|| {
            // SAFETY: the toy parker fits any thread.
            let before = unsafe { park::install(Some(toy::parker())) };
            assert!(before.is_none());
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
                assert!(payload.is::<SentBack>(), "it panicked by itself");
            }
            // SAFETY: as above.
            unsafe { park::install(before) };
            let mut asked = ASKED.take();
            asked.dedup();
            asked
        });
        stage.join().unwrap()
    })
}

/// Longer than the test takes, on any machine.
const LATER: Duration = Duration::from_secs(3_600);

#[test]
fn everything_that_blocks_asks_the_installed_parker_and_says_why() {
    let later = || Instant::now() + LATER;
    assert_eq!(reasons(|| park::park_until(later())), [Wait::Park]);
    let (tx, rx) = bounded::<u8>(0);
    assert_eq!(
        reasons(|| {
            let _ = rx.recv_timeout(LATER);
        }),
        [Wait::Recv]
    );
    assert_eq!(
        reasons(|| {
            let _ = tx.send_timeout(1, LATER);
        }),
        [Wait::Send]
    );
    assert_eq!(
        reasons(|| select! { recv(rx) -> _ => unreachable!(), default(LATER) => {} }),
        [Wait::Select]
    );
    let mutex = Mutex::new(());
    let held = mutex.lock();
    assert_eq!(
        reasons(|| drop(mutex.lock_deadline(later()))),
        [Wait::Mutex]
    );
    drop(held);
    let changed = Condvar::new();
    assert_eq!(
        reasons(|| drop(changed.wait_timeout(mutex.lock(), LATER))),
        [Wait::Condvar]
    );
    let group = WaitGroup::new();
    group.add(1);
    assert_eq!(
        reasons(|| {
            let _ = group.wait_deadline(later());
        }),
        [Wait::WaitGroup]
    );
    let permits = Semaphore::new(0);
    assert_eq!(
        reasons(|| drop(permits.acquire_deadline(1, later()))),
        [Wait::Semaphore]
    );
    let (job, handle) = Job::new(|| (), Location::caller());
    assert_eq!(
        reasons(|| drop(handle.join_deadline(later()))),
        [Wait::Join]
    );
    drop(job);
}

/// A task of the toy stage, a task of `Threads` and a plain thread share channels and a scope: nobody can tell who is who.
#[test]
fn tasks_of_different_stages_and_threads_share_a_channel() {
    let (tx, rx) = bounded(0);
    let threads = Threads::new();
    let task = threads.spawn({
        let tx = tx.clone();
        move || (0..100).for_each(|n| tx.send(n).unwrap())
    });
    let plain = thread::spawn(move || (100..200).for_each(|n| tx.send(n).unwrap()));
    let asked = reasons(|| {
        assert_eq!(rx.iter().sum::<u32>(), 19_900);
        let doubled = scope(&threads, |s| s.spawn(|| 2 * 21).join().unwrap());
        assert_eq!(doubled, 42);
    });
    assert!(asked.contains(&Wait::Recv), "it never waited: {asked:?}");
    task.join().unwrap();
    plain.join().unwrap();
}
