//! The round-robin runtime keeps the contract: the suite that every stage must pass.

workloads::conformance!(step02::RoundRobin::new());
