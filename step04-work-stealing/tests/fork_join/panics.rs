//! Panics in both halves, whoever runs them: they come out of `join`, once both are over.

use std::panic::{self, AssertUnwindSafe};

use step01::Runtime;
use step04::{join, scope};
use workloads::testing::Watchdog;

use crate::{Flag, runtime};

/// The message of the panic with which `f` ends.
fn message<T>(f: impl FnOnce() -> T) -> String {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => "none".to_owned(),
        Err(payload) => match payload.downcast::<&str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "another payload".to_owned(),
        },
    }
}

/// Says when it is dropped.
struct OnDrop<'a>(&'a Flag);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[test]
fn of_a_before_b_has_begun() {
    let rt = runtime(1);
    rt.run(|| {
        let (called, dropped) = (Flag::default(), Flag::default());
        let guard = OnDrop(&dropped);
        let text = message(|| {
            join(
                || panic!("a"),
                || {
                    let _guard = guard;
                    called.set();
                },
            )
        });
        assert_eq!(text, "a");
        assert!(
            dropped.is_set() && !called.is_set(),
            "b is dropped and not called"
        );
        assert_eq!(join(|| 1, || 2), (1, 2), "the deque is as it was");
    });
}

#[test]
fn of_b_that_was_not_stolen() {
    let rt = runtime(1);
    rt.run(|| {
        let dropped = Flag::default();
        assert_eq!(message(|| join(|| OnDrop(&dropped), || panic!("b"))), "b");
        assert!(dropped.is_set(), "the result of a is dropped");
    });
}

#[test]
fn of_a_while_b_runs_elsewhere() {
    let _watchdog = Watchdog::new("of_a_while_b_runs_elsewhere");
    let rt = runtime(2);
    rt.run(|| {
        let (began, unwinding) = (Flag::default(), Flag::default());
        let mut written = 0;
        let text = message(|| {
            join(
                || {
                    began.wait();
                    let _guard = OnDrop(&unwinding);
                    panic!("a")
                },
                || {
                    began.set();
                    unwinding.wait();
                    written = 1;
                },
            )
        });
        assert_eq!(
            (text.as_str(), written),
            ("a", 1),
            "b is over before join is left"
        );
    });
}

#[test]
fn of_a_stolen_b_and_of_both() {
    let _watchdog = Watchdog::new("of_a_stolen_b_and_of_both");
    for (a_panics, expected) in [(false, "b"), (true, "a")] {
        let rt = runtime(2);
        rt.run(|| {
            let began = Flag::default();
            let text = message(|| {
                join(
                    || {
                        began.wait();
                        assert!(!a_panics, "a");
                    },
                    || {
                        began.set();
                        panic!("b")
                    },
                )
            });
            assert_eq!(text, expected);
        });
    }
}

/// Destructors that run because of a panic may fork; then it is one after the other, since they could not wait.
#[test]
fn a_join_in_a_destructor() {
    struct Forks<'a>(&'a Flag);
    impl Drop for Forks<'_> {
        fn drop(&mut self) {
            let (a, b) = join(|| 1, || 2);
            scope(|s| {
                s.spawn(|| {
                    assert_eq!(a + b, 3);
                    self.0.set();
                });
                assert!(self.0.is_set(), "left for a thief");
            });
        }
    }
    let _watchdog = Watchdog::new("a_join_in_a_destructor");
    let rt = runtime(2);
    rt.run(|| {
        let dropped = Flag::default();
        let text = message(|| {
            join(
                || {
                    let _forks = Forks(&dropped);
                    panic!("a")
                },
                || (),
            )
        });
        assert_eq!(text, "a");
        assert!(dropped.is_set());
    });
}

/// A thousand panics in random depths, and the runtime is as good as new.
#[test]
fn panics_in_the_depth() {
    fn tree(depth: u32, panics: u32) -> u32 {
        if depth == 0 {
            if panics == 0 {
                panic::resume_unwind(Box::new("leaf")); // without the hook, which would print all of them
            }
            return 1;
        }
        let here = 1 << (depth - 1);
        let right = panics.checked_sub(here);
        let (a, b) = join(
            || tree(depth - 1, if panics < here { panics } else { u32::MAX }),
            || tree(depth - 1, right.unwrap_or(u32::MAX)),
        );
        a + b
    }
    let _watchdog = Watchdog::new("panics_in_the_depth");
    let rt = runtime(3);
    rt.run(|| {
        for leaf in 0..1_000 {
            assert_eq!(message(|| tree(10, leaf)), "leaf");
        }
        assert_eq!(tree(10, u32::MAX), 1_024);
    });
}
