//! Random schedules for a policy, and what must be true of each of them, whatever the policy.
//!
//! A schedule is a list of acts: this task becomes ready, that processor asks. The policy is a real one and is driven by
//! hand ([`Drive`]), on one thread. So it says nothing about races, which are loom's affair; it says that nothing is lost
//! or doubled on the many ways that a task can take through queues that fill, overflow and are robbed.

use proptest::prelude::*;
use step03::drive::Drive;
use step03::{Policy, Why};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// So many tasks become ready, one after the other: new ones, or ones that were found before. By the processor of this
    /// index, or by a thread that is none.
    Ready {
        count: usize,
        from: Option<usize>,
        why: Why,
    },
    /// A processor asks for its next task, so many times.
    Next { on: usize, times: usize },
    /// A processor has found nothing, and looks further.
    Idle { on: usize },
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![
        Just(Why::Spawn),
        Just(Why::Unpark),
        Just(Why::Join),
        Just(Why::Yield),
        Just(Why::Timer),
    ]
}

/// A schedule for this number of processors. Now and then many tasks become ready at once: more than fit into a queue of
/// a few hundred.
pub(crate) fn schedule(processors: usize) -> impl Strategy<Value = Vec<Act>> {
    let count = prop_oneof![8 => 1..4usize, 2 => 4..40usize, 1 => 200..600usize];
    let times = prop_oneof![8 => 1..4usize, 2 => 4..80usize, 1 => 200..400usize];
    let act = prop_oneof![
        4 => (count.clone(), 0..processors, why())
            .prop_map(|(count, on, why)| Act::Ready { count, from: Some(on), why }),
        1 => count.prop_map(|count| Act::Ready { count, from: None, why: Why::Inject }),
        4 => (0..processors, times).prop_map(|(on, times)| Act::Next { on, times }),
        2 => (0..processors).prop_map(|on| Act::Idle { on }),
    ];
    proptest::collection::vec(act, 0..60)
}

/// A schedule under way: the policy, and the tasks that wait outside to be made ready again.
pub(crate) struct Schedule<P: Policy> {
    pub(crate) drive: Drive<P>,
    outside: Vec<usize>,
}

impl<P: Policy> Schedule<P> {
    pub(crate) fn new(processors: usize, policy: impl FnOnce(usize) -> P) -> Self {
        Schedule {
            drive: Drive::new(processors, policy),
            outside: Vec::new(),
        }
    }

    /// Does it; tells of each task that has become ready, and of each that was found.
    pub(crate) fn act(
        &mut self,
        act: &Act,
        mut ready: impl FnMut(usize),
        mut found: impl FnMut(Option<usize>),
    ) {
        match *act {
            Act::Ready { count, from, why } => {
                for _ in 0..count {
                    let task = self.outside.pop().unwrap_or_else(|| self.drive.add_task());
                    ready(task);
                    self.drive.ready(task, from, why);
                }
            }
            Act::Next { on, times } => {
                for _ in 0..times {
                    let next = self.drive.try_next(on);
                    self.outside.extend(next);
                    found(next);
                }
            }
            Act::Idle { on } => self.drive.idle(on),
        }
    }

    /// All processors ask in turn, as often as it takes. Every task is found, and then there is none left.
    pub(crate) fn drain(&mut self, mut found: impl FnMut(usize)) {
        let processors = self.drive.processors();
        let patience = 4 * (self.drive.waiting() + 64);
        for _ in 0..patience {
            if self.drive.waiting() == 0 {
                break;
            }
            for on in 0..processors {
                match self.drive.try_next(on) {
                    Some(task) => found(task),
                    None => self.drive.idle(on),
                }
            }
        }
        let lost = (0..self.drive.tasks()).filter(|task| self.drive.is_ready(*task));
        let lost: Vec<usize> = lost.collect();
        assert!(lost.is_empty(), "nobody finds the tasks {lost:?}");
        for on in 0..processors {
            self.drive.idle(on);
            assert_eq!(self.drive.try_next(on), None, "found twice");
        }
    }
}

/// Whatever the schedule, each task that is ready is found, and once: what every policy owes. That none is found twice, or
/// without having been ready, is what the driver itself insists on.
pub(crate) fn each_is_found_once<P: Policy>(
    processors: usize,
    policy: impl FnOnce(usize) -> P,
    acts: &[Act],
) {
    let mut schedule = Schedule::new(processors, policy);
    let (mut ready, mut found) = (0, 0);
    for act in acts {
        schedule.act(
            act,
            |_| ready += 1,
            |next| found += usize::from(next.is_some()),
        );
    }
    schedule.drain(|_| found += 1);
    assert_eq!(found, ready);
}
