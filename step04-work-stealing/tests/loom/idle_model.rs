//! Idling: no task waits while everyone sleeps, and nobody is called in vain.
//!
//! A worker here is a thread that rests, and ends when it has found its task: it stands for one that computes for ever
//! and will never look again. So if somebody has to be woken and is not, the model ends in a deadlock, and loom says so.

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use loom::thread::{self, JoinHandle};

use crate::idle::Idle;
use crate::local_queue::LocalQueue;
use crate::model::{Bound, explore, past};

/// A queue that is a number of tasks, and those who wait for them.
struct Model {
    idle: Idle,
    tasks: AtomicUsize,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Model {
            idle: Idle::new(),
            tasks: AtomicUsize::new(0),
        })
    }

    fn submit(&self) {
        self.tasks.fetch_add(1, Release);
        self.idle.task_is_ready();
    }

    /// As in a ring or the injector: a plain look, which may see something old, and then an exchange.
    fn take(&self) -> Option<()> {
        let mut tasks = self.tasks.load(Acquire);
        while tasks > 0 {
            match self
                .tasks
                .compare_exchange(tasks, tasks - 1, AcqRel, Acquire)
            {
                Ok(_) => return Some(()),
                Err(now) => tasks = now,
            }
        }
        None
    }

    fn anything(&self) -> bool {
        self.tasks.load(Acquire) > 0
    }

    /// Rests until it has a task.
    fn work(&self) {
        while self
            .idle
            .rest(|| self.take(), || self.anything(), None)
            .is_none()
        {}
    }
}

fn worker(model: &Arc<Model>) -> JoinHandle<()> {
    let model = model.clone();
    thread::spawn(move || model.work())
}

// ANCHOR: last_look
/// A task comes while the last searcher gives up.
#[test]
fn submission_against_the_last_look() {
    explore(
        "submission against the last look",
        Bound::Complete,
        20,
        || {
            let model = Model::new();
            let worker = worker(&model);
            model.submit();
            worker.join().unwrap();
            assert_eq!(model.idle.asleep(), 0);
        },
    );
}
// ANCHOR_END: last_look

/// The same with a real ring, whose owner pushes two tasks and then has something else to do: the thief gets both,
/// although it takes only what two looks have seen.
#[test]
fn the_ring_of_one_who_is_busy() {
    explore(
        "the ring of one who is busy",
        Bound::Preemptions(3),
        100,
        || {
            let idle = Arc::new(Idle::new());
            let ring = Arc::new(LocalQueue::<u8, 4>::starting_at(u32::MAX));
            let thief = {
                let (idle, ring) = (idle.clone(), ring.clone());
                thread::spawn(move || {
                    let own = LocalQueue::new();
                    let search = || {
                        let seen = ring.end();
                        ring.steal_into(&own, seen)
                    };
                    for expected in 1..=2 {
                        let task = loop {
                            let task = idle.rest(search, || ring.len() > 0, None);
                            if let Some(task) = task.or_else(|| own.pop()) {
                                break task;
                            }
                        };
                        assert_eq!(task.addr(), expected, "the older one first");
                    }
                })
            };
            for number in 1..=2 {
                ring.push(std::ptr::without_provenance_mut(number)).unwrap();
                idle.task_is_ready();
            }
            thief.join().unwrap();
            assert_eq!(ring.len(), 0);
        },
    );
}

/// Two tasks, two workers: both get up. The one whom the first task has woken may be found searching by the second.
#[test]
fn as_many_get_up_as_there_are_tasks() {
    explore(
        "as many get up as there are tasks",
        Bound::Preemptions(2),
        1_000,
        || {
            let model = Model::new();
            let workers = [worker(&model), worker(&model)];
            model.submit();
            model.submit();
            workers
                .into_iter()
                .for_each(|worker| worker.join().unwrap());
            assert_eq!(model.idle.asleep(), 0);
        },
    );
}

