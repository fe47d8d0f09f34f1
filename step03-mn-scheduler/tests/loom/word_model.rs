//! The word of a task under this step's use: the worker commits the park after the task has left its stack, and any
//! worker may run it next. Every pair of transitions that can race, and three parties.

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::global_queue::GlobalQueue;
use crate::model::{Bound, explore};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{Task, TaskRef};
use crate::task_word::{Park, Unpark};

/// Why a task left its stack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Park,
    Yield,
    End,
}

/// What the task does in its turn of this number.
type Script = fn(&Model, turn: u32) -> Stop;

/// One task, the queue, and what the workers share.
struct Model {
    task: TaskRef,
    queue: GlobalQueue,
    stopping: AtomicBool,
    script: Script,
    /// What a waker writes before it unparks, without any order of its own.
    data: UnsafeCell<u32>,
    /// The number of the task's timer, under the lock of the timers; 0 for none.
    timer: Mutex<u64>,
    /// The second task of a model that has one has begun.
    begun: AtomicBool,
}

impl Model {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Model {
            task: Task::new(),
            queue: GlobalQueue::new(),
            stopping: AtomicBool::new(false),
            script,
            data: UnsafeCell::new(0),
            timer: Mutex::new(0),
            begun: AtomicBool::new(false),
        })
    }

    /// `Task::unpark`.
    fn unpark(&self) {
        if self.task.word.unpark() == Unpark::Queue {
            self.queue.ready(self.task, None, Why::Unpark);
        }
    }

    fn write_and_unpark(&self) {
        // SAFETY: loom checks that nobody else uses it now.
        self.data.with_mut(|data| unsafe { *data = 1 });
        self.unpark();
    }

    // ANCHOR: turn
    /// `Worker::turn`: the task runs on its stack, leaves it, and *then* its park is committed. True if it has ended.
    fn turn(&self) -> bool {
        let stop = self.task.stack.with_mut(|turns| {
            // SAFETY: loom checks that nobody else is on this stack.
            let turn = unsafe { *turns };
            // SAFETY: as above.
            unsafe { *turns += 1 };
            (self.script)(self, turn)
        });
        match stop {
            Stop::Park => {
                if self.task.word.try_park() == Park::Notified {
                    self.queue.ready(self.task, None, Why::Unpark);
                }
            }
            Stop::Yield => self.queue.ready(self.task, None, Why::Yield),
            Stop::End => {}
        }
        stop == Stop::End
    }
    // ANCHOR_END: turn

    /// `Worker::run`.
    fn work(&self) {
        let processor = Processor::new(&self.queue);
        // Acquire: pairs with the Release below.
        while !self.stopping.load(Acquire) {
            match self.queue.try_next(&processor) {
                Some(_) => {
                    if self.turn() {
                        self.stopping.store(true, Release);
                        self.queue.wake_all();
                    }
                }
                None => self.queue.idle(&processor, None),
            }
        }
    }

    fn turns(&self) -> u32 {
        // SAFETY: all workers are gone; loom checks it.
        self.task.stack.with(|turns| unsafe { *turns })
    }
}

/// The task is in the queue; `others` do what they do, and then become workers, as this thread is from the start.
fn run<const N: usize>(model: &Arc<Model>, others: [fn(&Model); N]) {
    model.queue.ready(model.task, None, Why::Spawn);
    let others = others.map(|other| {
        let model = model.clone();
        thread::spawn(move || {
            other(&model);
            model.work();
        })
    });
    model.work();
    others.into_iter().for_each(|other| other.join().unwrap());
}

// ANCHOR: race
/// Parks once, and then must see what the waker wrote.
fn parks_once(model: &Model, turn: u32) -> Stop {
    if turn == 0 && !model.task.word.take_token_if_there() {
        return Stop::Park;
    }
    // SAFETY: loom checks that the waker is done with it: this is what the model is about.
    model.data.with(|data| assert_eq!(unsafe { *data }, 1));
    Stop::End
}

/// The central race: a task parks while it is unparked, with a second worker ready to run it at once. The two are never on
/// its stack at the same time, the wake-up is not lost, and what the waker did is seen.
#[test]
fn the_commit_against_unpark() {
    explore("the commit against unpark", Bound::Complete, 2_500, || {
        let model = Model::new(parks_once);
        run(&model, [Model::write_and_unpark]);
        assert!(model.turns() <= 2);
    });
}
// ANCHOR_END: race

// ANCHOR: wrong_order
/// The order of step 2, in which the task says that it is parked and then leaves its stack: what loom says to it. If this
/// test fails, the models of this file have gone blind.
#[test]
#[should_panic(expected = "currently writing to cell")]
fn the_commit_before_the_switch_is_found_out() {
    fn commits_and_leaves(model: &Model, turn: u32) -> Stop {
        if turn == 0 && model.task.word.try_park() == Park::Parked {
            // The instructions of the switch, on the stack that is being left; a place where loom may change threads.
            thread::yield_now();
        }
        Stop::End // in either case its worker leaves it alone
    }
    explore("the commit before the switch", Bound::Complete, 1, || {
        let model = Model::new(commits_and_leaves);
        let other = {
            let model = model.clone();
            thread::spawn(move || {
                model.unpark();
                if model
                    .queue
                    .try_next(&Processor::new(&model.queue))
                    .is_some()
                {
                    model.turn();
                }
            })
        };
        model.turn();
        other.join().unwrap();
    });
}
// ANCHOR_END: wrong_order

