//! Every measured workload and program, in its smallest form.

workloads::workload_tests!(
    step03::SharedQueue::builder()
        .workers(2)
        .build()
        .expect("two workers")
);
