//! What a report holds beside its numbers: what its rows are, what was guessed, and what has
//! changed since an earlier run. All of it is left out of files that are older than it, and reads as empty there.

use serde::{Deserialize, Serialize};
use workloads::catalog::{Group, Info};

use super::units;

/// A row: what a workload is, so that a page can be made of the file alone.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Described {
    /// The workload's name.
    pub(crate) name: String,
    /// What it is, for people.
    pub(crate) title: String,
    /// Where it belongs: `seed`, `program`, `scaling`, or anything else.
    pub(crate) group: String,
    /// What is timed, what is checked, and why it matters.
    pub(crate) explain: String,
}

impl Described {
    /// What the catalogue says of a workload.
    pub(crate) fn of(info: &Info) -> Described {
        let group = match info.group {
            Group::Seed => "seed",
            Group::Program => "program",
            Group::Scaling => "scaling",
            Group::Full => "full",
            Group::Part => "part",
        };
        Described {
            name: info.name.to_owned(),
            title: info.title.to_owned(),
            group: group.to_owned(),
            explain: info.explain.to_owned(),
        }
    }
}

/// A guess and what became of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Judged {
    /// When it was made.
    pub(crate) date: String,
    /// The workload beside which it belongs.
    pub(crate) workload: String,
    /// The stage that it is about.
    pub(crate) stage: String,
    /// The stage that it is compared with, if the question is about two.
    pub(crate) before: Option<String>,
    /// The question.
    pub(crate) question: String,
    /// The guess in words.
    pub(crate) guess: String,
    /// What was measured, in words.
    pub(crate) measured: Option<String>,
    /// `right`, `close`, `wrong` or `inconclusive`.
    pub(crate) verdict: String,
    /// The mechanism behind the answer.
    pub(crate) because: String,
}

/// What has changed since an earlier run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Baseline {
    /// The earlier run's date.
    pub(crate) date: String,
    /// The commit that it was made with.
    pub(crate) commit: Option<String>,
    /// What speaks against comparing the two.
    pub(crate) remarks: Vec<String>,
    /// How many figures both runs have.
    pub(crate) compared: usize,
    /// What got worse, the worst first.
    pub(crate) worse: Vec<Change>,
    /// What got better, the best first.
    pub(crate) better: Vec<Change>,
}

/// A figure that is no longer what it was.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Change {
    /// The stage's name.
    pub(crate) stage: String,
    /// The workload's name.
    pub(crate) workload: String,
    /// What the figure is.
    pub(crate) title: String,
    /// Its unit.
    pub(crate) unit: String,
    /// The median of the earlier run.
    pub(crate) before: f64,
    /// The median of this run.
    pub(crate) after: f64,
}

/// Along what a number of measurements was taken.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Along {
    /// What it is, for people: `tasks alive`.
    pub(crate) title: String,
    /// Its unit: `tasks`.
    pub(crate) unit: String,
}

impl Change {
    /// The change in words.
    pub(crate) fn words(&self) -> String {
        let [before, after] =
            [self.before, self.after].map(|value| units::quantity(value, &self.unit));
        let Change {
            stage,
            workload,
            title,
            ..
        } = self;
        format!("{stage}, {workload}, {title}: {before} became {after}")
    }
}
