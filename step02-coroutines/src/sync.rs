//! What the protocol files `task_word.rs` and `inbox.rs` are built on, in one place so that it can be exchanged.
//!
//! In the library this is std. `tests/loom/` compiles the same two files with a module of this name made of loom's types,
//! as step 1 does: see its `sync.rs` for why, and for what was rejected.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
