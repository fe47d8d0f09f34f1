//! `scope`: what is borrowed stays good, everyone is waited for, and no failure is silent.

#[path = "common/puppet.rs"]
mod puppet;
#[allow(dead_code)]
#[path = "subprocess/child.rs"]
mod subprocess;
#[path = "common/watchdog.rs"]
mod watchdog;

use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use step01::park::{self, Wait};
use step01::{
    Job, JoinError, Mutex, Runtime, Scope, ScopedJoinHandle, SpawnError, Threads, bounded, scope,
};

use puppet::Puppet;
use watchdog::watch;

/// Threads that treat jobs as a test wants it.
#[derive(Clone)]
struct Odd {
    threads: Threads,
    how: fn(&Threads, Job) -> Result<(), SpawnError>,
}

impl Odd {
    fn new(how: fn(&Threads, Job) -> Result<(), SpawnError>) -> Self {
        Odd {
            threads: Threads::new(),
            how,
        }
    }

    /// Starts nothing, and says so.
    fn refusing() -> Self {
        Odd::new(|_, _| {
            let cause = io::Error::from(io::ErrorKind::WouldBlock);
            Err(SpawnError::new(cause, "no tasks are left", "ask for fewer"))
        })
    }

    /// Drops what it should start, and says that all is well.
    fn forgetful() -> Self {
        Odd::new(|_, _| Ok(()))
    }

    /// Calls the closure inside `spawn`.
    fn immediate() -> Self {
        Odd::new(|_, job| {
            job.run();
            Ok(())
        })
    }
}

impl Runtime for Odd {
    type Net = <Threads as Runtime>::Net;

    fn name(&self) -> &'static str {
        "odd"
    }

    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        self.threads.run(main)
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        (self.how)(&self.threads, job)
    }

    fn yield_now(&self) {
        self.threads.yield_now();
    }

    fn sleep(&self, duration: Duration) {
        self.threads.sleep(duration);
    }

    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        self.threads.blocking(f)
    }

    fn net(&self) -> &Self::Net {
        self.threads.net()
    }
}

