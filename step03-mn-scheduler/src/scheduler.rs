//! What all workers of a runtime share, and what a task asks of it: start, wake, wait until.
//!
//! # Numbers that say who came first
//!
//! When a runtime ends, the tasks that are left are unwound, and one that others borrow from must come after those. The one
//! that is borrowed from was there when they were spawned. So a task's number is larger than that of the task which
//! spawned it, and the largest go first. A common counter would do, at the price of one cache line that all workers
//! fight for. Here each processor counts by itself, and takes care to be ahead of the spawner: Lamport's clock (*Time,
//! Clocks, and the Ordering of Events*, 1978). The processor's index at the end makes numbers unique.
//!
//! # Room
//!
//! There are so many stacks, and so many tasks may be alive. A processor takes the right to start tasks from a common
//! account, some at a time, and a task that ends leaves its right with the processor that it ended on.
//!
//! # Timers
//!
//! Step 2's heap of deadlines under one lock, for all workers. The earliest one is also written down beside it
//! (`watch.rs`), so that a worker need not take the lock to see that nothing is due.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use step01::{Job, SpawnError};
use step02::timer::Timers;
use step02::{Region, StackPool};

use crate::counters::{Counters, Snapshot};
use crate::current::{self, Context};
use crate::home::Home;
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{self, Task, TaskRef};
use crate::watch::{NEVER, Watch};

/// What the workers of one runtime share.
#[derive(Debug)]
pub(crate) struct Scheduler<P: Policy> {
    pub(crate) home: &'static Home,
    pub(crate) policy: P,
    pub(crate) region: Arc<Region>,
    pub(crate) workers: usize,
    timers: Mutex<Timers<TaskRef>>,
    /// Its nanoseconds count from `start`.
    pub(crate) watch: Watch,
    start: Instant,
    /// Rights to start a task that no processor has.
    room: AtomicUsize,
    /// How many there are in all.
    most: usize,
    /// How many rights a processor takes at a time.
    share: usize,
    /// How many bits of a task's number say where it was spawned.
    index_bits: u32,
    /// The workers are to leave their loops.
    stopping: AtomicBool,
    /// The first task has returned, the others are being ended, and no further one may begin.
    closing: AtomicBool,
    /// One block for each processor, and one for all other threads.
    counters: Vec<Arc<Counters>>,
}

impl<P: Policy> Scheduler<P> {
    /// The address is handed to tasks, so it must not change: the caller keeps it in an `Arc` and calls `Home::furnish`.
    pub(crate) fn new(policy: P, region: Arc<Region>, workers: usize, most: usize) -> Self {
        Scheduler {
            home: Home::take(),
            policy,
            workers,
            timers: Mutex::new(Timers::new()),
            watch: Watch::new(workers),
            start: Instant::now(),
            room: AtomicUsize::new(most),
            most,
            share: (most / (8 * workers)).clamp(1, 256),
            index_bits: usize::BITS - workers.leading_zeros(),
            region,
            stopping: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            counters: (0..=workers).map(|_| Arc::default()).collect(),
        }
    }

    pub(crate) fn processors(&self) -> Vec<Processor<P>> {
        let processor = |index: usize| {
            let pool = StackPool::new(Arc::clone(&self.region));
            Processor::new(index, &self.policy, pool, Arc::clone(&self.counters[index]))
        };
        (0..self.workers).map(processor).collect()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        self.counters.iter().for_each(|block| sum.add(block));
        sum
    }

    fn foreign(&self) -> &Counters {
        &self.counters[self.workers]
    }

    /// The processor of the calling worker, if it is one of ours.
    #[inline]
    fn processor_here(&self, context: *const Context) -> Option<&Processor<P>> {
        // SAFETY: null, or this thread's, good until the calling task leaves its stack.
        let context = unsafe { context.as_ref() }?;
        let ours = std::ptr::eq(context.scheduler, std::ptr::from_ref(self).cast());
        // SAFETY: a worker of ours has put a `Processor<P>` there, which outlives its context.
        ours.then(|| unsafe { &*context.processor.cast::<Processor<P>>() })
    }

    // ANCHOR: start
    /// Makes a task out of a job and queues it.
    pub(crate) fn start(&self, job: Job) -> Result<(), SpawnError> {
        // Acquire: pairs with the Release in `set_closing`.
        if self.closing.load(Acquire) {
            return Err(ending());
        }
        if self.region.guards_are_mappings() {
            // Guards can be refused here, and now there is someone to be told. What is not used by tasks may be in pools.
            let beside = self.region.slots() - self.most;
            let used = self.most - self.room.load(Relaxed).min(self.most);
            self.region.reserve((used + 1).min(self.most) + beside)?;
        }
        let context = current::context();
        match self.processor_here(context) {
            Some(processor) => {
                if !self.take_right(processor) {
                    return Err(self.full());
                }
                // SAFETY: it is this thread's, since there is a processor.
                let parent = unsafe { (*context).task.get() };
                let parent = parent.map_or(0, |task| task.number.get());
                let number = self.next_number(processor, parent);
                let task = processor.free.take();
                task.begin(self.home, number, job);
                processor.counters.spawned.add();
                self.policy.ready(task, Some(processor), Why::Spawn);
            }
            None => {
                if !self.take_rights(1) {
                    return Err(self.full());
                }
                let foreign = self.foreign();
                let clock = foreign.spawned.add_shared();
                let task = task::take_one();
                task.begin(self.home, self.number(clock, self.workers), job);
                self.policy.ready(task, None, Why::Inject);
            }
        }
        Ok(())
    }
    // ANCHOR_END: start

