//! The park race, taken through its worst moment on purpose.
//!
//! A task parks with a deadline. Before it leaves its stack it sets its timer, and since the other worker sleeps, the
//! policy is asked to wake it: in that call the task is still on its stack. The policy of this test does not return from
//! it before the woken worker has fired the timer. If the task counted as parked already, it would be queued now, while it
//! is on its stack. In the order that `worker.rs` keeps, the timer finds a task that runs, and leaves a token.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use step01::{Runtime, park};
use step03::{Policy, Processor, SharedQueue, TaskRef, Why};
use workloads::testing::Watchdog;

/// What the policy shows to the test.
#[derive(Default)]
struct Seen {
    asleep: AtomicUsize,
    /// Calls of `try_next`, by both workers.
    looks: AtomicUsize,
    /// A task is on its stack, in `wake_one`.
    on_its_stack: AtomicBool,
    /// Times that `wake_one` was called by a task.
    calls: AtomicUsize,
}

/// One queue, and a slow way to wake a worker.
struct Slow {
    seen: Arc<Seen>,
    /// The queue; nudges; closed.
    state: Mutex<(VecDeque<TaskRef>, usize, bool)>,
    wake: Condvar,
}

impl Policy for Slow {
    type Local = ();

    fn local(&self, _index: usize) {}

    fn ready(&self, task: TaskRef, _from: Option<&Processor<Self>>, why: Why) {
        if why == Why::Timer && self.seen.on_its_stack.load(SeqCst) {
            // At once, and past the test's harness: a moment later two threads would be on one stack.
            let _ = writeln!(io::stderr(), "a task was queued while it was on its stack");
            std::process::abort();
        }
        self.state.lock().unwrap().0.push_back(task);
        self.wake.notify_all();
    }

    fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
        self.seen.looks.fetch_add(1, SeqCst);
        if self.seen.on_its_stack.load(SeqCst) {
            return None; // nobody runs a task now, and a timer that is due is fired
        }
        self.state.lock().unwrap().0.pop_front()
    }

    fn idle(&self, _on: &Processor<Self>, _until: Option<Instant>) {
        let mut state = self.state.lock().unwrap();
        self.seen.asleep.fetch_add(1, SeqCst);
        while state.0.is_empty() && state.1 == 0 && !state.2 {
            state = self.wake.wait(state).unwrap();
        }
        state.1 = state.1.saturating_sub(1);
        self.seen.asleep.fetch_sub(1, SeqCst);
    }

    fn wake_one(&self) {
        self.seen.calls.fetch_add(1, SeqCst);
        self.seen.on_its_stack.store(true, SeqCst);
        let before = self.seen.looks.load(SeqCst);
        self.state.lock().unwrap().1 += 1;
        self.wake.notify_all();
        // The other worker returns from `idle`, looks, fires the timer that is due, and looks again.
        while self.seen.looks.load(SeqCst) < before + 2 {
            std::thread::yield_now();
        }
        self.seen.on_its_stack.store(false, SeqCst);
        self.wake.notify_all();
    }

    fn wake_all(&self) {
        self.state.lock().unwrap().2 = true;
        self.wake.notify_all();
    }

    fn open(&self) {
        let mut state = self.state.lock().unwrap();
        (state.1, state.2) = (0, false);
    }

    fn asleep(&self) -> usize {
        self.seen.asleep.load(SeqCst)
    }
}

#[test]
fn a_task_is_not_queued_while_it_is_on_its_stack() {
    let _watchdog = Watchdog::new("the park race");
    let seen = Arc::new(Seen::default());
    let rt = SharedQueue::builder().workers(2).max_tasks(64);
    let rt = rt
        .build_with("slow", |_| Slow {
            seen: seen.clone(),
            state: Mutex::default(),
            wake: Condvar::new(),
        })
        .unwrap();
    rt.run(|| {
        while seen.calls.load(SeqCst) < 20 {
            while seen.asleep.load(SeqCst) == 0 {
                std::thread::yield_now(); // until the other worker sleeps; this one is kept busy
            }
            park::park_until(Instant::now());
        }
    });
}
