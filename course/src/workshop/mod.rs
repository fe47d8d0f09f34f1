//! What `exercises` and `mutants` share: a private copy of the workspace, cargo run on it, and patches.
//!
//! Both commands prove something about changed sources: that a mutant is caught, that a start fails, that a solution
//! passes. They never change the tree that a person works in. They copy it to a folder below `target/`, change the copy,
//! and keep it and its build for the next time.

pub(crate) mod cargo;
pub(crate) mod patch;
pub(crate) mod tree;

use std::path::{Path, PathBuf};

/// The workspace's folder: the one that cargo has started this program for, or else the one it was built in.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|package| package.join("../exercises/exercises.toml").is_file())
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}
