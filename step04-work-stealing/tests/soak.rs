//! Everything at once on 1, 2, 4 and 8 workers: short in `cargo test`, ten million tasks in `.ci/run` (`--ignored`).

use step03::Builder;
use workloads::long_run::LongRun;
use workloads::testing::Watchdog;

fn soak(rounds: u64, tasks: u64) {
    let run = LongRun {
        workers: &[1, 2, 4, 8],
        rounds,
        tasks,
        seed: LongRun::seed(),
    };
    // The region is small, so that a stack that does not come back is missed.
    let ran = run.run(|workers| {
        let builder = Builder::default().workers(workers).max_tasks(1 << 14);
        step04::build(&builder).expect("sensible settings")
    });
    assert!(ran >= rounds * tasks * 4);
}

#[test]
fn short() {
    let _watchdog = Watchdog::new("soak");
    soak(4, 500);
}

#[test]
#[ignore = "long: .ci/run runs it"]
fn long() {
    soak(10, 250_000);
}
