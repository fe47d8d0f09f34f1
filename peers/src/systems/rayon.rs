//! rayon: fork and join on a pool of threads.

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use workloads::catalog::{self, ForkJoin, Outcome, Params};

pub(crate) fn join_fib(params: &Params) -> Result<Outcome, String> {
    measure("join_fib", params)
}

pub(crate) fn join_all(params: &Params) -> Result<Outcome, String> {
    measure("join_all", params)
}

pub(crate) fn join_sum(params: &Params) -> Result<Outcome, String> {
    measure("join_sum", params)
}

/// A pool of its own with as many threads as there are workers, as rayon's documentation has it; all that is measured runs
/// inside of it, as it does in a program that has installed it.
fn measure(workload: &str, params: &Params) -> Result<Outcome, String> {
    let settings = ThreadPoolBuilder::new().num_threads(params.workers);
    catalog::fork_join(workload, params, || {
        let pool = settings.build().map_err(|error| error.to_string())?;
        Ok(Pool(pool))
    })
}

struct Pool(ThreadPool);

impl ForkJoin for Pool {
    fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.0.install(f)
    }

    #[inline(always)]
    fn join<RA: Send, RB: Send>(
        &self,
        a: impl FnOnce() -> RA + Send,
        b: impl FnOnce() -> RB + Send,
    ) -> (RA, RB) {
        rayon::join(a, b)
    }

    /// Its parallel iterator halves a slice, too, and decides by itself how often, since it sees what is stolen. It is told
    /// not to make pieces smaller than the grain.
    fn map_reduce<T: Sync, R: Send>(
        &self,
        slice: &[T],
        grain: usize,
        map: impl Fn(&T) -> R + Send + Sync,
        reduce: impl Fn(R, R) -> R + Send + Sync,
    ) -> Option<R> {
        let items = slice.par_iter().with_min_len(grain);
        items.map(map).reduce_with(reduce)
    }
}
