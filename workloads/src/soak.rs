//! A long run of everything at once, for a stage to survive.
//!
//! Many tasks, each with a random script of its own: they start others and join them or let them go, hand values over
//! channels of every kind, select with and without timeouts, sleep, take locks and permits, borrow from each other in
//! scopes, and panic. Every effect is counted where it is caused and where it arrives, and at the end the two must
//! agree: each task ended once, each value arrived once, each panic reached its joiner, each increment under a lock is
//! there.
//!
//! The scripts come from one seed; the interleaving does not. So a seed that failed is worth running again, more than
//! once, and no seed is proof.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use step01::{
    JoinError, JoinHandle, Mutex, Receiver, Runtime, Semaphore, Sender, WaitGroup, after, bounded,
    scope, select, unbounded,
};

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Tasks to run, at least; scripts that are under way are finished.
    pub tasks: u64,
    /// Scripts that run side by side.
    pub lanes: u64,
    /// Where the scripts come from.
    pub seed: u64,
}

/// What was counted; all pairs agree, or [`Soak::run`] would have failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Tasks that ran.
    pub tasks: u64,
    /// Values that went through channels.
    pub values: u64,
    /// Panics that reached a joiner.
    pub panics: u64,
    /// Waits that ended by time.
    pub timeouts: u64,
}

/// What all scripts share.
#[derive(Default)]
struct Ledger {
    started: AtomicU64,
    ended: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    panicked: AtomicU64,
    caught: AtomicU64,
    timeouts: AtomicU64,
    entered: AtomicU64,
}

/// What a panicking script throws: recognised by its joiner, and not printed, since it goes around the hook.
struct Expected;

struct Shared {
    ledger: Ledger,
    /// Incremented under the lock only, and compared with `entered` at the end.
    guarded: Mutex<u64>,
    permits: Semaphore,
    detached: WaitGroup,
}

// Relaxed, for every count in this file: they are compared after all tasks were joined or waited for, and that wait is
// what makes them visible.
fn bump(count: &AtomicU64) {
    count.fetch_add(1, Relaxed);
}

impl Soak {
    /// Runs it inside `rt.run`.
    ///
    /// # Errors
    ///
    /// Which two counts disagree, with the seed.
    pub fn run<R: Runtime>(self, rt: &R) -> Result<Tally, String> {
        let shared = Arc::new(Shared {
            ledger: Ledger::default(),
            guarded: Mutex::new(0),
            permits: Semaphore::new(3),
            detached: WaitGroup::new(),
        });
        rt.run(|| {
            let lanes: Vec<_> = (0..self.lanes)
                .map(|lane| {
                    let (rt, shared) = (rt.clone(), shared.clone());
                    let mut dice = Dice::new(self.seed ^ lane.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    rt.clone().spawn(move || {
                        while shared.ledger.started.load(Relaxed) < self.tasks {
                            let script = Script::new(&rt, &shared, dice.next());
                            let root = script.start();
                            script.join(root);
                        }
                    })
                })
                .collect();
            for lane in lanes {
                lane.join().unwrap_or_else(|error| error.resume());
            }
            shared.detached.wait();
        });
        self.audit(&shared)
    }

    fn audit(self, shared: &Shared) -> Result<Tally, String> {
        let ledger = &shared.ledger;
        let entered = ledger.entered.load(Relaxed);
        let pairs = [
            ("tasks started and ended", &ledger.started, &ledger.ended),
            ("values sent and received", &ledger.sent, &ledger.received),
            ("panics thrown and caught", &ledger.panicked, &ledger.caught),
        ];
        for (what, left, right) in pairs {
            let (left, right) = (left.load(Relaxed), right.load(Relaxed));
            if left != right {
                return Err(format!("seed {}: {what}: {left} and {right}", self.seed));
            }
        }
        let guarded = *shared.guarded.lock();
        if guarded != entered {
            return Err(format!(
                "seed {}: {entered} increments under the lock, {guarded} are there",
                self.seed
            ));
        }
        if shared.permits.available() != 3 {
            return Err(format!("seed {}: permits were lost", self.seed));
        }
        Ok(Tally {
            tasks: ledger.ended.load(Relaxed),
            values: ledger.received.load(Relaxed),
            panics: ledger.caught.load(Relaxed),
            timeouts: ledger.timeouts.load(Relaxed),
        })
    }
}

/// xorshift64*: small, and the same everywhere, so that a seed means the same script on every machine.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// What one task will do; its children get scripts of their own.
struct Script<R> {
    rt: R,
    shared: Arc<Shared>,
    seed: u64,
    depth: u32,
}

impl<R: Runtime> Script<R> {
    fn new(rt: &R, shared: &Arc<Shared>, seed: u64) -> Self {
        Script {
            rt: rt.clone(),
            shared: shared.clone(),
            seed,
            depth: 0,
        }
    }

