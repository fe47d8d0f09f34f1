//! How memory and time grow with the number of tasks.
//!
//! Measured: one crowd of parked tasks, weighed each time that it has grown to the next size: what the process has in
//! memory and its page tables, together, and how long it took until all of them were parked.
//! Checked: every counted task has run and is parked, and all of them end when they are told to.
//!
//! One crowd that grows, and not a crowd for each size: so all sizes cost no more than the largest. What is timed at a
//! size therefore has a pause for each weighing before it left out.

use std::time::{Duration, Instant};

use step01::Runtime;

use super::crowd::Crowd;
use super::{ms, thousands};
use crate::catalog::{
    Axis, Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted,
    curve, headline,
};
use crate::machine::{self, Footprint};

const TASKS: Axis = Axis {
    title: "tasks alive",
    unit: "tasks",
};

const METRICS: &[MetricInfo] = &[
    headline(
        "tasks",
        "the largest number reached",
        "tasks",
        Better::Higher,
    ),
    curve(
        "memory",
        "memory of all tasks, page tables included",
        "bytes",
        Better::Lower,
        TASKS,
    ),
    curve(
        "time",
        "from the first spawn until all are parked",
        "ms",
        Better::Lower,
        TASKS,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "scale_tasks",
    title: "More and more tasks",
    group: Group::Scaling,
    explain: "Tasks are started that park at once, until there are a hundred, three hundred, a thousand and so on, up to \
              a hundred thousand (with --full a million). At each of these sizes the process is weighed and the clock is \
              read. A straight line on the page, where both scales are logarithmic, means that each task costs as much \
              as the one before. A runtime that is refused another task is measured at the size that it has reached, \
              and the note says which limit it was.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 2,
    cost: 4.0,
};

/// A runtime that has not reached the last size after this time is stopped by us.
const PATIENCE: Duration = Duration::from_secs(8);

/// The sizes to weigh at, up to the largest: 100, 300, 1,000, 3,000 and so on.
fn sizes(largest: usize) -> Vec<usize> {
    let decades = std::iter::successors(Some(100), |decade| Some(decade * 10));
    let sizes = decades.flat_map(|decade| [decade, 3 * decade]);
    sizes.take_while(|size| *size <= largest).collect()
}

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let largest = params.size.pick(300, 10_000, 100_000, 1_000_000);
    let (available, whose) = machine::available_memory()?;
    rt.run(|| {
        // Whatever is set up at the first spawn is not the price of a task.
        let mut few = Crowd::with_room(rt, 16);
        few.grow()?;
        few.disperse()?;

        let mut crowd = Crowd::with_room(rt, largest);
        let before = Footprint::now()?;
        let mut spent = Duration::ZERO;
        let mut samples = Vec::new();
        let mut weigh = |tasks: usize, spent: Duration| -> Result<(), String> {
            let now = Footprint::now()?;
            let bytes = |footprint: Footprint| footprint.resident + footprint.page_tables;
            let grown = bytes(now).saturating_sub(bytes(before));
            samples.push(Sample::placed(&METRICS[1], tasks as f64, grown as f64));
            samples.push(Sample::placed(&METRICS[2], tasks as f64, ms(spent)));
            Ok(())
        };
        let mut stopped = None;
        let mut weighed = 0;
        for size in sizes(largest) {
            let start = Instant::now();
            while crowd.size() < size && stopped.is_none() {
                if let Some(refused) = crowd.grow_to(size)? {
                    stopped = Some(format!("stopped by the system: {}", refused.0));
                } else if spent + start.elapsed() > PATIENCE {
                    stopped = Some(format!("stopped after {} s", PATIENCE.as_secs()));
                } else if machine::available_memory()?.0 < available / 2 {
                    stopped = Some(format!("stopped when half of {whose} was used"));
                }
            }
            spent += start.elapsed();
            // One that ends right behind a size says nothing that the size has not said.
            let news = crowd.size() as f64 > 1.05 * weighed as f64;
            if news {
                weigh(crowd.size(), spent)?;
                weighed = crowd.size();
            }
            if stopped.is_some() {
                break;
            }
        }
        let tasks = crowd.size();
        crowd.disperse()?;
        if tasks == 0 {
            return Err("not one task could be started".to_owned());
        }
        let mut reached = Sample::new(&METRICS[0], tasks as f64);
        reached.note = match stopped {
            Some(why) => Some(why),
            None => Some(format!(
                "{} tasks, all that were asked for",
                thousands(tasks)
            )),
        };
        samples.insert(0, reached);
        Ok(Outcome::Measured(samples))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_end_with_the_largest() {
        assert_eq!(sizes(300), [100, 300]);
        assert_eq!(sizes(10_000), [100, 300, 1_000, 3_000, 10_000]);
        assert_eq!(sizes(100_000).len(), 7);
    }
}
