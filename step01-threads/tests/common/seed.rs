//! The seed of a property test: printed, and taken from the environment to replay a failure.

use proptest::test_runner::{Config, RngSeed};

/// A configuration with `cases` cases and a seed that is printed: `SEED=… cargo test …` runs the same cases again.
pub(crate) fn config(cases: u32) -> Config {
    let seed = match std::env::var("SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("SEED={text} is not a number")),
        Err(_) => rand_seed(),
    };
    println!("replay with SEED={seed}");
    Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    }
}

/// Different in every run; std's hash keys are the only randomness that needs no crate.
fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