    fn child(&self, seed: u64) -> Self {
        Script {
            rt: self.rt.clone(),
            shared: self.shared.clone(),
            seed,
            depth: self.depth + 1,
        }
    }

    /// A task that does this script and counts itself.
    fn start(&self) -> JoinHandle<()> {
        let script = self.child(self.seed);
        bump(&self.shared.ledger.started);
        self.rt.spawn(move || script.perform())
    }

    /// Waits for a script's task; a panic of its own is caught here, any other goes on.
    fn join(&self, task: JoinHandle<()>) {
        match task.join() {
            Ok(()) => {}
            Err(JoinError::Panicked(payload)) if payload.is::<Expected>() => {
                bump(&self.shared.ledger.caught);
            }
            Err(other) => other.resume(),
        }
    }

    fn perform(&self) {
        let mut dice = Dice::new(self.seed);
        for _ in 0..=dice.below(3) {
            match dice.below(12) {
                0 | 1 => self.family(&mut dice),
                2 => self.let_go(&mut dice),
                3 | 4 => self.hand_over(&mut dice),
                5 => self.many_to_one(&mut dice),
                6 => self.choose(&mut dice),
                7 => self.give_up(&mut dice),
                8 => self.rt.sleep(Duration::from_micros(dice.below(500))),
                9 => self.borrow(&mut dice),
                10 => self.enter(&mut dice),
                _ => self.rt.yield_now(),
            }
        }
        bump(&self.shared.ledger.ended);
        if dice.below(10) == 0 && self.depth > 0 {
            bump(&self.shared.ledger.panicked);
            panic::resume_unwind(Box::new(Expected));
        }
    }

    /// Children, joined in the order of their birth.
    fn family(&self, dice: &mut Dice) {
        if self.depth > 3 {
            return;
        }
        let tasks: Vec<_> = (0..dice.below(4))
            .map(|_| self.child(dice.next()).start())
            .collect();
        for task in tasks {
            self.join(task);
        }
    }

    /// A child that nobody joins.
    fn let_go(&self, dice: &mut Dice) {
        let shared = self.shared.clone();
        let (rt, naps) = (self.rt.clone(), dice.below(3));
        bump(&shared.ledger.started);
        shared.detached.add(1);
        drop(self.rt.spawn(move || {
            for _ in 0..naps {
                rt.yield_now();
            }
            bump(&shared.ledger.ended);
            shared.detached.done();
        }));
    }

    fn channel(dice: &mut Dice) -> (Sender<u64>, Receiver<u64>) {
        match dice.below(4) {
            0 => unbounded(),
            room => bounded(room as usize - 1),
        }
    }

    /// A task that sends `count` values, and says so in the ledger.
    fn sender(&self, tx: Sender<u64>, count: u64) -> JoinHandle<()> {
        let shared = self.shared.clone();
        bump(&shared.ledger.started);
        self.rt.spawn(move || {
            for value in 0..count {
                bump(&shared.ledger.sent);
                tx.send(value).expect("the receiver waits for the end");
            }
            bump(&shared.ledger.ended);
        })
    }

