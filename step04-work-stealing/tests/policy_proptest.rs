//! The policy, driven by random schedules without a thread or a stack. The schedules are step 3's; each now and then has
//! more ready tasks than fit into a ring, so that they go through the injector, the next slots and other rings.

use proptest::prelude::*;
use step04::WorkStealing;

#[path = "../../step03-mn-scheduler/tests/common/schedules.rs"]
mod schedules;
#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

use schedules::{each_is_found_once, schedule};

#[test]
fn each_task_that_is_ready_is_found_once() {
    let any = (1..=4usize).prop_flat_map(|processors| (Just(processors), schedule(processors)));
    proptest!(seed::config(256), |((processors, acts) in any)| {
        each_is_found_once(processors, WorkStealing::new, &acts);
    });
}
