//! Waiting allocates nothing: the waiter is on the stack of the task that waits.
//!
//! Each operation here goes all the way, into the queue, to sleep, and out of the queue at its deadline, on the thread
//! whose allocations are counted. The deadline is a millisecond away; whether the thread really sleeps or finds it passed
//! makes no difference to what is asserted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use step01::{Condvar, Mutex, Once, Semaphore, WaitGroup, park};

/// The system's allocator, which counts the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator. The counter has no destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `f` calls the allocator.
fn calls(f: impl FnOnce()) -> usize {
    // The thread's parker is made at its first park, once.
    park::current();
    let before = CALLS.get();
    f();
    CALLS.get() - before
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(1)
}

#[test]
fn the_counter_counts() {
    assert_eq!(calls(|| drop(Box::new(1))), 2);
}

#[test]
fn mutex_waits_without_allocating() {
    let count = calls(|| {
        let mutex = Mutex::new(1);
        let _held = mutex.lock();
        assert!(mutex.lock_deadline(soon()).is_none());
    });
    assert_eq!(count, 0);
}

#[test]
fn condvar_waits_without_allocating() {
    let count = calls(|| {
        let (mutex, condvar) = (Mutex::new(1), Condvar::new());
        let (_guard, ended) = condvar.wait_deadline(mutex.lock(), soon());
        assert!(ended.timed_out());
        condvar.notify_all();
    });
    assert_eq!(count, 0);
}

#[test]
fn wait_group_waits_without_allocating() {
    let count = calls(|| {
        let group = WaitGroup::new();
        group.add(1);
        assert!(!group.wait_deadline(soon()));
        group.done();
        group.wait();
    });
    assert_eq!(count, 0);
}

#[test]
fn semaphore_waits_without_allocating() {
    let count = calls(|| {
        let semaphore = Semaphore::new(2);
        assert!(semaphore.acquire_deadline(3, soon()).is_none());
        drop(semaphore.acquire(2));
    });
    assert_eq!(count, 0);
}

/// Another thread is inside the initialiser when this one asks, and ends it when it knows that this one is about to.
#[test]
fn once_waits_without_allocating() {
    let (once, running, asked) = (Once::new(), Semaphore::new(0), Semaphore::new(0));
    std::thread::scope(|s| {
        s.spawn(|| {
            once.call_once(|| {
                running.release(1);
                asked.acquire(1).forget();
            });
        });
        running.acquire(1).forget();
        let count = calls(|| {
            asked.release(1);
            once.call_once(|| panic!("a second time"));
        });
        assert_eq!(count, 0);
    });
    assert!(once.is_completed());
}
