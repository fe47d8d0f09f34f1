//! How a run ends that leaves tasks behind, as bodies of tests: each stage with tasks of its own runs them.
//!
//! - [`from_any_state`]: `run` returns, whatever its tasks are doing, and each of them is gone
//! - [`the_newest_first`]: what others borrow from goes after them
//! - [`wakers_from_outside`]: ordinary threads wake tasks, spawn tasks, and are still at it when the run ends

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use step01::{JoinHandle, Mutex, Runtime, bounded, never, park, scope, unbounded};

/// Counts the living.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, SeqCst);
        Alive(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// In each of `rounds` runs, tasks do what keeps them busy for ever: park, yield, sleep, want a lock, join each other, wait
/// with a timeout, wait for their scope, or have not begun. The first task returns after a few turns. So must `run`;
/// every task is gone then, and whoever joins one is told. (A scope that sees its tasks ended panics, and says so.)
///
/// # Panics
///
/// If a task is left.
pub fn from_any_state<R: Runtime>(rt: &R, rounds: usize) {
    const KINDS: usize = 8;
    let alive = Arc::new(AtomicUsize::new(0));
    for round in 0..rounds {
        let handles: Vec<JoinHandle<()>> = rt.run(|| {
            let lock = Arc::new(Mutex::new(()));
            let spawn = |kind: usize| {
                let (rt2, lock) = (rt.clone(), lock.clone());
                let (here, count) = (Alive::new(&alive), alive.clone());
                rt.spawn(move || {
                    let _here = here;
                    stay_for_ever(&rt2, kind, &lock, &count);
                })
            };
            let mut handles: Vec<_> = (0..3 * KINDS).map(|n| spawn(n % KINDS)).collect();
            for _ in 0..round {
                rt.yield_now();
            }
            handles.extend((0..KINDS).map(spawn)); // these have mostly not begun
            handles
        });
        assert_eq!(alive.load(SeqCst), 0, "tasks are left in round {round}");
        for handle in handles {
            // Most were cancelled. One whose child was ended has seen that, and has gone on to its own end.
            let _ = handle.join();
        }
    }
}

fn stay_for_ever<R: Runtime>(rt: &R, kind: usize, lock: &Mutex<()>, alive: &Arc<AtomicUsize>) {
    match kind {
        0 => {
            let _ = never::<()>().recv();
        }
        1 => loop {
            rt.yield_now();
        },
        2 => rt.sleep(Duration::from_secs(3600)),
        3 => {
            let _held = lock.lock(); // one has it, the others want it
            let _ = never::<()>().recv();
        }
        4 => {
            let (rt2, here) = (rt.clone(), Alive::new(alive));
            let child = rt.spawn(move || {
                let _here = here;
                loop {
                    rt2.yield_now();
                }
            });
            drop(child.join());
        }
        5 => loop {
            let _ = never::<()>().recv_timeout(Duration::from_micros(100));
        },
        6 => scope(rt, |scope| {
            for _ in 0..2 {
                let here = Alive::new(alive);
                scope.spawn(move || {
                    let _here = here;
                    let _ = never::<()>().recv();
                });
            }
        }),
        _ => loop {
            park::park(); // and nobody unparks it
        },
    }
}

/// Says its name when it goes.
struct Goes {
    name: (usize, usize),
    log: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Drop for Goes {
    fn drop(&mut self) {
        self.log.lock().push(self.name);
    }
}

/// Tasks wait in scopes for tasks that borrow from them, three deep, spread over the workers as the stage's scheduler
/// has it, when the run ends. Each must go after all those that borrow from it.
///
/// # Panics
///
/// If one has gone too early.
pub fn the_newest_first<R: Runtime>(rt: &R, families: usize) {
    const DEPTH: usize = 3;
    let log = Arc::new(Mutex::new(Vec::new()));
    let born = Arc::new(AtomicUsize::new(0));
    rt.run(|| {
        // Whoever counts tasks where they are spawned has counted some here, and none elsewhere.
        for _ in 0..100 {
            drop(rt.spawn(|| ()).join());
        }
        for family in 0..families {
            let (rt2, log, born) = (rt.clone(), log.clone(), born.clone());
            drop(rt.spawn(move || generation(&rt2, family, 0, &log, &born)));
        }
        while born.load(SeqCst) < families * DEPTH {
            rt.yield_now();
        }
    });
    let log = std::mem::take(&mut *log.lock());
    assert_eq!(log.len(), families * DEPTH);
    for family in 0..families {
        let went = log.iter().filter(|(one, _)| *one == family);
        let depths: Vec<usize> = went.map(|(_, depth)| *depth).collect();
        assert_eq!(depths, [2, 1, 0], "who is borrowed from went too early");
    }

    fn generation<R: Runtime>(
        rt: &R,
        family: usize,
        depth: usize,
        log: &Arc<Mutex<Vec<(usize, usize)>>>,
        born: &AtomicUsize,
    ) {
        let own = Goes {
            name: (family, depth),
            log: log.clone(),
        };
        born.fetch_add(1, SeqCst);
        if depth + 1 == DEPTH {
            let _ = never::<()>().recv();
            return;
        }
        scope(rt, |scope| {
            scope.spawn(|| {
                assert_eq!(own.name, (family, depth));
                generation(rt, family, depth + 1, &own.log, born);
            });
        });
    }
}

/// Threads that are no workers spawn tasks into run after run, talk to them over channels, unpark them more often than
/// they need, and do not care when a run ends. Returns how many of their tasks were cancelled.
///
/// # Panics
///
/// If an answer is wrong, or one does not come.
pub fn wakers_from_outside<R: Runtime>(rt: &R, threads: usize, rounds: usize) -> usize {
    let stop = AtomicBool::new(false);
    let (answers, answered) = unbounded::<bool>();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (rt, stop, answers) = (rt.clone(), &stop, answers.clone());
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    if let Some(ended) = talk_to_a_task(&rt) {
                        answers.send(ended).expect("it is kept");
                    }
                }
            });
        }
        drop(answers);
        let mut cancelled = 0;
        for _ in 0..rounds {
            rt.run(|| {
                for _ in 0..threads {
                    cancelled += usize::from(!answered.recv().expect("threads are left"));
                }
            });
        }
        stop.store(true, SeqCst);
        // Those that wait for a task that has not begun need one more run, and no other task than theirs is in it.
        rt.run(|| {
            answered
                .iter()
                .for_each(|done| cancelled += usize::from(!done))
        });
        cancelled
    })
}

/// On a thread that is no worker: spawns a task, asks it a few things, unparks it for nothing, and joins it. True if it has
/// ended by itself, false if its runtime has ended it, none if there was none, since a run was just ending.
///
/// # Panics
///
/// If an answer is wrong.
pub fn talk_to_a_task<R: Runtime>(rt: &R) -> Option<bool> {
    let (ask, asked) = bounded::<u64>(0);
    let (reply, replied) = bounded::<u64>(0);
    let name = Arc::new(Mutex::new(None));
    let named = name.clone();
    let task = rt.try_spawn(move || {
        *named.lock() = Some(park::current());
        for value in asked {
            if reply.send(value + 1).is_err() {
                break;
            }
        }
    });
    let task = task.ok()?;
    for value in 0..4 {
        if ask.send(value).is_err() {
            break; // the run has ended
        }
        if let Some(task) = *name.lock() {
            task.unpark(); // for nothing
        }
        match replied.recv() {
            Ok(answer) => assert_eq!(answer, value + 1),
            Err(_) => break,
        }
    }
    drop((ask, replied));
    if let Some(task) = *name.lock() {
        task.unpark(); // it may be another task by now
    }
    Some(task.join().is_ok())
}