/// The message with which `f` panics.
#[track_caller]
fn panic_message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it did not panic");
    match payload.downcast::<&str>() {
        Ok(text) => text.to_string(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

/// A panic that does not print.
fn fail() -> ! {
    resume_unwind(Box::new("quiet"))
}

#[test]
fn tasks_borrow_and_return_what_they_borrowed() {
    let _watchdog = watch("borrowing");
    let text = String::from("one two three");
    let mut lengths = vec![0; 3];
    let words: Vec<&str> = scope(&Threads::new(), |s| {
        let handles: Vec<_> = text
            .split(' ')
            .zip(&mut lengths)
            .map(|(word, length)| {
                s.spawn(move || {
                    *length = word.len();
                    word
                })
            })
            .collect();
        handles.into_iter().map(|h| h.join().unwrap()).collect()
    });
    assert_eq!(words, ["one", "two", "three"]);
    assert_eq!(lengths, [3, 3, 5]);
}

#[test]
fn tasks_start_tasks_in_the_same_scope() {
    let _watchdog = watch("a tree in one scope");
    fn tree<'scope>(
        s: &'scope Scope<'scope, '_, Threads>,
        depth: usize,
        ended: &'scope AtomicUsize,
    ) {
        if depth > 0 {
            for _ in 0..2 {
                s.spawn(move || tree(s, depth - 1, ended));
            }
        }
        ended.fetch_add(1, SeqCst);
    }
    let ended = AtomicUsize::new(0);
    scope(&Threads::new(), |s| tree(s, 4, &ended));
    assert_eq!(ended.into_inner(), 31);
}

#[test]
fn scopes_nest() {
    let _watchdog = watch("scopes in scopes");
    let rt = Threads::new();
    let total = AtomicUsize::new(0);
    scope(&rt, |s| {
        for _ in 0..3 {
            s.spawn(|| {
                let here = AtomicUsize::new(0);
                scope(&rt, |s| {
                    for _ in 0..3 {
                        s.spawn(|| here.fetch_add(1, SeqCst));
                    }
                });
                total.fetch_add(here.into_inner(), SeqCst);
            });
        }
    });
    assert_eq!(total.into_inner(), 9);
}

#[test]
fn a_task_of_a_runtime_may_open_a_scope() {
    let rt = Threads::new();
    let sum = rt.run(|| {
        let numbers = [1, 2, 3];
        scope(&rt, |s| s.spawn(|| numbers.iter().sum::<u32>()).join())
    });
    assert_eq!(sum.unwrap(), 6);
}

/// The closure is done and the tasks are not: the scope waits, and says for what.
#[test]
fn the_end_waits_for_tasks_that_nobody_joins() {
    static ENDED: AtomicBool = AtomicBool::new(false);
    let (go, may_go) = bounded::<()>(0);
    let owner = Puppet::new(move || {
        scope(&Threads::new(), |s| {
            s.spawn(|| {
                may_go.recv().unwrap();
                ENDED.store(true, SeqCst);
            });
        });
        ENDED.load(SeqCst)
    });
    assert_eq!(owner.parked(), Wait::Scope);
    owner.resume(); // for no reason
    assert_eq!(owner.parked(), Wait::Scope);
    go.send(()).unwrap();
    // The task ends when it likes; until then the owner is sent back.
    loop {
        owner.resume();
        if owner.parks().is_none() {
            break;
        }
    }
    assert!(owner.join().unwrap());
}

#[test]
fn a_joined_panic_belongs_to_the_joiner() {
    let value = scope(&Threads::new(), |s| {
        let bad = s.spawn(|| -> u32 { fail() });
        let good = s.spawn(|| 5);
        let error = bad.join().unwrap_err();
        assert_eq!(error.panic_message(), Some("quiet"));
        good.join().unwrap()
    });
    assert_eq!(value, 5);
}

#[test]
fn a_panic_that_nobody_joins_makes_the_scope_panic() {
    let leave: [fn(ScopedJoinHandle<'_, ()>); 2] =
        [|handle| drop(handle), |handle| mem::forget(handle)];
    for leave in leave {
        let ended = AtomicUsize::new(0);
        let message = panic_message(|| {
            scope(&Threads::new(), |s| {
                leave(s.spawn(|| fail()));
                s.spawn(|| ended.fetch_add(1, SeqCst));
            });
        });
        assert_eq!(message, "a scoped task panicked");
        assert_eq!(ended.into_inner(), 1, "not everyone was waited for");
    }
}

/// A panicked task whose handle another task has taken and not joined.
#[test]
fn a_panic_is_not_lost_with_a_handle_that_was_passed_on() {
    let message = panic_message(|| {
        scope(&Threads::new(), |s| {
            let bad = s.spawn(|| fail());
            s.spawn(move || drop(bad));
        });
    });
    assert_eq!(message, "a scoped task panicked");
}

#[test]
fn the_closures_panic_comes_out_when_all_tasks_are_over() {
    let _watchdog = watch("a panic of the closure");
    let ended = AtomicUsize::new(0);
    let message = panic_message(|| {
        scope(&Threads::new(), |s| {
            for _ in 0..10 {
                s.spawn(|| {
                    assert!(!thread::panicking());
                    thread::yield_now();
                    ended.fetch_add(1, SeqCst);
                });
            }
            // Of the two panics it is the closure's own that counts.
            s.spawn(|| fail());
            resume_unwind(Box::new("of the closure"));
        });
    });
    assert_eq!(message, "of the closure");
    assert_eq!(ended.into_inner(), 10);
}

/// While the scope waits after a panic of its closure, its thread is not unwinding: parking is allowed.
#[test]
fn nothing_parks_while_unwinding() {
    static PANICKING: AtomicBool = AtomicBool::new(true);
    let (go, may_go) = bounded::<()>(0);
    let owner = Puppet::new(move || {
        scope(&Threads::new(), |s| {
            s.spawn(|| may_go.recv().is_err());
            // Reached while the closure is left by its panic, and so the control: the answer can be yes.
            let _look = Look;
            fail();
        })
    });
    struct Look;
    impl Drop for Look {
        fn drop(&mut self) {
            PANICKING.store(thread::panicking(), SeqCst);
        }
    }
    // The puppet's parker is called on the owner's thread, and asks it.
    assert_eq!(owner.parked(), Wait::Scope);
    assert!(PANICKING.load(SeqCst));
    assert!(!owner.unwinding_when_parked());
    drop(go);
    while {
        owner.resume();
        owner.parks().is_some()
    } {}
    assert!(owner.join().is_err());
}

/// Looks at what it borrows when it is dropped.
struct Watching<'a> {
    alive: &'a AtomicBool,
    drops: &'a AtomicUsize,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        assert!(self.alive.load(SeqCst), "dropped after what it borrows");
        self.drops.fetch_add(1, SeqCst);
    }
}

/// Results that nobody takes, closures that were never called, handles dropped early and late, by the closure and by
/// tasks: what they borrow is still there, and they are dropped once.
#[test]
fn results_are_dropped_before_the_scope_ends() {
    let _watchdog = watch("results dropped");
    let drops = AtomicUsize::new(0);
    for _ in 0..200 {
        let alive = AtomicBool::new(true);
        let watching = || Watching {
            alive: &alive,
            drops: &drops,
        };
        scope(&Threads::new(), |s| {
            drop(s.spawn(watching)); // most likely before the task has run
            let late = s.spawn(watching);
            s.spawn(move || while !late.is_finished() {});
            let inside_a_result = s.spawn(watching);
            s.spawn(move || inside_a_result);
            drop(s.spawn(watching).join().unwrap());
        });
        alive.store(false, SeqCst);
    }
    assert_eq!(drops.into_inner(), 4 * 200);
}

/// The only task drops its own result, since the handle is gone, and takes its time over it: time in which a scope that
/// did not wait for that would be over.
#[test]
fn the_last_result_is_dropped_before_the_scope_ends() {
    #[derive(Default)]
    struct Seen {
        scope_is_over: AtomicBool,
        dropped: AtomicBool,
    }
    struct Slow(Arc<Seen>);
    impl Drop for Slow {
        fn drop(&mut self) {
            for _ in 0..2_000 {
                if self.0.scope_is_over.load(SeqCst) {
                    return;
                }
                thread::yield_now();
            }
            self.0.dropped.store(true, SeqCst);
        }
    }
    for _ in 0..20 {
        let seen = Arc::new(Seen::default());
        scope(&Threads::new(), |s| {
            let (go, may_go) = mpsc::channel::<()>();
            let result = Slow(seen.clone());
            drop(s.spawn(move || {
                may_go.recv().unwrap_err();
                result
            }));
            drop(go);
        });
        seen.scope_is_over.store(true, SeqCst);
        let dropped = seen.dropped.load(SeqCst);
        assert!(dropped, "the scope was over before the result was dropped");
    }
}

/// What is borrowed is good for as long as it must be with a runtime that has run the task before `spawn` returns, and
/// for one that never runs it.
#[test]
fn results_and_closures_are_dropped_whatever_the_runtime_does() {
    let drops = AtomicUsize::new(0);
    let alive = AtomicBool::new(true);
    let watching = || Watching {
        alive: &alive,
        drops: &drops,
    };
    scope(&Odd::immediate(), |s| {
        s.spawn(watching);
        let kept = s.spawn(watching);
        assert!(kept.is_finished());
    });
    assert_eq!(drops.load(SeqCst), 2);
    for rt in [Odd::forgetful(), Odd::refusing()] {
        let message = panic_message(|| {
            let captured = watching();
            scope(&rt, |s| {
                s.spawn(move || drop(captured));
            });
        });
        assert!(message.contains("could not be started"), "{message}");
    }
    assert_eq!(drops.load(SeqCst), 4);
}

/// A result whose destructor panics where nobody can be told otherwise.
#[test]
fn a_result_that_panics_when_dropped_makes_the_scope_panic() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            fail();
        }
    }
    let message = panic_message(|| {
        scope(&Threads::new(), |s| {
            let (go, may_go) = mpsc::channel::<()>();
            drop(s.spawn(move || {
                // Not before the handle is gone.
                may_go.recv().unwrap_err();
                Bad
            }));
            drop(go);
        });
    });
    assert_eq!(message, "a scoped task panicked");
}

