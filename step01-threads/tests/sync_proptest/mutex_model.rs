//! The mutex against its rules: who may overtake, who is woken, who is handed it.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use step01::Mutex;
use step01::park::{self, Wait};

use crate::puppet::Puppet;
use crate::seed;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new puppet locks, parks while it has the mutex, and unlocks.
    Lock,
    /// The test itself tries to lock, and keeps the guard.
    Try,
    /// The test unlocks, if it has the mutex.
    Unlock,
    /// Lets one of the puppets go on from its park, whatever it parks for.
    Resume(usize),
    /// Ends one of the puppets in its park.
    Unwind(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Lock),
        2 => Just(Step::Try),
        3 => Just(Step::Unlock),
        6 => any::<usize>().prop_map(Step::Resume),
        2 => any::<usize>().prop_map(Step::Unwind),
    ]
}

/// The test's own number among those who lock.
const TEST: usize = usize::MAX;

/// The whole specification.
#[derive(Debug, Default)]
struct Model {
    holder: Option<usize>,
    /// Who waits, and whether it has come too late once.
    queue: VecDeque<(usize, bool)>,
    /// Who has been woken to try again, and has not run since.
    coming: Option<usize>,
    /// Who has been handed the mutex, and has not run since. It is the holder.
    handed: Option<usize>,
}

impl Model {
    fn unlock(&mut self) {
        self.holder = None;
        match self.queue.front() {
            Some(&(who, true)) => {
                self.queue.pop_front();
                self.holder = Some(who);
                self.handed = Some(who);
            }
            Some(&(who, false)) if self.coming.is_none() => {
                self.queue.pop_front();
                self.coming = Some(who);
            }
            _ => {}
        }
    }

    /// True if it has the mutex now; otherwise it waits.
    fn lock(&mut self, who: usize) -> bool {
        if self.holder.is_none() {
            self.holder = Some(who);
        } else {
            self.queue.push_back((who, false));
        }
        self.holder == Some(who)
    }

    /// Lets `who` run; what it does next: it parks for this, or ends.
    fn resume(&mut self, who: usize) -> Option<Wait> {
        if self.handed == Some(who) {
            self.handed = None;
            return Some(Wait::Park);
        }
        if self.holder == Some(who) {
            self.unlock();
            return None;
        }
        if self.coming == Some(who) {
            self.coming = None;
            if self.holder.is_none() {
                self.holder = Some(who);
                return Some(Wait::Park);
            }
            self.queue.push_front((who, true));
        }
        Some(Wait::Mutex)
    }

    fn unwind(&mut self, who: usize) {
        if self.holder == Some(who) {
            self.handed = None;
            self.unlock();
        } else if self.coming == Some(who) {
            self.coming = None;
            if self.holder.is_none() {
                self.unlock(); // it comes, and goes
            }
        } else {
            self.queue.retain(|&(queued, _)| queued != who);
        }
    }
}

fn agrees(script: &[Step]) -> Result<(), TestCaseError> {
    let mutex = Arc::new(Mutex::new(()));
    let mut model = Model::default();
    let mut own = None;
    let mut parked: Vec<(usize, Puppet<()>)> = Vec::new();
    for (number, &step) in script.iter().enumerate() {
        match step {
            Step::Lock => {
                let mutex = mutex.clone();
                let puppet = Puppet::new(move || {
                    let _guard = mutex.lock();
                    park::park();
                });
                let wait = if model.lock(number) {
                    Wait::Park
                } else {
                    Wait::Mutex
                };
                prop_assert_eq!(puppet.parked(), wait);
                parked.push((number, puppet));
            }
            Step::Try if own.is_none() => {
                own = mutex.try_lock();
                prop_assert_eq!(own.is_some(), model.holder.is_none());
                if own.is_some() {
                    model.holder = Some(TEST);
                }
            }
            Step::Unlock if own.is_some() => {
                own = None;
                model.unlock();
            }
            Step::Resume(i) if !parked.is_empty() => {
                let i = i % parked.len();
                let expected = model.resume(parked[i].0);
                parked[i].1.resume();
                prop_assert_eq!(parked[i].1.parks(), expected);
                if expected.is_none() {
                    prop_assert!(parked.remove(i).1.join().is_ok());
                }
            }
            Step::Unwind(i) if !parked.is_empty() => {
                let (who, puppet) = parked.remove(i % parked.len());
                model.unwind(who);
                puppet.unwind();
                puppet.unwound();
            }
            Step::Try | Step::Unlock | Step::Resume(_) | Step::Unwind(_) => {}
        }
        // A look, which by the rules changes nothing: nobody is woken by it if somebody is coming already.
        prop_assert_eq!(mutex.try_lock().is_some(), model.holder.is_none());
        for (who, puppet) in &parked {
            let woken = model.coming == Some(*who) || model.handed == Some(*who);
            prop_assert_eq!(puppet.unparked(), woken, "puppet {} after {:?}", who, step);
        }
        // What it is all for: nobody waits for a mutex that is free, unless someone is about to come.
        prop_assert!(model.holder.is_some() || model.coming.is_some() || model.queue.is_empty());
    }
    drop(own);
    for (_, puppet) in parked {
        puppet.unwind();
        puppet.unwound();
    }
    prop_assert!(mutex.try_lock().is_some());
    Ok(())
}

#[test]
fn mutex_agrees_with_its_rules() {
    TestRunner::new(seed::config(300))
        .run(&vec(steps(), 0..50), |script| agrees(&script))
        .unwrap();
}
