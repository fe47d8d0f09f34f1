//! Who goes on: at each choice, the way that this run takes.

/// A task that could have the next turn.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) task: usize,
    pub(super) name: String,
    /// It stands before a step that others can see, and will take it.
    pub(super) at_point: bool,
    /// It is parked, and nobody has unparked it.
    pub(super) for_no_reason: bool,
}

/// The choices of one run.
#[derive(Debug)]
pub(super) struct Plan {
    kind: Kind,
    preemptions: usize,
    wake_ups: usize,
    preemptions_left: usize,
    wake_ups_left: usize,
}

#[derive(Debug)]
enum Kind {
    /// The way taken at each choice, and how many there were.
    Search {
        ways: Vec<(usize, usize)>,
        at: usize,
    },
    /// Names to be followed, and what was wrong with them.
    Follow {
        names: Vec<String>,
        at: usize,
        trouble: Option<String>,
    },
}

impl Plan {
    /// The first of all runs within these bounds.
    pub(super) fn first(preemptions: usize, wake_ups: usize) -> Plan {
        Plan::new(
            Kind::Search {
                ways: Vec::new(),
                at: 0,
            },
            preemptions,
            wake_ups,
        )
    }

    /// A run that was printed.
    pub(super) fn replay(ways: Vec<usize>, preemptions: usize, wake_ups: usize) -> Plan {
        let ways = ways.into_iter().map(|way| (way, usize::MAX)).collect();
        Plan::new(Kind::Search { ways, at: 0 }, preemptions, wake_ups)
    }

    /// A run along names.
    pub(super) fn follow(names: Vec<String>) -> Plan {
        let trouble = None;
        Plan::new(
            Kind::Follow {
                names,
                at: 0,
                trouble,
            },
            usize::MAX,
            0,
        )
    }

    fn new(kind: Kind, preemptions: usize, wake_ups: usize) -> Plan {
        Plan {
            kind,
            preemptions,
            wake_ups,
            preemptions_left: preemptions,
            wake_ups_left: wake_ups,
        }
    }

    /// True if a parked task may be woken for no reason.
    pub(super) fn may_wake(&self) -> bool {
        self.wake_ups_left > 0
    }

    /// Chooses. The candidates are not empty; if `preempts`, the first is the task that could simply go on.
    pub(super) fn choose(&mut self, candidates: &[Candidate], preempts: bool) -> usize {
        let count = if preempts && self.preemptions_left == 0 {
            1
        } else {
            candidates.len()
        };
        let way = match &mut self.kind {
            Kind::Search { ways, at } => {
                // A choice of one is none, and would only make the printed order longer.
                if count == 1 {
                    return 0;
                }
                if *at == ways.len() {
                    ways.push((0, count));
                }
                let way = ways[*at].0.min(count - 1);
                ways[*at] = (way, count);
                *at += 1;
                way
            }
            Kind::Follow { names, at, trouble } => match names.get(*at) {
                None => 0,
                Some(name) => match candidates
                    .iter()
                    .position(|candidate| candidate.name == *name)
                {
                    Some(way) => {
                        *at += usize::from(candidates[way].at_point);
                        way
                    }
                    None => {
                        let can: Vec<&str> = candidates
                            .iter()
                            .map(|candidate| candidate.name.as_str())
                            .collect();
                        trouble.get_or_insert_with(|| {
                            format!(
                                "entry {} of the schedule names `{name}`, which cannot move then; those who can: {}",
                                *at + 1,
                                can.join(", ")
                            )
                        });
                        *at = names.len();
                        0
                    }
                },
            },
        };
        if candidates[way].for_no_reason {
            self.wake_ups_left -= 1;
        } else if preempts && way > 0 {
            self.preemptions_left = self.preemptions_left.saturating_sub(1);
        }
        way
    }

    /// What was wrong with the names.
    pub(super) fn trouble(&self) -> Option<&str> {
        match &self.kind {
            Kind::Follow { trouble, .. } => trouble.as_deref(),
            Kind::Search { .. } => None,
        }
    }

    /// The run after this one; none if this was the last.
    pub(super) fn next(self) -> Option<Plan> {
        let Kind::Search { mut ways, .. } = self.kind else {
            return None;
        };
        while let Some((way, count)) = ways.pop() {
            if way + 1 < count {
                ways.push((way + 1, count));
                return Some(Plan::new(
                    Kind::Search { ways, at: 0 },
                    self.preemptions,
                    self.wake_ups,
                ));
            }
        }
        None
    }

    /// What to type to see this run again.
    pub(super) fn how_to_replay(&self) -> String {
        let Kind::Search { ways, .. } = &self.kind else {
            return String::new();
        };
        let ways: Vec<String> = ways.iter().map(|(way, _)| way.to_string()).collect();
        // The test harness names its threads after the tests, and cargo its files after the targets.
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("NAME_OF_THE_TEST").to_owned();
        let file = std::env::current_exe().unwrap_or_default();
        let target = file.file_stem().unwrap_or_default().to_string_lossy();
        let target = target
            .rsplit_once('-')
            .map_or(&*target, |(target, _hash)| target);
        format!(
            "To run this order alone: {VARIABLE}={}:{} cargo test -p exercises --test {target} {test}",
            self.preemptions,
            ways.join(".")
        )
    }
}

const VARIABLE: &str = "TURNS";

/// The order that the user wants to see again, if there is one: how many preemptions were allowed, and the ways taken.
pub(super) fn from_environment() -> Option<(usize, Vec<usize>)> {
    parse(&std::env::var(VARIABLE).ok()?)
}

fn parse(order: &str) -> Option<(usize, Vec<usize>)> {
    let (preemptions, ways) = order.split_once(':')?;
    let ways = ways.split('.').filter(|way| !way.is_empty());
    let ways: Result<Vec<usize>, _> = ways.map(str::parse).collect();
    Some((preemptions.parse().ok()?, ways.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(count: usize) -> Vec<Candidate> {
        let candidate = |task| Candidate {
            task,
            name: format!("task {task}"),
            at_point: true,
            for_no_reason: false,
        };
        (0..count).map(candidate).collect()
    }

    #[test]
    fn a_search_goes_through_all_ways_once() {
        let mut seen = Vec::new();
        let mut plan = Plan::first(9, 0);
        loop {
            let first = plan.choose(&candidates(2), true);
            let second = plan.choose(&candidates(2 + first), true);
            seen.push((first, second));
            match plan.next() {
                Some(next) => plan = next,
                None => break,
            }
        }
        assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn an_order_is_read_as_it_is_printed() {
        assert_eq!(parse("1:0.2.1"), Some((1, vec![0, 2, 1])));
        assert_eq!(parse("0:"), Some((0, vec![])));
        assert_eq!(parse("0.1"), None);
        assert_eq!(parse("1:x"), None);
    }

    #[test]
    fn without_preemptions_a_task_goes_on() {
        let mut plan = Plan::first(0, 0);
        assert_eq!(plan.choose(&candidates(3), true), 0);
        assert!(plan.next().is_none());
    }

    #[test]
    fn a_schedule_that_cannot_be_followed_is_refused() {
        let mut plan = Plan::follow(vec!["task 1".into(), "nobody".into()]);
        assert_eq!(plan.choose(&candidates(2), true), 1);
        assert_eq!(plan.trouble(), None);
        plan.choose(&candidates(2), true);
        assert!(
            plan.trouble()
                .unwrap()
                .contains("entry 2 of the schedule names `nobody`")
        );
    }
}
