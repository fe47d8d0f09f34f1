//! Every measured workload and program runs on the round-robin runtime and gets its answers right, at its smallest size.

workloads::workload_tests!(step02::RoundRobin::new());
