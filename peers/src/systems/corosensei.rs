//! corosensei: stackful coroutines, and nothing around them.

use std::convert::Infallible;

use corosensei::{Coroutine, CoroutineResult};
use workloads::catalog::{self, Outcome, Params};

/// A coroutine that suspends itself with what it was resumed with.
///
/// As corosensei's documentation writes it, and as the stage is measured: a plain `Coroutine`, whose values go in and out
/// in registers, on a stack of the default kind with its guard. The number is as wide as a register. The feature `unwind`
/// is on, as it is by default: a panic is handed to the resumer, and a coroutine that is dropped is unwound. step02's
/// coroutine does both too, so both pay for the same services. `resume` and `suspend` are inlined into the loop here as
/// there, and the `match` on what came back is the same. `ScopedCoroutine` switches alike and would lend borrows, which
/// nobody needs here.
pub(crate) fn raw_switch(params: &Params) -> Result<Outcome, String> {
    let mut coroutine = Coroutine::new(|yielder, mut n: u64| -> Infallible {
        loop {
            n = yielder.suspend(n);
        }
    });
    catalog::raw_switch(params, |n| match coroutine.resume(n) {
        CoroutineResult::Yield(n) => n,
        CoroutineResult::Return(never) => match never {},
    })
}
