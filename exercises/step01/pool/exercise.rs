//! A pool: a fixed number of tasks that do the jobs of everybody else, with a queue of bounded length before them.
//!
//! A job's result, or its panic, comes back through a join handle, as if it had been spawned. A job that panics costs
//! nobody but whoever joins it. When the pool is dropped it takes no more jobs, does those that it has taken, and
//! returns when its workers have ended.

use std::panic::Location;

use step01::{Job, JoinHandle, Receiver, Runtime, Sender, bounded};

/// The workers, and the way to them.
#[derive(Debug)]
pub struct Pool {
    // Jobs go to the workers by what, and what is needed to wait for the workers in the end?
}

impl Pool {
    /// Starts `workers` tasks on `rt`, with room for `queue` jobs that wait for one of them.
    ///
    /// # Panics
    ///
    /// With `a pool needs a worker`, if `workers` is zero.
    pub fn new<R: Runtime>(rt: &R, workers: usize, queue: usize) -> Pool {
        let _ = (rt, queue);
        todo!("start {workers} workers")
    }

    /// Puts a job into the queue. Parks while the queue is full: whoever makes work faster than it is done is slowed
    /// down, and memory stays bounded.
    ///
    /// `Job::new(f, Location::caller())` gives a job and its handle; `job.run()` calls `f` and tells the handle.
    #[track_caller]
    pub fn submit<T, F>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let _: (Job, JoinHandle<T>) = Job::new(f, Location::caller());
        todo!("queue the job, and return its handle")
    }
}

impl Drop for Pool {
    /// Parks until every job that was taken is done and every worker has ended.
    fn drop(&mut self) {
        // Close the queue, then wait for the workers.
    }
}
