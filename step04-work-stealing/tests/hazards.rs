//! What can go wrong when tasks move between threads, with stealing: the bodies are those of step 3's tests.

use step03::Builder;
use step04::Stealing;
use workloads::hazards;
use workloads::testing::Watchdog;

fn stealing(workers: usize) -> Stealing {
    step04::build(&Builder::default().workers(workers)).unwrap()
}

#[test]
fn a_task_knows_who_it_is_and_where() {
    let _watchdog = Watchdog::new("who am I");
    for workers in [1, 2, 4] {
        hazards::who_am_i(&stealing(workers), 8, 2_000);
    }
}

#[test]
fn a_task_does_not_move_while_it_panics() {
    let _watchdog = Watchdog::new("yields in a panic");
    for workers in [1, 2, 4] {
        hazards::no_switch_in_a_panic(&stealing(workers), 8, 100);
    }
}

#[test]
fn a_lock_is_held_across_a_switch() {
    let _watchdog = Watchdog::new("a lock held across a switch");
    for workers in [1, 2, 4] {
        hazards::our_lock_across_a_switch(&stealing(workers), 8, 100);
    }
}
