//! Every promise of the contract, kept by several workers over one queue.

// ANCHOR: suite
workloads::conformance!(
    step03::SharedQueue::builder()
        .workers(2)
        .build()
        .expect("two workers")
);
// ANCHOR_END: suite
