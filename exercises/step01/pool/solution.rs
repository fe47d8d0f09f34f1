//! A pool: a fixed number of tasks that do the jobs of everybody else, with a queue of bounded length before them.
//!
//! A job's result, or its panic, comes back through a join handle, as if it had been spawned. A job that panics costs
//! nobody but whoever joins it. When the pool is dropped it takes no more jobs, does those that it has taken, and
//! returns when its workers have ended.

use std::panic::Location;

use step01::{Job, JoinHandle, Receiver, Runtime, Sender, bounded};

// ANCHOR: pool
/// The workers, and the way to them.
#[derive(Debug)]
pub struct Pool {
    // ANCHOR: cut_fields | // Jobs go to the workers by what, and what is needed to wait for the workers in the end?
    /// Taken away by `drop`: a channel whose senders are gone ends when it is empty.
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
    // ANCHOR_END: cut_fields
}

impl Pool {
    /// Starts `workers` tasks on `rt`, with room for `queue` jobs that wait for one of them.
    ///
    /// # Panics
    ///
    /// With `a pool needs a worker`, if `workers` is zero.
    pub fn new<R: Runtime>(rt: &R, workers: usize, queue: usize) -> Pool {
        // ANCHOR: cut_new | let _ = (rt, queue);
        // ANCHOR: cut_new | todo!("start {workers} workers")
        assert!(workers > 0, "a pool needs a worker");
        // The channel is the whole queue: bounded, first come first served, and closed by dropping its senders.
        let (jobs, waiting): (Sender<Job>, Receiver<Job>) = bounded(queue);
        let workers = (0..workers).map(|_| {
            let waiting = waiting.clone();
            rt.spawn(move || {
                // Ends when the senders are gone *and* the queue is empty: what was accepted is done.
                for job in waiting {
                    // `run` catches the job's panic and stores it for whoever joins. The worker lives on.
                    job.run();
                }
            })
        });
        Pool {
            workers: workers.collect(),
            jobs: Some(jobs),
        }
        // ANCHOR_END: cut_new
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
        // ANCHOR: cut_submit | let _: (Job, JoinHandle<T>) = Job::new(f, Location::caller());
        // ANCHOR: cut_submit | todo!("queue the job, and return its handle")
        let (job, handle) = Job::new(f, Location::caller());
        let jobs = self.jobs.as_ref().expect("only drop takes it away");
        // The workers hold the receiver until the sender is gone, so this cannot fail. If it ever did, the job would be
        // dropped, and whoever joins it would be told that it was cancelled.
        drop(jobs.send(job));
        handle
        // ANCHOR_END: cut_submit
    }
}

impl Drop for Pool {
    /// Parks until every job that was taken is done and every worker has ended.
    fn drop(&mut self) {
        // ANCHOR: cut_drop | // Close the queue, then wait for the workers.
        // First the sender, or the workers would wait for jobs for ever, and we for them.
        drop(self.jobs.take());
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its jobs and has none of its own.
            drop(worker.join());
        }
        // ANCHOR_END: cut_drop
    }
}
// ANCHOR_END: pool
