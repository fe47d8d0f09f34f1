//! `crate::sync` made of loom's types; the library's own is `src/sync.rs`.
//!
//! Loom's condition variable never times out, so the models sleep without a deadline.

pub(crate) use loom::sync::atomic;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use loom::thread::yield_now;
pub(crate) use std::sync::PoisonError;
