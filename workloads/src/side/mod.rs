//! What must run beside the measured program and not in it: load clients and slow services.

use serde::{Deserialize, Serialize};

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// In a process of its own, made from the running program: its `main` must call [`become_if_asked`] first.
    Process,
    /// On plain OS threads of this process. For tests, whose `main` is not ours.
    Threads,
}

/// To be called first in every `main`: returns at once in an ordinary process.
pub fn become_if_asked() {}
