//! The two protocols of this step that threads race in, explored by the model checker loom in plain `cargo test`.
//!
//! A task, its worker and its stack switch are one thread's affair, and no model checker's: loom has a stack switch of
//! its own. What crosses threads is the word of a task (`src/task_word.rs`) and the inbox (`src/inbox.rs`). Both are
//! compiled here a second time, as the library's own files, with loom's types as `crate::sync`. How a model is run, and
//! what loom cannot see, is described in step 1's tests; the file that runs a model is step 1's.
//!
//! In these models the worker and its task are one loom thread, as they are one OS thread: a task that has parked is a
//! worker that looks into its inbox.

#![allow(dead_code)]

// ANCHOR: files
#[path = "../../src/inbox.rs"]
mod inbox;
#[path = "../../src/task_word.rs"]
#[allow(
    unreachable_pub,
    reason = "step 3 uses it, too; here it is the model's own"
)]
mod task_word;

#[path = "../../../step01-threads/tests/loom/model.rs"]
mod model;
mod sync;
// ANCHOR_END: files

mod inbox_model;
mod word_model;
