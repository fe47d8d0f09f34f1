//! Deadlocks of several workers over one queue; see `common/deadlocks.rs`.

use step03::SharedQueue;

#[path = "common/deadlocks.rs"]
mod deadlocks;

fn main() {
    deadlocks::main(|| SharedQueue::builder().workers(3).build().unwrap());
}
