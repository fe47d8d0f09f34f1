//! What the protocol files are built on, in one place so that it can be exchanged: std here, loom's types in the models.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
