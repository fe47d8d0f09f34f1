//! Stands in for `src/processor.rs`: what the shared queue asks of a processor is nothing.

use crate::policy::Policy;

/// A processor without anything.
pub struct Processor<P: Policy> {
    pub(crate) local: P::Local,
}

impl<P: Policy> Processor<P> {
    pub(crate) fn new(policy: &P) -> Self {
        Processor {
            local: policy.local(0),
        }
    }
}
