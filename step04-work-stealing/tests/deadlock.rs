//! Deadlocks of several workers with a queue each: the cases are those of step 3.

#[path = "../../step03-mn-scheduler/tests/common/deadlocks.rs"]
mod deadlocks;

fn main() {
    deadlocks::main(|| step04::build(&step03::Builder::default().workers(3)).unwrap());
}
