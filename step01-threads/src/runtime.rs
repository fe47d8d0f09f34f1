//! The contract: what every stage is, as one trait.
//!
//! The conformance suite, the measured workloads and the example programs are generic over [`Runtime`] and use nothing
//! else, so they run unchanged on one thread per task and on a work-stealing scheduler, and what differs between two
//! columns of the table is the runtime alone.

use std::panic::Location;
use std::time::Duration;

use crate::join::{Job, JoinHandle};
use crate::net::Net;
pub use crate::spawn_error::SpawnError;

// ANCHOR: runtime
/// A runtime: something that runs tasks.
///
/// A value of this type is a handle. Clones are cheap and mean the same runtime.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// The sockets that suit this runtime's tasks.
    type Net: Net;

    /// The stage's package name, such as `"step01"`.
    fn name(&self) -> &'static str;

    /// Runs `main` as the first task and returns what it returns.
    ///
    /// It waits for `main` alone, as Go does. Tasks that are still there then are the stage's to deal with: an OS
    /// thread runs on, a stage with stacks of its own may end a parked task. Join what matters, or use a
    /// [`scope`](crate::scope()). A panic of `main` comes out of `run`.
    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send;

    /// Starts a job as a task of its own. What the other ways to spawn are made of.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], if no further task can be had. The job is dropped then, so that whoever joins it learns that it
    /// was cancelled.
    fn start(&self, job: Job) -> Result<(), SpawnError>;

    /// Gives other tasks a turn; returns when it is this one's again.
    fn yield_now(&self);

    /// Parks the calling task for at least `duration`. Other tasks run meanwhile.
    fn sleep(&self, duration: Duration);

    /// Calls `f`, which may block the thread that it runs on, in a system call say.
    ///
    /// What the other tasks do meanwhile is what the stages differ in; `f` is called in the calling task in any case.
    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T;

    /// The sockets that suit this runtime's tasks.
    fn net(&self) -> &Self::Net;

    /// Starts a task that calls `f`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] names the limit that was met, and what raises it.
    #[track_caller]
    fn try_spawn<T, F>(&self, f: F) -> Result<JoinHandle<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, handle) = Job::new(f, Location::caller());
        self.start(job)?;
        Ok(handle)
    }

    /// [`Runtime::try_spawn`] for callers that have no better answer than to find out when they join: a task that could
    /// not be started ends with [`JoinError::NotStarted`](crate::JoinError::NotStarted).
    #[track_caller]
    fn spawn<T, F>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.try_spawn(f).unwrap_or_else(JoinHandle::not_started)
    }
}
// ANCHOR_END: runtime
