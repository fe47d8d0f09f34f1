//! A crowd of parked tasks, for the workloads that count them or weigh them.
//!
//! Every task says that it has arrived and then waits at a gate (a wait group), as a goroutine waits on a channel:
//! nothing but the park itself stands on its stack. They are started a thousand at a time, and the next thousand when
//! the last has arrived, so that what a runtime puts off (Go's runtimes and ours give a task its stack only when it
//! first runs) is due at once, and a refusal is seen when it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use step01::{JoinHandle, Runtime, WaitGroup};

use super::joined;

/// How many are started before the first of them must have arrived.
const ROUND: usize = 1_000;

/// How long nobody may arrive before the crowd is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Crowd<R: Runtime> {
    rt: R,
    shared: Arc<Shared>,
    /// Written in full before the first measurement, so that its own pages are not counted as the tasks'.
    handles: Vec<Option<JoinHandle<()>>>,
    size: usize,
}

struct Shared {
    gate: WaitGroup,
    /// A count and nothing else, so every access is relaxed.
    arrived: AtomicUsize,
}

/// Why no further task could be had: which limit was met.
pub(crate) struct Refused(pub(crate) String);

impl<R: Runtime> Crowd<R> {
    /// Nobody yet, and room for `room` tasks.
    pub(crate) fn with_room(rt: &R, room: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: WaitGroup::new(),
            arrived: AtomicUsize::new(0),
        });
        shared.gate.add(1);
        let mut handles = Vec::new();
        handles.resize_with(room, || None);
        Crowd {
            rt: rt.clone(),
            shared,
            handles,
            size: 0,
        }
    }

    /// How many tasks are alive and parked.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Adds a round of tasks, up to `room` in all, and waits until they are parked. `Ok(Some)` if one was refused.
    pub(crate) fn grow(&mut self) -> Result<Option<Refused>, String> {
        self.grow_to(usize::MAX)
    }

    /// The same, but no further than to `most` tasks in all.
    pub(crate) fn grow_to(&mut self, most: usize) -> Result<Option<Refused>, String> {
        let from = self.size;
        let to = self.handles.len().min(from + ROUND).min(most);
        let mut refused = None;
        for slot in &mut self.handles[from..to] {
            let shared = self.shared.clone();
            let spawned = self.rt.try_spawn(move || {
                shared.arrived.fetch_add(1, Relaxed);
                shared.gate.wait();
            });
            match spawned {
                Ok(handle) => *slot = Some(handle),
                Err(error) => {
                    refused = Some(Refused(error.limit().to_owned()));
                    break;
                }
            }
            self.size += 1;
        }
        Ok(self.wait_for_arrival(from)?.or(refused))
    }

    /// Waits until all have arrived. One that ends before the gate opens has found at its start that something is
    /// lacking: then it is let go, and the reason is returned.
    fn wait_for_arrival(&mut self, from: usize) -> Result<Option<Refused>, String> {
        let mut refused = None;
        let (mut seen, mut since) = (0, Instant::now());
        for turn in 1_u32.. {
            let arrived = self.shared.arrived.load(Relaxed);
            if arrived == self.size {
                break;
            }
            if arrived != seen {
                (seen, since) = (arrived, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(format!(
                    "of {} tasks only {arrived} have started",
                    self.size
                ));
            }
            if !turn.is_multiple_of(1_000) {
                self.rt.yield_now();
                continue;
            }
            self.rt.sleep(Duration::from_millis(1));
            let mut kept = from;
            for i in from..self.size {
                match self.handles[i].take() {
                    Some(handle) if handle.is_finished() => {
                        let reason = joined(handle).err();
                        let reason = reason.ok_or("a task passed the gate before it was opened")?;
                        refused = Some(Refused(reason));
                    }
                    other => {
                        self.handles[kept] = other;
                        kept += 1;
                    }
                }
            }
            self.size = kept;
        }
        Ok(refused)
    }

    /// Opens the gate and waits for the end of every task.
    pub(crate) fn disperse(self) -> Result<(), String> {
        self.shared.gate.done();
        for handle in self.handles.into_iter().flatten() {
            joined(handle)?;
        }
        Ok(())
    }
}
