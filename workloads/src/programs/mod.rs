//! Three real programs, as plain functions over any runtime.
//!
//! They are written as one writes programs with cheap tasks: a task for each connection, for each stage, for each
//! call, and blocking operations everywhere. Nothing in them knows a scheduler. The examples of each stage show them,
//! the workloads measure them, the tests check their answers.

pub mod fan_out;
pub mod pipeline;
pub mod web_server;
