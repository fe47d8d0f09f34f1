//! The round-robin runtime keeps the contract: the suite that every stage must pass.

// ANCHOR: suite
workloads::conformance!(step02::RoundRobin::new());
// ANCHOR_END: suite
