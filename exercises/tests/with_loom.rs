//! For the tests of exercises: runs some events in every order, and says in plain words what went wrong.
//!
//! Models share things in std's `Arc`, which loom does not look into: where an order ends with everybody asleep, loom
//! unwinds, and its own `Arc` panics once more when it is dropped then.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a panic said.
fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// How it went in every order with at most so many preemptions: how many orders there were, or in which one it failed
/// first, and what was said then.
pub(crate) fn explore(
    preemptions: usize,
    events: impl Fn() + Send + Sync + 'static,
) -> Result<usize, (usize, String)> {
    let orders = Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    let run = move || {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            events();
        });
    };
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    let orders = orders.load(Ordering::Relaxed);
    match result {
        Ok(()) => Ok(orders),
        Err(payload) => Err((orders, text(&*payload))),
    }
}

/// Runs `events` in every order with at most so many preemptions; if it fails in one of them, says `says` and what loom
/// reports. `at_least` so many orders there must be, or the model is not about what it says.
#[allow(
    dead_code,
    reason = "one of the exercises looks at the failures itself"
)]
pub(crate) fn in_every_order(
    preemptions: usize,
    at_least: usize,
    says: &str,
    events: impl Fn() + Send + Sync + 'static,
) {
    match explore(preemptions, events) {
        Ok(orders) => {
            println!("{orders} orders");
            assert!(
                orders >= at_least,
                "{orders} orders are too few for what is to be shown"
            );
        }
        Err((_, report)) if report.starts_with("not yet implemented") => panic!("{report}"),
        Err((order, report)) => {
            panic!("{says}\n(found in order number {order} by loom, which says: {report})")
        }
    }
}
