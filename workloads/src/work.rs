//! Work of a known length that the compiler can neither leave out nor shorten.
//!
//! A loop that only counts is folded into one multiplication, and one whose steps do not depend on each other is
//! vectorised: then "5 µs of work" is anything. Here each step of a xorshift generator needs the result of the one
//! before, so the length is the number of steps times the latency of six instructions, on every machine. How many
//! steps a microsecond takes is measured once in each process.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// Marsaglia's xorshift: `steps` steps from `seed`, which must not be zero. Never returns zero.
#[inline(never)]
pub(crate) fn chain(seed: u64, steps: u64) -> u64 {
    let mut x = seed;
    for _ in 0..steps {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// How many steps take a microsecond on this machine.
pub(crate) fn steps_per_microsecond() -> f64 {
    static STEPS: OnceLock<f64> = OnceLock::new();
    *STEPS.get_or_init(|| {
        const STEPS: u64 = 200_000;
        // The best of several: being interrupted only ever adds.
        let best = (0..20)
            .map(|_| {
                let start = Instant::now();
                black_box(chain(black_box(1), STEPS));
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        STEPS as f64 / (best.as_nanos().max(1) as f64 / 1_000.0)
    })
}

/// The number of steps that take `microseconds`.
pub(crate) fn steps_for(microseconds: f64) -> u64 {
    (steps_per_microsecond() * microseconds).round().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_half_chains_are_one_whole() {
        let whole = chain(42, 1_000);
        assert_eq!(chain(chain(42, 400), 600), whole);
        assert_ne!(whole, chain(43, 1_000));
        assert_ne!(whole, 0);
    }

    #[test]
    fn the_calibration_is_plausible() {
        // A step is six dependent instructions: between 1 MHz and 10 GHz that is 0.1 to 10,000 steps.
        let steps = steps_per_microsecond();
        assert!((0.1..10_000.0).contains(&steps), "{steps}");
        assert!(steps_for(1_000.0) > steps_for(1.0));
    }
}
