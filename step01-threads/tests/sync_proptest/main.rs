//! The types that tasks synchronise with, against models, under random scripts.
//!
//! Two kinds of properties. With puppets, whose parks are in the hands of the test, a type must do exactly what a model
//! of a few lines does, step by step, whoever is resumed, ended or out of time. On real threads, whatever the kernel
//! makes of a random script, the sums must be right.

mod mutex_model;
#[path = "../common/puppet.rs"]
mod puppet;
mod scope_trees;
#[path = "../common/seed.rs"]
mod seed;
mod semaphore_model;
mod threads;
#[path = "../common/watchdog.rs"]
mod watchdog;
