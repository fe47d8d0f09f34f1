//! Step 4 keeps the contract, with two workers that steal from each other.

workloads::workload_tests!(
    step04::build(&step03::Builder::default().workers(2)).expect("two workers")
);
