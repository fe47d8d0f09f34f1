//! `crate::park` for models: each loom thread is an OS thread with the library's own [`OsParker`].
//!
//! The cells are leaked as in the library, so that a late unpark finds one. (The library recycles them; loom's threads
//! are few, and an execution short.)

use std::time::Instant;

use crate::os_parker::OsParker;
use crate::unparker::{UnparkVTable, Unparker};

pub use crate::wait::Wait;

loom::thread_local! {
    static CELL: &'static OsParker = Box::leak(Box::new(OsParker::new()));
}

static VTABLE: UnparkVTable = UnparkVTable {
    // SAFETY: `data` is a cell that `current` has leaked.
    unpark: |data| unsafe { &*data.cast::<OsParker>() }.unpark(),
};

pub(crate) fn current() -> Unparker {
    let cell = CELL.with(|cell| *cell);
    // SAFETY: the cell is never freed, and unparking is for any thread.
    unsafe { Unparker::new((cell as *const OsParker).cast(), &VTABLE) }
}

pub(crate) fn park_as(_wait: Wait, deadline: Option<Instant>) {
    CELL.with(|cell| *cell).park(deadline);
}

pub(crate) fn park() {
    park_as(Wait::Park, None);
}
