//! The protocols of this step, explored by the model checker loom in plain `cargo test`.
//!
//! The modules below are *the library's own files*, compiled a second time: here `crate::sync` is made of loom's types,
//! and so every atomic access, every cell and every futex is a point at which loom may let another thread run. A model
//! is a closure that loom calls again and again, each time with another interleaving, until it has seen all of them or
//! all within a stated bound.
//!
//! What loom cannot see, here as everywhere: sequentially consistent *accesses* count as acquire and release (there are
//! none in these files), stores are not reordered before earlier loads ("load buffering"), and the futex is modelled
//! with loom's mutex and condition variable, whose own synchronisation comes on top of the protocol's in those
//! executions in which a thread really sleeps. Of several earlier accesses to one object loom tries to exchange only
//! the last with a later one, so a race with an access before that can be missed even in a model said to be complete:
//! which thread does what in a model is chosen so that the planted bugs are found. Time does not exist: a deadline in
//! the past stands for "it timed out now".

#![allow(dead_code, unreachable_pub, unused_imports)]
// The library's files are private here, where clippy looks at names more strictly, and a constant of the facade is
// zero.
#![allow(clippy::enum_variant_names, clippy::reversed_empty_ranges)]

// ANCHOR: files
#[path = "../../src/channel/mod.rs"]
mod channel;
#[path = "../../src/condvar.rs"]
mod condvar;
#[path = "../../src/crowd.rs"]
mod crowd;
#[path = "../../src/join.rs"]
mod join;
// ANCHOR_END: files
#[path = "../../src/join_error.rs"]
mod join_error;
#[path = "../../src/lock.rs"]
mod lock;
#[path = "../../src/mutex.rs"]
mod mutex;
#[path = "../../src/once.rs"]
mod once;
#[path = "../../src/os_parker.rs"]
mod os_parker;
#[path = "../../src/packet_memory.rs"]
mod packet_memory;
#[path = "../../src/select.rs"]
mod select;
#[path = "../../src/select_dynamic.rs"]
mod select_dynamic;
#[path = "../../src/semaphore.rs"]
mod semaphore;
#[path = "../../src/spawn_error.rs"]
mod spawn_error;
#[path = "../../src/tally.rs"]
mod tally;
#[path = "../../src/unparker.rs"]
mod unparker;
#[path = "../../src/wait.rs"]
mod wait;
#[path = "../../src/wait_group.rs"]
mod wait_group;
#[path = "../../src/wait_queue.rs"]
mod wait_queue;

mod model;
mod park;
mod sync;

mod channel_model;
mod condvar_model;
mod join_model;
mod lock_model;
mod mutex_model;
mod once_model;
mod parker_model;
mod select_model;
mod semaphore_model;
mod tally_model;
mod wait_group_model;
