//! The primitives that `inbox.rs` is built on. The loom target compiles that file against a module of the same name
//! made of loom's types, so that the model checker explores the code that runs.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