    // ANCHOR: number
    /// A new number that is larger than `above`.
    #[inline]
    pub(crate) fn next_number(&self, processor: &Processor<P>, above: u64) -> u64 {
        let clock = processor.started.get().max(above >> self.index_bits) + 1;
        processor.started.set(clock);
        self.number(clock, processor.index())
    }

    fn number(&self, clock: u64, index: usize) -> u64 {
        clock << self.index_bits | index as u64
    }
    // ANCHOR_END: number

    #[cold]
    fn full(&self) -> SpawnError {
        let most = self.most;
        SpawnError::new(
            std::io::Error::from_raw_os_error(libc::EAGAIN),
            format!("all {most} tasks that the runtime may have are alive"),
            "raise it with `Builder::max_tasks`, or keep fewer tasks alive at a time",
        )
    }

    #[inline]
    fn take_right(&self, processor: &Processor<P>) -> bool {
        let own = processor.room.get();
        if own > 0 {
            processor.room.set(own - 1);
            return true;
        }
        for count in [self.share, 1] {
            if self.take_rights(count) {
                processor.room.set(count - 1);
                return true;
            }
        }
        false
    }

    fn take_rights(&self, count: usize) -> bool {
        // Relaxed, here and below: it is an account, and orders nothing.
        self.room
            .fetch_update(Relaxed, Relaxed, |room| room.checked_sub(count))
            .is_ok()
    }

    /// A task has ended on this processor.
    #[inline]
    pub(crate) fn forget(&self, processor: &Processor<P>, task: TaskRef) {
        task.end();
        processor.free.give_back(task);
        processor.counters.finished.add();
        let own = processor.room.get() + 1;
        if own >= 2 * self.share {
            processor.room.set(own - self.share);
            self.room.fetch_add(self.share, Relaxed);
        } else {
            processor.room.set(own);
        }
    }

    /// Queues a task that was found parked; what [`Home`] leads to.
    ///
    /// # Safety
    ///
    /// `scheduler` is one of this type, and alive.
    pub(crate) unsafe fn ready(scheduler: *const (), task: TaskRef, why: Why) {
        // SAFETY: the caller's promise.
        let this = unsafe { &*scheduler.cast::<Self>() };
        match this.processor_here(current::context()) {
            Some(processor) => {
                processor.counters.wakes.add();
                this.policy.ready(task, Some(processor), why);
            }
            None => this.home.visit(|| {
                this.foreign().wakes.add_shared();
                this.policy.ready(task, None, Why::Inject);
            }),
        }
    }

    fn timers(&self) -> MutexGuard<'_, Timers<TaskRef>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(after).unwrap_or(NEVER - 1)
    }

    // ANCHOR: timers
    /// Has the task unparked at `deadline`, if it is not taken back before.
    pub(crate) fn add_timer(&self, task: TaskRef, deadline: Instant) {
        let due = self.nanoseconds(deadline);
        let mut timers = self.timers();
        task.timer.set(timers.add(deadline, task));
        let tell = self.watch.sets(due);
        drop(timers);
        if tell {
            self.policy.wake_one(); // it sleeps until the one that was the earliest, or for ever
        }
    }

    /// Takes the task's timer back, if it has not fired.
    pub(crate) fn cancel_timer(&self, task: TaskRef) {
        let mut timers = self.timers();
        if task.timer.replace(0) != 0 {
            timers.cancel(is_current);
        }
    }

    /// When the next timer is due; none if there is none.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.instant(self.watch.earliest())
    }

    fn instant(&self, due: u64) -> Option<Instant> {
        (due != NEVER).then(|| self.start + Duration::from_nanos(due))
    }

    /// Unparks the tasks whose time has come. True if there was one.
    pub(crate) fn fire_timers(&self) -> bool {
        let Some(earliest) = self.earliest() else {
            return false;
        };
        let now = Instant::now();
        if earliest > now {
            return false;
        }
        let mut fired = Vec::new();
        let mut timers = self.timers();
        while let Some((number, task)) = timers.pop_due(now) {
            if task.timer.get() == number {
                task.timer.set(0);
                fired.push(task);
            } else {
                timers.was_cancelled();
            }
        }
        let next = timers.earliest(is_current);
        let next = next.map_or(NEVER, |next| self.nanoseconds(next));
        self.watch.set(next);
        drop(timers);
        fired.iter().for_each(|task| task.unpark_by_timer());
        !fired.is_empty()
    }
    // ANCHOR_END: timers

    /// Has all workers leave their loops.
    pub(crate) fn stop(&self) {
        // Release: pairs with the Acquire in `stopping`.
        self.stopping.store(true, Release);
        self.policy.wake_all();
    }

    #[inline]
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Acquire)
    }

    /// A run begins.
    pub(crate) fn open(&self) {
        self.stopping.store(false, Release);
        self.policy.open();
    }

    /// No task may be spawned from now on, or again.
    pub(crate) fn set_closing(&self, closing: bool) {
        // Release: pairs with the Acquire in `start`.
        self.closing.store(closing, Release);
    }

    /// A worker is about to sleep: true if no other is awake, and when it must get up by itself.
    pub(crate) fn falls_asleep(&self) -> (bool, Option<Instant>) {
        let asleep = self.watch.falls_asleep();
        (asleep.last, self.instant(asleep.until))
    }
}

fn is_current(number: u64, task: &&'static Task) -> bool {
    task.timer.get() == number
}

/// A task was spawned after the first one had returned.
fn ending() -> SpawnError {
    SpawnError::new(
        std::io::Error::from(std::io::ErrorKind::Interrupted),
        "the runtime is ending",
        "spawn tasks before the closure that was given to `run` returns",
    )
}
