//! Random scripts on real threads: whatever the kernel makes of them, the sums are right.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use step01::{Condvar, Mutex, MutexGuard};

use crate::seed;
use crate::watchdog::watch;

/// How a thread locks next.
#[derive(Clone, Copy, Debug)]
enum Way {
    Lock,
    Try,
    Expired,
    Soon,
    /// Locks, and panics with the guard in its hands.
    Panic,
}

fn ways() -> impl Strategy<Value = (Way, bool)> {
    let way = prop_oneof![
        Just(Way::Lock),
        Just(Way::Try),
        Just(Way::Expired),
        Just(Way::Soon),
        Just(Way::Panic),
    ];
    (way, any::<bool>())
}

/// Adds one, in two steps between which another thread would be noticed.
fn increment(mut guard: MutexGuard<'_, u64>, linger: bool) {
    let before = *guard;
    if linger {
        thread::yield_now();
    }
    *guard = before + 1;
}

/// Returns how often it had the mutex.
fn follow(mutex: &Mutex<u64>, script: &[(Way, bool)]) -> u64 {
    let mut times = 0;
    for &(way, linger) in script {
        let guard = match way {
            Way::Lock | Way::Panic => Some(mutex.lock()),
            Way::Try => mutex.try_lock(),
            Way::Expired => mutex.lock_deadline(Instant::now()),
            Way::Soon => mutex.lock_deadline(Instant::now() + Duration::from_micros(50)),
        };
        let Some(guard) = guard else { continue };
        times += 1;
        if matches!(way, Way::Panic) {
            let mut guard = guard;
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                *guard += 1;
                let _dropped_by_the_panic = guard;
                resume_unwind(Box::new(()));
            }));
            assert!(panicked.is_err());
        } else {
            increment(guard, linger);
        }
    }
    times
}

#[test]
fn mutex_counts_what_was_counted() {
    TestRunner::new(seed::config(300))
        .run(&vec(vec(ways(), 0..60), 1..5), |scripts| {
            let _watchdog = watch(format!("{scripts:?}"));
            let mutex = Mutex::new(0);
            let times: u64 = thread::scope(|s| {
                let threads: Vec<_> = scripts
                    .iter()
                    .map(|script| s.spawn(|| follow(&mutex, script)))
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            prop_assert_eq!(*mutex.try_lock().unwrap(), times);
            Ok(())
        })
        .unwrap();
}

/// A bounded buffer, the oldest use of a condition variable: one for room, one for items.
struct Buffer {
    items: Mutex<VecDeque<u32>>,
    capacity: usize,
    room: Condvar,
    filled: Condvar,
}

/// How a thread waits.
#[derive(Clone, Copy, Debug)]
enum Patience {
    While,
    Loop,
    Timeout,
}

fn patience() -> impl Strategy<Value = Patience> {
    prop_oneof![
        Just(Patience::While),
        Just(Patience::Loop),
        Just(Patience::Timeout),
    ]
}

impl Buffer {
    fn new(capacity: usize) -> Self {
        Buffer {
            items: Mutex::new(VecDeque::new()),
            capacity,
            room: Condvar::new(),
            filled: Condvar::new(),
        }
    }

    /// The items, once `busy` says no.
    fn wait(
        &self,
        patience: Patience,
        condvar: &Condvar,
        busy: impl Fn(&VecDeque<u32>) -> bool,
    ) -> MutexGuard<'_, VecDeque<u32>> {
        let mut items = self.items.lock();
        match patience {
            Patience::While => items = condvar.wait_while(items, |items| busy(items)),
            Patience::Loop => {
                while busy(&items) {
                    items = condvar.wait(items);
                }
            }
            Patience::Timeout => {
                while busy(&items) {
                    items = condvar.wait_timeout(items, Duration::from_micros(50)).0;
                }
            }
        }
        items
    }

    fn put(&self, patience: Patience, item: u32) {
        let mut items = self.wait(patience, &self.room, |items| items.len() >= self.capacity);
        items.push_back(item);
        assert!(items.len() <= self.capacity);
        drop(items);
        self.filled.notify_one();
    }

    fn take(&self, patience: Patience) -> u32 {
        let mut items = self.wait(patience, &self.filled, VecDeque::is_empty);
        let item = items.pop_front().unwrap();
        // With the mutex still held, for once.
        self.room.notify_one();
        item
    }
}

fn bounded_buffer(
    capacity: usize,
    producers: &[Vec<Patience>],
    consumers: &[Vec<Patience>],
) -> Result<(), TestCaseError> {
    let _watchdog = watch(format!("{capacity}, {producers:?}, {consumers:?}"));
    let buffer = Buffer::new(capacity);
    // As many are taken as are put: consumer k takes every item whose turn modulo the number of consumers is k.
    let total: usize = producers.iter().map(Vec::len).sum();
    let got: Vec<Vec<u32>> = thread::scope(|s| {
        for (number, script) in (0..).zip(producers) {
            let buffer = &buffer;
            s.spawn(move || {
                for (n, &patience) in (0..).zip(script) {
                    buffer.put(patience, number * 1000 + n);
                }
            });
        }
        let consumers: Vec<_> = consumers
            .iter()
            .enumerate()
            .map(|(k, script)| {
                let share = (total + consumers.len() - 1 - k) / consumers.len();
                let (buffer, patiences) = (&buffer, script.iter().cycle());
                s.spawn(move || patiences.take(share).map(|&p| buffer.take(p)).collect())
            })
            .collect();
        consumers.into_iter().map(|c| c.join().unwrap()).collect()
    });
    for items in &got {
        for number in 0..producers.len() as u32 {
            let own: Vec<_> = items.iter().filter(|&&v| v / 1000 == number).collect();
            prop_assert!(
                own.is_sorted(),
                "one producer's items out of order: {own:?}"
            );
        }
    }
    let mut got: Vec<u32> = got.into_iter().flatten().collect();
    got.sort_unstable();
    let put: Vec<u32> = (0..)
        .zip(producers)
        .flat_map(|(number, script)| (0..script.len() as u32).map(move |n| number * 1000 + n))
        .collect();
    prop_assert_eq!(got, put);
    Ok(())
}

/// Every notification reaches somebody who can use it: one that is lost leaves a thread waiting for ever.
#[test]
fn condvar_carries_a_bounded_buffer() {
    let scripts = |length| vec(vec(patience(), length), 1..4);
    TestRunner::new(seed::config(300))
        .run(
            &(1..4usize, scripts(0..40), scripts(1..6)),
            |(capacity, producers, consumers)| bounded_buffer(capacity, &producers, &consumers),
        )
        .unwrap();
}
