//! Everything at once on one thread per task: short in `cargo test`, long in `.ci/run` (`--ignored`).

use step01::Threads;
use workloads::soak::Soak;

fn soak(tasks: u64) {
    let seed = match std::env::var("SEED") {
        Ok(text) => text.parse().expect("SEED must be a number"),
        Err(_) => u64::from(std::process::id()) << 20 ^ tasks,
    };
    println!("replay with SEED={seed}");
    let rt = Threads::builder()
        .stack_size(128 << 10)
        .build()
        .expect("a sensible size");
    let lanes = 8;
    match (Soak { tasks, lanes, seed }).run(&rt) {
        Ok(tally) => {
            println!("{tally:?}");
            assert!(tally.tasks >= tasks && tally.values > 0 && tally.panics > 0);
        }
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn short() {
    soak(3_000);
}

#[test]
#[ignore = "long: .ci/run runs it"]
fn long() {
    soak(1_000_000);
}