#[test]
fn a_task_that_cannot_be_started_is_an_error_where_it_is_asked_for() {
    scope(&Odd::refusing(), |s| {
        let error = s.try_spawn(|| ()).unwrap_err();
        assert_eq!(error.limit(), "no tasks are left");
        let error = s.spawn(|| 1).join().unwrap_err();
        assert!(matches!(error, JoinError::NotStarted(_)), "{error}");
        // All were asked for, so the scope has nothing to add.
    });
    scope(&Odd::forgetful(), |s| {
        let error = s.spawn(|| 1).join().unwrap_err();
        assert!(matches!(error, JoinError::Cancelled), "{error}");
    });
}

#[test]
fn a_join_may_give_up_and_try_again() {
    let (go, may_go) = bounded::<()>(0);
    scope(&Threads::new(), |s| {
        let handle = s.spawn(|| {
            assert!(may_go.recv().is_err());
            7
        });
        let handle = handle.join_deadline(Instant::now()).unwrap_err();
        assert!(!handle.is_finished());
        drop(go);
        let mut handle = Some(handle);
        let value = loop {
            let soon = Instant::now() + Duration::from_millis(1);
            match handle.take().unwrap().join_deadline(soon) {
                Ok(value) => break value,
                Err(again) => handle = Some(again),
            }
        };
        assert_eq!(value.unwrap(), 7);
    });
}

