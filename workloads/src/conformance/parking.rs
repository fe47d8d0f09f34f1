//! Parking: the token, who may leave it, and sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use step01::{Mutex, Runtime, Unparker, bounded, park, unbounded};

use super::let_others_run;

pub(super) fn an_unpark_before_the_park_is_not_lost<R: Runtime>(rt: &R) {
    rt.run(|| {
        for _ in 0..100 {
            park::current().unpark();
            park::park(); // hangs if the token was not kept
        }
        // Leaving it twice is at least as good as once. (That it is not *more* cannot be tested: a park may return for
        // no reason.)
        park::current().unpark();
        park::current().unpark();
        park::park();
    });
}

/// Two sides that take turns with one number: each waits for its parity, counts on, and unparks the other.
struct Turns {
    number: AtomicUsize,
}

const TURNS: usize = 500;

impl Turns {
    fn take(&self, parity: usize, other: Unparker) {
        loop {
            let number = self.number.load(SeqCst);
            if number >= TURNS {
                other.unpark();
                return;
            }
            if number % 2 == parity {
                self.number.store(number + 1, SeqCst);
                other.unpark();
            } else {
                park::park();
            }
        }
    }
}

/// Both sides tell each other who they are, over two channels, and then use nothing but park and unpark.
fn take_turns(
    parity: usize,
    turns: &Turns,
    tell: &step01::Sender<Unparker>,
    told: &step01::Receiver<Unparker>,
) {
    tell.send(park::current()).unwrap();
    turns.take(parity, told.recv().unwrap());
}

pub(super) fn a_task_is_unparked_by_another_task<R: Runtime>(rt: &R) {
    rt.run(|| {
        let turns = Arc::new(Turns {
            number: AtomicUsize::new(0),
        });
        let ((tell_a, told_a), (tell_b, told_b)) = (bounded(1), bounded(1));
        let theirs = turns.clone();
        let other = rt.spawn(move || take_turns(1, &theirs, &tell_b, &told_a));
        take_turns(0, &turns, &tell_a, &told_b);
        other.join().unwrap();
        assert_eq!(turns.number.load(SeqCst), TURNS);
    });
}

pub(super) fn a_task_is_unparked_by_a_plain_thread<R: Runtime>(rt: &R) {
    rt.run(|| {
        let turns = Arc::new(Turns {
            number: AtomicUsize::new(0),
        });
        let ((tell_a, told_a), (tell_b, told_b)) = (bounded(1), bounded(1));
        let theirs = turns.clone();
        let outside = thread::spawn(move || take_turns(1, &theirs, &tell_b, &told_a));
        take_turns(0, &turns, &tell_a, &told_b);
        outside.join().unwrap();
        assert_eq!(turns.number.load(SeqCst), TURNS);
    });
}

pub(super) fn a_plain_thread_is_unparked_by_a_task<R: Runtime>(rt: &R) {
    let (tell, told) = bounded(1);
    let (answer, answered) = bounded(1);
    let outside = thread::spawn(move || {
        tell.send(park::current()).unwrap();
        while answered.is_empty() {
            park::park();
        }
        answered.recv()
    });
    rt.run(|| {
        let task = rt.spawn(move || {
            let thread: Unparker = told.recv().unwrap();
            answer.send("wake up").unwrap();
            thread.unpark();
        });
        task.join().unwrap();
    });
    assert_eq!(outside.join().unwrap(), Ok("wake up"));
}

pub(super) fn a_park_with_a_deadline_ends_there<R: Runtime>(rt: &R) {
    rt.run(|| {
        let deadline = Instant::now() + Duration::from_millis(5);
        // It may return earlier, for no reason; this loop is how one uses it.
        while Instant::now() < deadline {
            park::park_until(deadline);
        }
        // A deadline that has passed already does not park at all.
        park::park_until(deadline);
    });
}

pub(super) fn stray_unparks_shorten_no_other_wait<R: Runtime>(rt: &R) {
    rt.run(|| {
        let stray = || {
            park::current().unpark();
            park::current().unpark();
        };
        let time = Duration::from_millis(3);

        stray();
        let start = Instant::now();
        rt.sleep(time);
        assert!(start.elapsed() >= time, "a sleep");

        let (tx, rx) = bounded::<i32>(0);
        stray();
        let start = Instant::now();
        assert!(rx.recv_timeout(time).is_err());
        assert!(start.elapsed() >= time, "a receive");

        let me = park::current();
        let rt2 = rt.clone();
        let sender = rt.spawn(move || {
            for n in 0..50 {
                // Aimed at a task that waits in `recv`.
                me.unpark();
                rt2.yield_now();
                me.unpark();
                tx.send(n).unwrap();
            }
        });
        assert_eq!(rx.iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
        sender.join().unwrap();

        let (locked, is_locked) = bounded(0);
        let mutex = Arc::new(Mutex::new(0));
        let (rt2, theirs) = (rt.clone(), mutex.clone());
        let holder = rt.spawn(move || {
            let mut guard = theirs.lock();
            locked.send(()).unwrap();
            for _ in 0..20 {
                me.unpark(); // at a task that waits for the lock
                rt2.yield_now();
            }
            *guard = 7;
        });
        is_locked.recv().unwrap();
        assert_eq!(*mutex.lock(), 7, "a lock");
        stray();
        holder.join().unwrap();
    });
}

pub(super) fn an_unpark_after_the_end_harms_nobody<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tell, told) = unbounded();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let tell = tell.clone();
                rt.spawn(move || tell.send(park::current()).unwrap())
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        drop(tell);
        let ended: Vec<Unparker> = told.iter().collect();
        // Their places may be those of other tasks by now, which must not be disturbed by it.
        let time = Duration::from_millis(3);
        let sleepers: Vec<_> = (0..20)
            .map(|_| {
                let rt2 = rt.clone();
                rt.spawn(move || {
                    let start = Instant::now();
                    rt2.sleep(time);
                    start.elapsed()
                })
            })
            .collect();
        for _ in 0..50 {
            ended.iter().for_each(|unparker| unparker.unpark());
            rt.yield_now();
        }
        for sleeper in sleepers {
            assert!(sleeper.join().unwrap() >= time);
        }
    });
}

pub(super) fn a_sleep_lasts_at_least_as_long_as_it_should<R: Runtime>(rt: &R) {
    rt.run(|| {
        for millis in [0, 1, 2, 5, 10] {
            let time = Duration::from_millis(millis);
            let start = Instant::now();
            rt.sleep(time);
            assert!(start.elapsed() >= time);
        }
        rt.sleep(Duration::from_nanos(1));
    });
}

pub(super) fn many_sleep_at_once<R: Runtime>(rt: &R) {
    rt.run(|| {
        let tasks: Vec<_> = (0..100)
            .map(|i| {
                let rt2 = rt.clone();
                rt.spawn(move || {
                    // Not in the order in which they are started.
                    let time = Duration::from_micros(i * 7_919 % 20_000);
                    let start = Instant::now();
                    rt2.sleep(time);
                    (time, start.elapsed())
                })
            })
            .collect();
        let_others_run(rt);
        for task in tasks {
            let (time, elapsed) = task.join().unwrap();
            assert!(elapsed >= time, "{elapsed:?} in place of {time:?}");
        }
    });
}
