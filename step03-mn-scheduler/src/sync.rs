//! What the protocol files `global_queue.rs`, `watch.rs`, `claim.rs` and `home.rs` are built on, in one place so that it
//! can be exchanged.
//!
//! In the library this is std. `tests/loom/` compiles the same files with a module of this name made of loom's types, as
//! steps 1 and 2 do.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::thread::yield_now;
