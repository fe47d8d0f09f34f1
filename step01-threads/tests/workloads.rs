//! Every workload of the catalogue on one OS thread per task, small, with its answers checked.

workloads::workload_tests!(step01::Threads::new());
