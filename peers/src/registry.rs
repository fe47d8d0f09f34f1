//! All peers: what they are called, and how each runs the workloads that it can run.
//!
//! A peer does not keep the contract of `step01::Runtime`; if it did, it would be a stage. So it is not handed to the
//! generic workloads. Each workload that it can run is a function of its own that does the same work and the same checks
//! in the idiom of that peer, and reports under the same name and the same metrics.

use workloads::catalog::{Outcome, Params};

use crate::systems::{corosensei, rayon};

/// One repetition of a workload: the numbers, or what went wrong in words.
pub(crate) type Run = fn(&Params) -> Result<Outcome, String>;

/// Something that others have made.
pub(crate) struct Peer {
    /// The name on the command line and in the JSON file.
    pub(crate) name: &'static str,
    /// What it is, in a few words: the head of its column.
    pub(crate) title: &'static str,
    /// What it is, in a sentence.
    pub(crate) summary: &'static str,
    /// Who manages its tasks.
    pub(crate) management: &'static str,
    /// The version that this program was built with.
    pub(crate) version: &'static str,
    /// The workloads that it can run, by their names in the catalogue.
    pub(crate) workloads: &'static [(&'static str, Run)],
}

impl Peer {
    /// What runs this workload, if it can.
    pub(crate) fn run(&self, workload: &str) -> Option<Run> {
        let entry = self.workloads.iter().find(|(name, _)| *name == workload);
        entry.map(|(_, run)| *run)
    }
}

/// All of them, in the order of their columns.
pub(crate) fn all() -> &'static [Peer] {
    ALL
}

/// The peer of this name.
pub(crate) fn find(name: &str) -> Option<&'static Peer> {
    ALL.iter().find(|peer| peer.name == name)
}

static ALL: &[Peer] = &[
    Peer {
        name: "corosensei",
        title: "a crate of coroutines",
        summary: "Stackful coroutines as a library, with no scheduler around them.",
        management: "nobody: it has no scheduler",
        version: env!("PEER_COROSENSEI"),
        workloads: &[("raw_switch", corosensei::raw_switch)],
    },
    Peer {
        name: "rayon",
        title: "a crate of fork and join",
        summary: "Computations that split themselves, on a pool of threads that steal from each other.",
        management: "a pool, a deque per thread",
        version: env!("PEER_RAYON"),
        workloads: &[
            ("join_fib", rayon::join_fib),
            ("join_all", rayon::join_all),
            ("join_sum", rayon::join_sum),
        ],
    },
];

#[cfg(test)]
mod tests {
    use workloads::catalog::{self, Size};
    use workloads::side::Side;

    use super::*;

    #[test]
    fn names_are_unique_and_versions_are_known() {
        for (i, peer) in all().iter().enumerate() {
            assert!(all()[..i].iter().all(|other| other.name != peer.name));
            assert!(
                peer.title.chars().count() <= 30,
                "a column's head: {}",
                peer.title
            );
            let digit = |c: char| c.is_ascii_digit();
            assert!(
                peer.version.starts_with(digit),
                "{} {}",
                peer.name,
                peer.version
            );
        }
    }

    /// The metrics are those of the catalogue, or the peer could not stand beside the stages.
    #[test]
    fn every_peer_runs_what_it_says_it_can() {
        let params = Params {
            size: Size::Test,
            workers: 1,
            side: Side::Threads,
        };
        for peer in all() {
            for (workload, run) in peer.workloads {
                let info = catalog::find(workload).expect("a workload of the catalogue");
                let samples = match run(&params) {
                    Ok(Outcome::Measured(samples)) => samples,
                    other => panic!("{}, {workload}: {other:?}", peer.name),
                };
                assert_eq!(samples[0].metric, info.headline().name, "{}", peer.name);
                for sample in samples {
                    let metric = info
                        .metric(&sample.metric)
                        .expect("a metric of the catalogue");
                    assert_eq!(metric.unit, sample.unit, "{} {workload}", peer.name);
                    assert!(sample.value.is_finite() && sample.value > 0.0, "{sample:?}");
                }
            }
        }
    }
}
