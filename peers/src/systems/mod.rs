//! One file for each peer.

pub(crate) mod corosensei;
pub(crate) mod rayon;