    /// One sender, in order.
    fn hand_over(&self, dice: &mut Dice) {
        let (tx, rx) = Self::channel(dice);
        let task = self.sender(tx, dice.below(8));
        for (expected, value) in (0..).zip(rx) {
            assert_eq!(value, expected, "one sender's values arrive in order");
            bump(&self.shared.ledger.received);
        }
        self.join(task);
    }

    /// Several senders, one receiver.
    fn many_to_one(&self, dice: &mut Dice) {
        let (tx, rx) = Self::channel(dice);
        let tasks: Vec<_> = (0..3)
            .map(|_| self.sender(tx.clone(), dice.below(5)))
            .collect();
        drop(tx);
        for _ in rx {
            bump(&self.shared.ledger.received);
        }
        tasks.into_iter().for_each(|task| self.join(task));
    }

    /// A select over two senders and a clock.
    fn choose(&self, dice: &mut Dice) {
        let ((tx_a, a), (tx_b, b)) = (Self::channel(dice), Self::channel(dice));
        let tasks = [
            self.sender(tx_a, dice.below(5)),
            self.sender(tx_b, dice.below(5)),
        ];
        let (mut open_a, mut open_b) = (Some(a), Some(b));
        let none = step01::never();
        while open_a.is_some() || open_b.is_some() {
            select! {
                recv(open_a.as_ref().unwrap_or(&none)) -> value => match value {
                    Ok(_) => bump(&self.shared.ledger.received),
                    Err(_) => open_a = None,
                },
                recv(open_b.as_ref().unwrap_or(&none)) -> value => match value {
                    Ok(_) => bump(&self.shared.ledger.received),
                    Err(_) => open_b = None,
                },
                recv(after(Duration::from_micros(50))) -> _ => bump(&self.shared.ledger.timeouts),
            }
        }
        tasks.into_iter().for_each(|task| self.join(task));
    }

    /// A receive and a send that may time out, at a moment when a partner may come.
    fn give_up(&self, dice: &mut Dice) {
        let (tx, rx) = bounded(0);
        let shared = self.shared.clone();
        let patience = Duration::from_micros(dice.below(100));
        bump(&shared.ledger.started);
        let task = self.rt.spawn(move || {
            if tx.send_timeout(7, patience).is_ok() {
                bump(&shared.ledger.sent);
            }
            bump(&shared.ledger.ended);
        });
        match rx.recv_timeout(Duration::from_micros(dice.below(100))) {
            Ok(value) => {
                assert_eq!(value, 7);
                bump(&self.shared.ledger.received);
            }
            Err(_) => bump(&self.shared.ledger.timeouts),
        }
        self.join(task);
    }

    /// Tasks that borrow from this one's stack.
    fn borrow(&self, dice: &mut Dice) {
        let numbers: Vec<u64> = (0..dice.below(50)).collect();
        let half = numbers.len() / 2;
        let ledger = &self.shared.ledger;
        let total = scope(&self.rt, |scope| {
            let [left, right] = [&numbers[..half], &numbers[half..]].map(|part| {
                bump(&ledger.started);
                scope.spawn(move || {
                    bump(&ledger.ended);
                    part.iter().sum::<u64>()
                })
            });
            let join = |part: step01::ScopedJoinHandle<'_, u64>| match part.join() {
                Ok(sum) => sum,
                Err(error) => error.resume(),
            };
            join(left) + join(right)
        });
        assert_eq!(total, numbers.iter().sum::<u64>());
    }

    /// The lock and the permits, held across a yield.
    fn enter(&self, dice: &mut Dice) {
        let permits = 1 + dice.below(3) as usize;
        let _permit = self.shared.permits.acquire(permits);
        let mut guarded = self.shared.guarded.lock();
        let before = *guarded;
        self.rt.yield_now();
        *guarded = before + 1;
        bump(&self.shared.ledger.entered);
    }
}