/// What the tasks wrote is seen without any further synchronisation.
#[test]
fn the_end_of_the_scope_publishes() {
    let _watchdog = watch("many scopes");
    for _ in 0..200 {
        let mut cells = [0usize; 4];
        scope(&Threads::new(), |s| {
            for (n, cell) in cells.iter_mut().enumerate() {
                s.spawn(move || *cell = n + 1);
            }
        });
        assert_eq!(cells, [1, 2, 3, 4]);
    }
}

#[test]
fn scoped_tasks_use_the_other_types() {
    let _watchdog = watch("channels in a scope");
    let (tx, rx) = bounded(0);
    let total = Mutex::new(0);
    scope(&Threads::new(), |s| {
        for n in 1..=3 {
            let tx = tx.clone();
            s.spawn(move || tx.send(n).unwrap());
        }
        drop(tx);
        s.spawn(|| rx.iter().for_each(|n: u32| *total.lock() += n));
    });
    assert_eq!(total.into_inner(), 6);
}

/// A stage must not unwind a task that waits for its scope, since the tasks of the scope borrow from it. If it does all
/// the same, the process ends, and says why.
#[test]
fn unwinding_the_owner_ends_the_process() {
    subprocess::run("unwound owner")
        .was_ended_by(libc::SIGABRT)
        .said("a task was unwound while it waited for the tasks of its scope");
}

fn unwound_owner() {
    let owner = Puppet::new(|| {
        scope(&Threads::new(), |s| {
            s.spawn(park::park);
        });
    });
    assert_eq!(owner.parked(), Wait::Scope);
    owner.unwind();
    owner.unwound();
}

/// Where the child begins. As an ordinary test it has nothing to do.
#[test]
fn child_entry() {
    if let Some(case) = subprocess::case() {
        assert_eq!(case, "unwound owner");
        unwound_owner();
        subprocess::done()
    }
}
