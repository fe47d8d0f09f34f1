//! How a running task leaves its stack: the functions behind `park`, `yield_now` and a look-up of a name.
//!
//! All of them run on the task's stack, and end in one switch to the worker's. What the worker then does is in `worker.rs`.
//! A task that panics, or that its runtime is ending, must not leave its stack any more; see [`Worker::check`].

use std::thread;
use std::time::Instant;

use step01::ForcedUnwind;
use step01::park::Wait;

use crate::fatal::die;
use crate::task::{Call, Stop, TaskRef};
use crate::task_word::Park;
use crate::worker::{Worker, is_current};

/// How often a task that is being ended may catch that and park again.
const PATIENCE: u32 = 1_000;

impl Worker {
    #[inline]
    pub(crate) fn current(&self) -> TaskRef {
        match self.current.get() {
            Some(task) => task,
            None => {
                die(&["a function that parks a task was called on a worker, outside of its tasks"])
            }
        }
    }

    // ANCHOR: park
    /// Stops the running task; see `step01::park`.
    pub(crate) fn park(&self, wait: Wait, deadline: Option<Instant>) {
        let task = self.current();
        if thread::panicking() || task.caught.get().is_some() {
            self.check(task, "parked");
        }
        if task.word.try_park() == Park::Parked {
            task.wait.set(wait);
            if let Some(deadline) = deadline {
                let number = self.timers.borrow_mut().add(deadline, task);
                task.timer.set(number);
            }
            self.stop(task, Stop::Park);
            self.drop_timer(task);
        }
    }

    /// Lets the others run.
    #[inline]
    pub(crate) fn yield_now(&self) {
        let task = self.current();
        if thread::panicking() || task.caught.get().is_some() {
            if thread::panicking() && !self.panicking.get() {
                return; // std counts panics for the thread, so this task stays on it until its panic is over
            }
            self.check(task, "yielded");
        }
        self.stop(task, Stop::Yield);
    }

    /// Calls `f` on the thread's own stack, which is large, while the calling task waits.
    pub(crate) fn on_native_stack(&self, f: &mut dyn FnMut()) {
        let task = self.current();
        let ending = thread::panicking() || task.caught.get().is_some();
        if ending || task.suspender.get().is_null() {
            return f(); // this task does not leave its stack any more, or never had one
        }
        let f: *mut (dyn FnMut() + '_) = f;
        // SAFETY: only the lifetime changes. The worker calls it before this task goes on, and then forgets it.
        let f: *mut (dyn FnMut() + 'static) = unsafe { std::mem::transmute(f) };
        self.call.set(Some(Call(f)));
        self.stop(task, Stop::Call);
    }

    /// Calls what the task that has just stopped has left.
    pub(crate) fn call(&self) {
        if let Some(Call(f)) = self.call.take() {
            // SAFETY: it lies on the stack of that task, which stays where it is until the task goes on, after this.
            unsafe { (*f)() }
        }
    }

    /// Leaves the task's stack. Returns when it is its turn again.
    #[inline(always)]
    fn stop(&self, task: TaskRef, stop: Stop) {
        // SAFETY: the task is running, so its fiber has stored its suspender, which lies on its stack.
        match unsafe { task.suspender.get().as_ref() } {
            Some(suspender) => suspender.suspend(stop),
            None => die(&[
                "a task was dropped before it began, and a destructor of what it owns parked",
            ]),
        }
    }
    // ANCHOR_END: park

    /// What must not go on: a task that would leave its stack in the middle of a panic, or that was ended.
    #[cold]
    fn check(&self, task: TaskRef, verb: &str) {
        if thread::panicking() && !self.panicking.get() {
            let number = task.number.get().to_string();
            let site = task.site.get().map(ToString::to_string).unwrap_or_default();
            let why = match task.caught.get() {
                Some(_) => " in a destructor while it was ended by its runtime",
                None => " in a destructor that runs because of a panic",
            };
            die(&["task ", &number, ", spawned at ", &site, ", ", verb, why]);
        }
        if let Some(times) = task.caught.get() {
            // It caught the unwinding, as a loop around requests does that is to survive their panics. Once more, then.
            task.caught.set(Some(times + 1));
            if times >= PATIENCE {
                let site = task.site.get().map(ToString::to_string).unwrap_or_default();
                die(&[
                    "the task spawned at ",
                    &site,
                    " catches the unwinding with which its runtime ends it, again and again; \
                       it should pass on a payload of the type step01::ForcedUnwind",
                ]);
            }
            ForcedUnwind::throw();
        }
    }

    pub(crate) fn drop_timer(&self, task: TaskRef) {
        if task.timer.replace(0) != 0 {
            self.timers.borrow_mut().cancel(is_current);
        }
    }
}