/// While one searches nobody is called. When it has found something, somebody is.
#[test]
fn nobody_is_called_while_one_searches() {
    explore(
        "nobody is called while one searches",
        Bound::Complete,
        20,
        || {
            let model = Model::new();
            let sleeper = {
                let model = model.clone();
                thread::spawn(move || model.idle.rest(|| None::<()>, || false, None))
            };
            let search = || {
                let before = model.idle.asleep();
                model.idle.task_is_ready();
                // The other one may have fallen asleep meanwhile.
                assert!(model.idle.asleep() >= before, "somebody was called");
                Some(())
            };
            assert!(model.idle.rest(search, || false, None).is_some());
            model.idle.close();
            assert!(sleeper.join().unwrap().is_none());
            assert_eq!(model.idle.asleep(), 0);
        },
    );
}

/// A burst calls one of two sleepers: who is called counts as a searcher at once, and not only when it is up.
#[test]
fn a_burst_calls_one() {
    explore("a burst calls one", Bound::Preemptions(2), 500, || {
        let model = Model::new();
        let workers = [(); 2].map(|()| {
            let model = model.clone();
            // They find nothing, ever.
            thread::spawn(move || model.idle.rest(|| None::<()>, || false, None))
        });
        let all_asleep = model.idle.asleep() == 2;
        model.idle.task_is_ready();
        model.idle.task_is_ready();
        if all_asleep {
            assert!(model.idle.asleep() >= 1, "both were called");
        }
        model.idle.close();
        for worker in workers {
            assert!(worker.join().unwrap().is_none());
        }
        assert_eq!(model.idle.asleep(), 0);
        model.idle.open();
    });
}

/// The clock wakes a worker in the moment in which it is called. The call is taken all the same, and in the end, as `open`
/// insists, none is left over.
#[test]
fn the_clock_against_a_call() {
    explore("the clock against a call", Bound::Complete, 100, || {
        let model = Model::new();
        let worker = {
            let model = model.clone();
            thread::spawn(move || {
                let rest = |until| model.idle.rest(|| model.take(), || model.anything(), until);
                assert!(rest(Some(past())).or_else(|| rest(None)).is_some());
            })
        };
        model.submit();
        worker.join().unwrap();
        assert_eq!(model.idle.asleep(), 0);
        model.idle.open();
    });
}

/// A nudge makes a worker get up, be it asleep or on the way.
#[test]
fn a_nudge_is_not_lost() {
    explore("a nudge is not lost", Bound::Complete, 3, || {
        let model = Model::new();
        let sleeper = {
            let model = model.clone();
            thread::spawn(move || model.idle.rest(|| None::<()>, || false, None))
        };
        model.idle.nudge();
        assert!(sleeper.join().unwrap().is_none());
        assert_eq!(model.idle.asleep(), 0);
    });
}

/// A task and a nudge, two workers: each ends one rest.
#[test]
fn a_nudge_beside_a_task() {
    explore(
        "a nudge beside a task",
        Bound::Preemptions(2),
        1_000,
        || {
            let model = Model::new();
            let workers = [(); 2].map(|()| {
                let model = model.clone();
                thread::spawn(move || {
                    let rested = model.idle.rest(|| model.take(), || model.anything(), None);
                    rested.is_some()
                })
            });
            model.submit();
            model.idle.nudge();
            let found = workers.map(|worker| worker.join().unwrap());
            assert_eq!(found.iter().filter(|found| **found).count(), 1);
            assert_eq!(model.idle.asleep(), 0);
        },
    );
}

/// The runtime ends while workers fall asleep, and while one is called. All of them get up, and the next run finds
/// everything as it was in the beginning.
#[test]
fn the_end_against_wake_and_sleep() {
    explore(
        "the end against wake and sleep",
        Bound::Preemptions(2),
        1_000,
        || {
            let model = Model::new();
            let stopping = Arc::new(AtomicUsize::new(0));
            let workers = [(); 2].map(|()| {
                let (model, stopping) = (model.clone(), stopping.clone());
                thread::spawn(move || {
                    while stopping.load(Acquire) == 0 {
                        let _ = model.idle.rest(|| model.take(), || model.anything(), None);
                    }
                })
            });
            model.submit();
            stopping.store(1, Release);
            model.idle.close();
            workers
                .into_iter()
                .for_each(|worker| worker.join().unwrap());
            assert_eq!(model.idle.asleep(), 0);
            // The next run.
            model.idle.open();
            model.tasks.store(0, Relaxed);
            let worker = worker(&model);
            model.submit();
            worker.join().unwrap();
        },
    );
}
