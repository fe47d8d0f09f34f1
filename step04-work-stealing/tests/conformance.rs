//! Step 4 keeps the contract, with two workers that steal from each other.

workloads::conformance!(
    step04::build(&step03::Builder::default().workers(2)).expect("two workers")
);
