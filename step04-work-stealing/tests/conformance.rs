//! Step 4 keeps the contract, with two workers that steal from each other.

// ANCHOR: suite
workloads::conformance!(
    step04::build(&step03::Builder::default().workers(2)).expect("two workers")
);
// ANCHOR_END: suite
