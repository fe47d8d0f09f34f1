//! Mutex and condition variable; and all locks between tasks and plain threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use step01::{Condvar, Mutex, Runtime, WaitGroup, bounded, unbounded};

use super::let_others_run;
use super::tasks::panic_quietly;

const SHORT: Duration = Duration::from_millis(2);

pub(super) fn a_mutex_excludes<R: Runtime>(rt: &R) {
    rt.run(|| {
        // Two numbers that are equal whenever the lock is free.
        let pair = Arc::new(Mutex::new((0, 0)));
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let (rt2, pair) = (rt.clone(), pair.clone());
                rt.spawn(move || {
                    for n in 0..100 {
                        let mut pair = pair.lock();
                        assert_eq!(pair.0, pair.1);
                        pair.0 += 1;
                        if (n + i) % 10 == 0 {
                            rt2.yield_now();
                        }
                        pair.1 += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*pair.lock(), (800, 800));
    });
}

pub(super) fn a_mutex_is_held_across_waits<R: Runtime>(rt: &R) {
    rt.run(|| {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let (held, is_held) = bounded(0);
        let (go, wait) = bounded::<()>(0);
        let (rt2, theirs) = (rt.clone(), mutex.clone());
        let holder = rt.spawn(move || {
            let mut guard = theirs.lock();
            held.send(()).unwrap();
            wait.recv().unwrap(); // parks, with the lock
            rt2.sleep(Duration::from_micros(100));
            guard.push("holder");
        });
        is_held.recv().unwrap();
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let theirs = mutex.clone();
                rt.spawn(move || theirs.lock().push("waiter"))
            })
            .collect();
        let_others_run(rt);
        go.send(()).unwrap();
        holder.join().unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        let order = mutex.lock();
        assert_eq!((order[0], order.len()), ("holder", 6));
    });
}

pub(super) fn a_mutex_is_tried_without_waiting<R: Runtime>(rt: &R) {
    rt.run(|| {
        let mutex = Arc::new(Mutex::new(1));
        let guard = mutex.lock();
        let theirs = mutex.clone();
        let task = rt.spawn(move || {
            assert!(theirs.try_lock().is_none());
            let deadline = Instant::now() + SHORT;
            assert!(theirs.lock_deadline(deadline).is_none());
            assert!(Instant::now() >= deadline);
        });
        task.join().unwrap();
        drop(guard);
        *mutex.try_lock().unwrap() += 1;
        let far = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(mutex.lock_deadline(far).as_deref(), Some(&2));
    });
}

pub(super) fn a_panic_unlocks_a_mutex<R: Runtime>(rt: &R) {
    rt.run(|| {
        let mutex = Arc::new(Mutex::new(1));
        let theirs = mutex.clone();
        let task = rt.spawn(move || {
            let mut guard = theirs.lock();
            *guard = 2;
            panic_quietly("with the lock");
        });
        assert!(task.join().is_err());
        assert_eq!(*mutex.lock(), 2, "there is no poison");
    });
}

pub(super) fn a_condition_is_waited_for<R: Runtime>(rt: &R) {
    // A queue made of a mutex and two conditions, as it was done before channels.
    struct Queue {
        items: Mutex<VecDeque<u32>>,
        not_empty: Condvar,
        not_full: Condvar,
    }
    rt.run(|| {
        let queue = Arc::new(Queue {
            items: Mutex::new(VecDeque::new()),
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
        });
        let producers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                rt.spawn(move || {
                    for n in 0..100 {
                        let items = queue.items.lock();
                        let mut items = queue.not_full.wait_while(items, |items| items.len() >= 4);
                        items.push_back(n);
                        drop(items);
                        queue.not_empty.notify_one();
                    }
                })
            })
            .collect();
        let consumers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                rt.spawn(move || {
                    let mut sum = 0;
                    for _ in 0..100 {
                        let items = queue.items.lock();
                        let mut items = queue.not_empty.wait_while(items, |items| items.is_empty());
                        sum += items.pop_front().unwrap();
                        drop(items);
                        queue.not_full.notify_one();
                    }
                    sum
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        let sum: u32 = consumers.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 3 * 4_950);
    });
}

pub(super) fn notify_all_wakes_all<R: Runtime>(rt: &R) {
    rt.run(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let shared = shared.clone();
                rt.spawn(move || {
                    let mut open = shared.0.lock();
                    while !*open {
                        open = shared.1.wait(open);
                    }
                })
            })
            .collect();
        let_others_run(rt);
        *shared.0.lock() = true;
        shared.1.notify_all();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

pub(super) fn a_wait_for_a_condition_ends_in_time<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (mutex, condition) = (Mutex::new(5), Condvar::new());
        let deadline = Instant::now() + SHORT;
        let mut guard = mutex.lock();
        loop {
            let (again, result) = condition.wait_deadline(guard, deadline);
            guard = again;
            if result.timed_out() {
                break;
            }
        }
        assert!(Instant::now() >= deadline);
        assert_eq!(*guard, 5, "and the lock is held again");
        assert!(mutex.try_lock().is_none());
        drop(guard);
        // Who has given up takes no notification away from others.
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = shared.clone();
        let task = rt.spawn(move || {
            drop(theirs.1.wait_while(theirs.0.lock(), |ready| !*ready));
        });
        drop(shared.1.wait_timeout(shared.0.lock(), SHORT));
        *shared.0.lock() = true;
        shared.1.notify_one();
        task.join().unwrap();
    });
}

pub(super) fn tasks_and_plain_threads_share_locks<R: Runtime>(rt: &R) {
    rt.run(|| {
        let counter = Arc::new(Mutex::new(0));
        let group = Arc::new(WaitGroup::new());
        group.add(8);
        let (ended, all_ended) = unbounded::<()>();
        let count = |ended: step01::Sender<()>| {
            let (counter, group) = (counter.clone(), group.clone());
            move || {
                for _ in 0..200 {
                    *counter.lock() += 1;
                }
                group.done();
                group.wait();
                drop(ended);
            }
        };
        let threads: Vec<_> = (0..4)
            .map(|_| thread::spawn(count(ended.clone())))
            .collect();
        let tasks: Vec<_> = (0..4).map(|_| rt.spawn(count(ended.clone()))).collect();
        drop(ended);
        assert!(all_ended.recv().is_err());
        for task in tasks {
            task.join().unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*counter.lock(), 1_600);
    });
}