/// Two wake the same park, and both become workers. The task is queued once at a time.
#[test]
fn two_unparks_against_the_commit() {
    explore(
        "two unparks against the commit",
        Bound::Preemptions(2),
        3_500,
        || {
            let model = Model::new(|_, turn| if turn == 0 { Stop::Park } else { Stop::End });
            run(&model, [Model::unpark, Model::unpark]);
            assert_eq!(model.turns(), 2);
        },
    );
}

/// A task parks with a deadline: a timer and a waker come at once. It goes on once for both; the late one leaves a token
/// at most.
#[test]
fn the_timer_against_unpark() {
    fn sleeps(model: &Model, turn: u32) -> Stop {
        let mut timer = model.timer.lock().unwrap();
        if turn == 0 {
            *timer = 1; // `add_timer`
            return Stop::Park;
        }
        *timer = 0; // `cancel_timer`
        Stop::End
    }
    fn fires(model: &Model) {
        // `fire_timers`: taken out under the lock, unparked without it.
        let due = std::mem::take(&mut *model.timer.lock().unwrap());
        if due != 0 {
            model.unpark();
        }
    }
    explore(
        "the timer against unpark",
        Bound::Preemptions(2),
        3_000,
        || {
            let model = Model::new(sleeps);
            run(&model, [fires, Model::unpark]);
            assert_eq!(model.turns(), 2);
            assert_eq!(*model.timer.lock().unwrap(), 0, "a timer is left behind");
        },
    );
}

/// A task yields while it is unparked. It is in the queue once, not twice; the token is there for its next park.
#[test]
fn yield_against_unpark() {
    fn yields_then_parks(model: &Model, turn: u32) -> Stop {
        match turn {
            0 => Stop::Yield,
            1 if model.task.word.take_token_if_there() => Stop::End,
            1 => Stop::Park,
            _ => Stop::End,
        }
    }
    explore("yield against unpark", Bound::Complete, 4_500, || {
        let model = Model::new(yields_then_parks);
        run(&model, [Model::unpark]);
        assert!(matches!(model.turns(), 2 | 3));
    });
}

/// A task has ended, its memory has become the next task, and an unpark that was meant for the first one comes late, just
/// ahead of the one that the second task waits for. If the second task parks, the stale one is a spurious wake-up; it is
/// not queued twice, and the wake-up that is its own still counts.
///
/// An unpark at the very moment of `begin` is not in this model. `begin` is a plain store, and loom does not order a plain
/// store and a read-modify-write that meet: it lets two later operations see different ones as the latest, which no
/// machine does (one word has one order), and reports a lost wake-up.
#[test]
fn the_end_against_a_stale_unpark() {
    fn is_two_tasks(model: &Model, turn: u32) -> Stop {
        match turn {
            0 => {
                // The end of the first one, and `Task::begin` of the second, which is queued like any other.
                model.task.word.begin();
                model.begun.store(true, Release);
                Stop::Yield
            }
            1 if model.task.word.take_token_if_there() => Stop::Yield,
            1 => Stop::Park,
            _ => Stop::End,
        }
    }
    fn stale_and_real(model: &Model) {
        // Acquire: as whoever knows the second task has learned of it after its beginning.
        while !model.begun.load(Acquire) {
            thread::yield_now();
        }
        model.unpark();
        model.unpark();
    }
    explore(
        "the end against a stale unpark",
        Bound::Complete,
        180,
        || {
            let model = Model::new(is_two_tasks);
            let waker = {
                let model = model.clone();
                thread::spawn(move || stale_and_real(&model))
            };
            run(&model, []);
            waker.join().unwrap();
            assert_eq!(model.turns(), 3);
        },
    );
}

/// Three parties in a row: a task parks twice, two threads wake it once each, and each shows it something. It goes on until
/// it has seen both.
#[test]
fn two_parks_two_wakers() {
    explore(
        "two parks, two wakers",
        Bound::Preemptions(2),
        3_500,
        || {
            let seen = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            let task = Model::new(|_, _| Stop::Park);
            let wakers = [0, 1].map(|n| {
                let (seen, model) = (seen.clone(), task.clone());
                thread::spawn(move || {
                    // Relaxed: it is the unpark that publishes it.
                    seen[n].store(true, Relaxed);
                    model.unpark();
                })
            });
            // The one worker: a turn in which the task looks and parks, as often as it takes.
            let processor = Processor::new(&task.queue);
            let mut turns = 1;
            task.turn();
            while !seen.iter().all(|flag| flag.load(Relaxed)) {
                match task.queue.try_next(&processor) {
                    Some(_) => {
                        turns += 1;
                        task.turn();
                    }
                    None => task.queue.idle(&processor, None),
                }
            }
            assert!(turns <= 3, "two wake-ups end two parks at most");
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
        },
    );
}
