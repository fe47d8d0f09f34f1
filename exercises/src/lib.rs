//! What the exercises stand on: a runtime that tries every order in which tasks can take turns.
//!
//! A wrong answer about threads is often right most of the time, and a test that sleeps for a while and then looks finds
//! it one day in ten, on the grader's machine. The tests of these exercises leave nothing to chance. [`turns`] is a
//! runtime as `step01` defines one, in which one task moves at a time and the test decides which: first in one order,
//! then in the next, until it has tried them all. What fails, fails every time, and the order in which it fails can be
//! printed and followed by hand.
//!
//! From step 3 on some protocols depend on the order in which memory is seen. Those are tried by loom, from the tests of the
//! exercise (`tests/with_loom.rs`). And what a comparison measures, where `cargo course compare` has no row for it, is a
//! program in `examples/`.
//!
//! Each exercise is a folder `stepNN/NAME` and a test target of this package; `exercises.toml` says what is what. Start
//! with `cargo course exercises`.

pub mod sync;
pub mod turns;
