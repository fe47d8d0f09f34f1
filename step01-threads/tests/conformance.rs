//! One OS thread per task keeps the contract: the suite that every stage must pass.

workloads::conformance!(step01::Threads::new());
