//! Who is awake, and until when a sleeper may sleep.

use loom::sync::Arc;
use loom::sync::Mutex;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicBool, AtomicU64};
use loom::thread;

use crate::global_queue::GlobalQueue;
use crate::model::{Bound, explore};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::Task;
use crate::watch::{Asleep, NEVER, Watch};

/// What two workers share. The lock is that of the timers; the heap itself is no part of this.
struct Model {
    watch: Watch,
    timers: Mutex<()>,
    queue: GlobalQueue,
    /// Turns of the other worker, counted as in `counters.rs`: by one writer, without order.
    turns: AtomicU64,
    /// What the policy says of the other worker.
    asleep: AtomicBool,
}

impl Model {
    fn new(awake: usize) -> Arc<Self> {
        let watch = Watch::new(2);
        (0..awake).for_each(|_| watch.wakes_up());
        Arc::new(Model {
            watch,
            timers: Mutex::new(()),
            queue: GlobalQueue::new(),
            turns: AtomicU64::new(0),
            asleep: AtomicBool::new(true),
        })
    }

    /// `Scheduler::add_timer`.
    fn add_timer(&self, due: u64) {
        let timers = self.timers.lock().unwrap();
        let tell = self.watch.sets(due);
        drop(timers);
        if tell {
            self.queue.wake_one();
        }
    }

    /// `Worker::idle`, up to the point where it is awake again. It sleeps only if there is no deadline.
    fn sleep(&self) -> Asleep {
        let asleep = self.watch.falls_asleep();
        if asleep.until == NEVER {
            self.queue.idle(&Processor::new(&self.queue), None);
        }
        self.watch.wakes_up();
        asleep
    }
}

/// A worker falls asleep while another sets the first deadline. It sees the deadline, or it is woken; a sleep without
/// end is a deadlock, which loom reports.
#[test]
fn a_deadline_against_falling_asleep() {
    explore(
        "a deadline against falling asleep",
        Bound::Complete,
        25,
        || {
            let model = Model::new(2);
            let setter = {
                let model = model.clone();
                thread::spawn(move || model.add_timer(7))
            };
            let asleep = model.sleep();
            assert!(!asleep.last, "the other one is awake");
            setter.join().unwrap();
            assert_eq!(model.watch.earliest(), 7);
        },
    );
}

/// Two deadlines from two workers, and a third worker that falls asleep. In the end the earlier one is known.
#[test]
fn two_deadlines_against_falling_asleep() {
    explore(
        "two deadlines against falling asleep",
        Bound::Preemptions(3),
        700,
        || {
            let model = Model::new(2);
            let setters = [9, 7].map(|due| {
                let model = model.clone();
                thread::spawn(move || model.add_timer(due))
            });
            let _ = model.sleep();
            setters
                .into_iter()
                .for_each(|setter| setter.join().unwrap());
            assert_eq!(model.watch.earliest(), 7);
        },
    );
}

/// Both fall asleep. One of them is the last, and it knows of everything that the other did.
#[test]
fn one_is_the_last() {
    explore("one is the last", Bound::Complete, 8, || {
        let model = Model::new(2);
        let did = Arc::new(AtomicU64::new(0));
        let sleep = |model: &Model, did: &AtomicU64, mine: u64| {
            // Relaxed: it is the falling asleep that publishes it.
            did.fetch_add(mine, Relaxed);
            let last = model.watch.falls_asleep().last;
            assert!(
                !last || did.load(Relaxed) == 11,
                "the last one has missed what the other did"
            );
            last
        };
        let other = {
            let (model, did) = (model.clone(), did.clone());
            thread::spawn(move || sleep(&model, &did, 1))
        };
        let here = sleep(&model, &did, 10);
        assert!(here != other.join().unwrap(), "one of the two is the last");
    });
}

/// The last one asks whether this is a deadlock, at the very moment at which the other is woken by its deadline. It must
/// not say so before the task that the deadline wakes has run.
#[test]
fn a_deadlock_is_not_cried_while_a_timer_fires() {
    explore(
        "a deadlock is not cried while a timer fires",
        Bound::Complete,
        100,
        || {
            let model = Model::new(0);
            model.watch.set(7);
            let ran = Arc::new(AtomicBool::new(false));
            let other = {
                let (model, ran) = (model.clone(), ran.clone());
                thread::spawn(move || {
                    // Its deadline has come: `Worker::idle` returns, `fire_timers`, a turn, and to sleep again.
                    model.asleep.store(false, Relaxed);
                    model.watch.wakes_up();
                    let timers = model.timers.lock().unwrap();
                    model.watch.set(NEVER);
                    drop(timers);
                    model.queue.ready(Task::new(), None, Why::Timer);
                    let processor = Processor::new(&model.queue);
                    assert!(model.queue.try_next(&processor).is_some());
                    // Relaxed, the counter and the flag: falling asleep publishes them.
                    model.turns.store(1, Relaxed);
                    ran.store(true, Relaxed);
                    let _ = model.watch.falls_asleep();
                    // Release: as the lock of the policy's bed.
                    model.asleep.store(true, Release);
                })
            };
            // `deadlock::look`.
            let turns = model.turns.load(Relaxed);
            let other_sleeps = || model.asleep.load(Acquire);
            if model.watch.all_is_quiet(other_sleeps) && model.turns.load(Relaxed) == turns {
                assert!(
                    ran.load(Relaxed),
                    "a task that a timer has woken has not run yet"
                );
            }
            other.join().unwrap();
        },
    );
}
