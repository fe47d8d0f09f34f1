//! One file for each peer.

pub(crate) mod corosensei;
