//! `crate::sync` made of loom's types; the library's own is `src/sync.rs`.
//!
//! Loom's condition variable never times out, so in the models a deadline is in the past, or there is none.

pub(crate) use loom::sync::atomic;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;
