//! The semaphore against a number and a queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use step01::Semaphore;
use step01::park::Wait;

use crate::puppet::Puppet;
use crate::seed;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// `try_acquire`, on the test's own thread.
    Try(usize),
    /// `acquire_deadline` with a deadline that has passed.
    Expired(usize),
    /// A new puppet calls `acquire`.
    Acquire(usize),
    /// A new puppet calls `acquire_deadline`, and its time is over before anything else happens.
    GiveUp(usize),
    Release(usize),
    /// Drops one of the permits that the test has.
    Drop(usize),
    /// Lets one of the parked puppets go on: it was granted its permits, or wakes for no reason.
    Resume(usize),
    /// Ends one of the parked puppets.
    Unwind(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let some = 0..5usize;
    prop_oneof![
        3 => some.clone().prop_map(Step::Try),
        1 => some.clone().prop_map(Step::Expired),
        6 => some.clone().prop_map(Step::Acquire),
        1 => some.clone().prop_map(Step::GiveUp),
        3 => some.prop_map(Step::Release),
        3 => any::<usize>().prop_map(Step::Drop),
        4 => any::<usize>().prop_map(Step::Resume),
        3 => any::<usize>().prop_map(Step::Unwind),
    ]
}

/// The whole specification.
#[derive(Debug, Default)]
struct Model {
    free: usize,
    /// Who waits, by number, and for how many.
    queue: VecDeque<(usize, usize)>,
    /// Who has been granted permits and has not run since.
    granted: Vec<(usize, usize)>,
}

impl Model {
    fn take(&mut self, n: usize) -> bool {
        let taken = self.queue.is_empty() && n <= self.free;
        if taken {
            self.free -= n;
        }
        taken
    }

    fn grant(&mut self) {
        while let Some(&(who, n)) = self.queue.front()
            && n <= self.free
        {
            self.free -= n;
            self.granted.push((who, n));
            self.queue.pop_front();
        }
    }

    fn release(&mut self, n: usize) {
        self.free += n;
        self.grant();
    }
}

fn agrees(permits: usize, script: &[Step]) -> Result<(), TestCaseError> {
    let semaphore = Arc::new(Semaphore::new(permits));
    let mut model = Model {
        free: permits,
        ..Model::default()
    };
    let mut held = Vec::new();
    // Those that have parked and not ended, with their numbers.
    let mut parked: Vec<(usize, Puppet<bool>)> = Vec::new();
    for (number, &step) in script.iter().enumerate() {
        let acquire = |n, deadline: Option<Instant>| {
            let semaphore = semaphore.clone();
            Puppet::new(move || {
                let permit = match deadline {
                    Some(deadline) => semaphore.acquire_deadline(n, deadline),
                    None => Some(semaphore.acquire(n)),
                };
                permit.map(step01::Permit::forget).is_some()
            })
        };
        match step {
            Step::Try(n) | Step::Expired(n) => {
                let permit = match step {
                    Step::Try(_) => semaphore.try_acquire(n),
                    _ => semaphore.acquire_deadline(n, Instant::now()),
                };
                prop_assert_eq!(permit.is_some(), model.take(n));
                held.extend(permit);
            }
            Step::Acquire(n) => {
                let puppet = acquire(n, None);
                if model.take(n) {
                    prop_assert!(puppet.ended());
                } else {
                    prop_assert_eq!(puppet.parked(), Wait::Semaphore);
                    model.queue.push_back((number, n));
                    model.grant();
                    parked.push((number, puppet));
                }
            }
            Step::GiveUp(n) => {
                let puppet = acquire(n, Some(Instant::now() + Duration::from_millis(2)));
                let mut waited = false;
                // On a busy machine its time may be over before it parks.
                while puppet.parks().is_some() {
                    waited = true;
                    puppet.expire();
                }
                let taken = puppet.join().unwrap();
                // A request for nothing waits for its turn; when the queue is empty it is.
                prop_assert_eq!(taken, model.take(n));
                prop_assert!(!(waited && taken));
            }
            Step::Release(n) => {
                semaphore.release(n);
                model.release(n);
            }
            Step::Drop(i) if !held.is_empty() => {
                let permit = held.swap_remove(i % held.len());
                let n = permit.count();
                drop(permit);
                model.release(n);
            }
            Step::Resume(i) if !parked.is_empty() => {
                let i = i % parked.len();
                parked[i].1.resume();
                let who = parked[i].0;
                if model.granted.iter().any(|&(granted, _)| granted == who) {
                    model.granted.retain(|&(granted, _)| granted != who);
                    prop_assert!(parked.remove(i).1.ended());
                } else {
                    prop_assert_eq!(parked[i].1.parked(), Wait::Semaphore);
                }
            }
            Step::Unwind(i) if !parked.is_empty() => {
                let (who, puppet) = parked.remove(i % parked.len());
                puppet.unwind();
                puppet.unwound();
                model.queue.retain(|&(queued, _)| queued != who);
                let back = model
                    .granted
                    .iter()
                    .position(|&(granted, _)| granted == who);
                let n = back.map_or(0, |at| model.granted.remove(at).1);
                model.release(n);
            }
            Step::Drop(_) | Step::Resume(_) | Step::Unwind(_) => {}
        }
        prop_assert_eq!(semaphore.available(), model.free);
        for (who, puppet) in &parked {
            let granted = model.granted.iter().any(|(granted, _)| granted == who);
            prop_assert_eq!(
                puppet.unparked(),
                granted,
                "puppet {} after {:?}",
                who,
                step
            );
        }
    }
    for (_, puppet) in parked {
        puppet.unwind();
        puppet.unwound();
    }
    Ok(())
}

#[test]
fn semaphore_agrees_with_a_queue() {
    TestRunner::new(seed::config(300))
        .run(&(0..5usize, vec(steps(), 0..40)), |(permits, script)| {
            agrees(permits, &script)
        })
        .unwrap();
}
