//! The protocols of this step that threads race in, explored by the model checker loom in plain `cargo test`.
//!
//! The modules below are the library's own files, compiled a second time with loom's types as `crate::sync`. How a model
//! is run, and what loom cannot see, is described in step 1's tests; the file that runs a model is step 1's. The ring is
//! the library's, too, and has four places here instead of 256, so that a model can fill it.

#![allow(dead_code)]

// ANCHOR: files
#[path = "../../src/chase_lev.rs"]
mod chase_lev;
#[path = "../../src/idle.rs"]
mod idle;
#[path = "../../src/injector.rs"]
mod injector;
#[path = "../../src/latch.rs"]
mod latch;
#[path = "../../src/local_queue.rs"]
mod local_queue;
#[path = "../../src/registry.rs"]
mod registry;

#[path = "../../../step01-threads/tests/loom/model.rs"]
mod model;
mod sync;
// ANCHOR_END: files

mod deque_model;
mod idle_model;
mod injector_model;
mod latch_model;
mod registry_model;
mod ring_model;
