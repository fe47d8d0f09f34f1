//! The protocols of this step, explored by the model checker loom in plain `cargo test`.
//!
//! The library's own files are compiled here a second time, with loom's types as `crate::sync`: the shared queue and its
//! sleepers (`global_queue.rs`, and `policy.rs` with its trait), who is awake and until when a sleeper may sleep
//! (`watch.rs`), the claims at the end (`claim.rs`), those who wake from outside (`home.rs`), and the word of a task, which
//! is step 2's file. What they name beside `crate::sync` has a stand-in here: a task that is a word and a place for a stack
//! (`task.rs`), a processor that is nothing (`processor.rs`). How a model is run, and what loom cannot see, is described in
//! step 1's tests; the file that runs a model is step 1's.
//!
//! Loom cannot follow a switch of stacks. What it can see is a *place* that two threads use at once. So each task of a
//! model has a cell for its stack; whoever runs the task is in that cell until the task stops, and loom complains of two.

#![allow(dead_code)]
#![allow(unreachable_pub)] // in the library some of it is public

// ANCHOR: files
#[path = "../../src/claim.rs"]
mod claim;
#[path = "../../src/global_queue.rs"]
mod global_queue;
#[path = "../../src/home.rs"]
mod home;
#[path = "../../src/policy.rs"]
mod policy;
#[path = "../../../step02-coroutines/src/task_word.rs"]
mod task_word;
#[path = "../../src/watch.rs"]
mod watch;

#[path = "../../../step01-threads/tests/loom/model.rs"]
mod model;
mod processor;
mod sync;
mod task;
// ANCHOR_END: files

mod claim_model;
mod home_model;
mod queue_model;
mod watch_model;
mod word_model;
