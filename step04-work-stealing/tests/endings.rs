//! How a run ends that leaves tasks behind, in queues of all processors: the bodies are those of step 3's tests.

use step03::Builder;
use step04::Stealing;
use workloads::endings;
use workloads::testing::Watchdog;

fn stealing(workers: usize) -> Stealing {
    step04::build(&Builder::default().workers(workers)).unwrap()
}

#[test]
fn it_ends_from_any_state() {
    let _watchdog = Watchdog::new("ending from any state");
    for workers in [1, 2, 4] {
        endings::from_any_state(&stealing(workers), 12);
    }
}

#[test]
fn the_newest_goes_first_wherever_it_was_spawned() {
    let _watchdog = Watchdog::new("the newest first");
    for workers in [1, 2, 4] {
        endings::the_newest_first(&stealing(workers), 40);
    }
}

#[test]
fn threads_that_are_no_workers_come_and_go() {
    let _watchdog = Watchdog::new("wakers from outside");
    for workers in [1, 2, 4] {
        endings::wakers_from_outside(&stealing(workers), 3, 60);
    }
}
