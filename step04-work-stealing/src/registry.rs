//! Places that are lent to tasks, and that anybody may look at, at any time.
//!
//! # The protocol
//!
//! A place is made once and stays where it is until the registry goes. It is lent to one borrower at a time, through a
//! lock. A thief takes no lock: there is a *table* of all places, and a pointer to the current table. If all places are
//! lent, as many again are made, and a table with the old and the new ones takes the place of the old table, which is
//! kept: one who still looks through it misses the newest places, and nothing else.
//!
//! So whoever has found a place may keep looking at it: it never becomes something else. That is the rule of the tasks'
//! headers (*type-stable memory*), and here it saves a thief from asking whether his victim is still there.
//!
//! Rejected: *a place per processor*, as rayon has one deque per thread. Our tasks park and go on elsewhere, and what lies
//! in the place belongs to the frames on the task's stack. The place goes where the stack goes.

use std::fmt;
use std::ptr::NonNull;

use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::atomic::{AtomicPtr, AtomicUsize};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// So many places are made at first.
const FIRST: usize = 4;

/// Places of type `P`.
pub(crate) struct Registry<P> {
    table: AtomicPtr<Vec<NonNull<P>>>,
    /// How many are lent. A hint for those who do not have the lock.
    lent: AtomicUsize,
    inner: Mutex<Inner<P>>,
}

struct Inner<P> {
    free: Vec<NonNull<P>>,
    /// All that there ever were, the current one last.
    tables: Vec<NonNull<Vec<NonNull<P>>>>,
}

// SAFETY: places are shared with all threads and freed by the last, so they must allow both; the pointers are ours.
unsafe impl<P: Send + Sync> Send for Registry<P> {}
// SAFETY: as above.
unsafe impl<P: Send + Sync> Sync for Registry<P> {}

fn leak<T>(value: T) -> NonNull<T> {
    NonNull::from(Box::leak(Box::new(value)))
}

impl<P> Registry<P> {
    /// Without any place.
    pub(crate) fn new() -> Self {
        let table = leak(Vec::new());
        Registry {
            table: AtomicPtr::new(table.as_ptr()),
            lent: AtomicUsize::new(0),
            inner: Mutex::new(Inner {
                free: Vec::new(),
                tables: vec![table],
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<P>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a place; `make` makes new ones if all are lent. To be given back by [`Registry::give_back`].
    pub(crate) fn lend(&self, make: impl Fn() -> P) -> &P {
        let mut inner = self.lock();
        if inner.free.is_empty() {
            let old = self.all();
            let new: Vec<_> = (0..old.len().max(FIRST)).map(|_| leak(make())).collect();
            let table = leak(old.iter().chain(&new).copied().collect());
            inner.tables.push(table);
            inner.free.extend(new);
            // Release: pairs with the Acquire in `all`. Who finds the table finds its places, and what is in them.
            self.table.store(table.as_ptr(), Release);
        }
        // Relaxed, here and below: a hint, written under the lock.
        self.lent.store(self.lent.load(Relaxed) + 1, Relaxed);
        let place = inner.free.pop();
        // SAFETY: places live as long as the registry.
        unsafe { place.expect("some were made").as_ref() }
    }

    /// Takes back a place that was lent. The next borrower sees what this one has done with it.
    pub(crate) fn give_back(&self, place: &P) {
        let mut inner = self.lock();
        inner.free.push(NonNull::from(place));
        self.lent.store(self.lent.load(Relaxed) - 1, Relaxed);
    }

    /// How many places are lent at this moment, roughly.
    pub(crate) fn lent(&self) -> usize {
        self.lent.load(Relaxed)
    }

    /// All places, lent or not.
    pub(crate) fn all(&self) -> &[NonNull<P>] {
        // Acquire: pairs with the Release in `lend`.
        // SAFETY: tables live as long as the registry, and are not changed once they are published.
        unsafe { &*self.table.load(Acquire) }
    }
}

impl<P> Drop for Registry<P> {
    fn drop(&mut self) {
        for place in self.all() {
            // SAFETY: it came from a box, each is in the last table once, and nobody looks any more.
            drop(unsafe { Box::from_raw(place.as_ptr()) });
        }
        for table in self.lock().tables.drain(..) {
            // SAFETY: as above; each is listed once.
            drop(unsafe { Box::from_raw(table.as_ptr()) });
        }
    }
}

impl<P> fmt::Debug for Registry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("lent", &self.lent)
            .finish_non_exhaustive()
    }
}
