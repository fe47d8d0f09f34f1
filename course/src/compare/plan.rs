//! What is to be measured, how often, and about how long it takes.

use std::time::Duration;

use workloads::catalog::Info;

use super::peers::Peer;
use super::repetition::Scale;
use super::who::Who;
use crate::stages::Stage;

/// What to measure.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The columns.
    pub(crate) stages: Vec<&'static Stage>,
    /// The columns after those.
    pub(crate) peers: Vec<&'static Peer>,
    /// The rows.
    pub(crate) workloads: Vec<&'static Info>,
    /// How much of each.
    pub(crate) scale: Scale,
    /// How many workers, for workloads that take all.
    pub(crate) workers: usize,
    /// How many repetitions, if the user has said so.
    pub(crate) reps: Option<u32>,
    /// Whether instructions and cycles are counted.
    pub(crate) count: bool,
    /// After this long no further round begins for a row.
    pub(crate) budget: Option<Duration>,
    /// When to give up on a repetition, if the user has said so.
    pub(crate) timeout: Option<Duration>,
}

impl Plan {
    /// All columns: the stages, and after them the peers.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Who> {
        let stages = self.stages.iter().map(|stage| Who::Stage(stage));
        stages.chain(self.peers.iter().map(|peer| Who::Peer(peer)))
    }

    /// The columns in which a row has a cell.
    pub(crate) fn who(&self, info: &Info) -> impl Iterator<Item = Who> {
        self.columns().filter(|who| who.takes_part_in(info))
    }

    /// How often a row is to be repeated, if time allows.
    pub(crate) fn reps(&self, info: &Info) -> u32 {
        let usual = match self.scale {
            Scale::Test | Scale::Quick => info.default_reps.min(3),
            Scale::Default | Scale::Full => info.default_reps,
        };
        self.reps.unwrap_or(usual).max(1)
    }

    /// About how long one repetition of a row takes, before it has been seen.
    pub(crate) fn guess(&self, info: &Info) -> Duration {
        let scale = match self.scale {
            Scale::Test => 0.05,
            Scale::Quick => 0.3,
            Scale::Default => 1.0,
            Scale::Full => 3.0,
        };
        // Starting and ending the process comes on top.
        Duration::from_secs_f64(info.cost * scale + 0.01)
    }

    /// When to give up on one repetition of a row.
    pub(crate) fn timeout(&self, info: &Info) -> Duration {
        let usual = self.guess(info) * 20;
        self.timeout.unwrap_or(usual.max(Duration::from_secs(30)))
    }

    /// About how long all of it takes.
    pub(crate) fn estimate(&self) -> Duration {
        let once = |info: &&'static Info| {
            let rows = info.workers.numbers(self.workers).len() as u32;
            self.guess(info) * rows * self.who(info).count() as u32
        };
        let row = |info: &&'static Info| once(info) * self.reps(info);
        let all = self.workloads.iter().map(row).sum::<Duration>();
        let first_round = self.workloads.iter().map(once).sum::<Duration>();
        match self.budget {
            Some(budget) => all.min(budget.max(first_round)),
            None => all,
        }
    }
}
