//! What the table says about a workload besides its headline: the article's words, further metrics, notes.
//!
//! A workload that is not listed here has its headline alone.

/// What the table says about a workload besides its headline.
pub(crate) struct Extra {
    /// The workload's name.
    pub(crate) workload: &'static str,
    /// What the seed article says of threads in this respect.
    pub(crate) article: &'static str,
    /// What it says of goroutines.
    pub(crate) goroutines: &'static str,
    /// What stands behind the headline's unit.
    pub(crate) suffix: &'static str,
    /// Further metrics that belong into the cell.
    pub(crate) beside: &'static [Beside],
    /// Whether the headline means little without its note.
    pub(crate) note: bool,
}

/// A metric that stands in the cell of another, with the words around its value.
pub(crate) struct Beside {
    /// The metric's name.
    pub(crate) metric: &'static str,
    /// The words, with `{}` for the value.
    pub(crate) words: &'static str,
    /// The words where columns are narrow; empty if it is left out there.
    pub(crate) short: &'static str,
}

const fn beside(metric: &'static str, words: &'static str, short: &'static str) -> Beside {
    Beside {
        metric,
        words,
        short,
    }
}

/// One entry for each workload that has something.
pub(crate) const EXTRAS: &[Extra] = &[
    Extra {
        workload: "spawn_join",
        article: "slow to create",
        goroutines: "fast to create",
        ..NOTHING
    },
    Extra {
        workload: "memory",
        article: "large, fixed: 1–2 MB",
        goroutines: "about 2 KB, grows",
        beside: &[
            beside("page_tables_per_task", "+ {} of page tables", "+ {} tables"),
            beside("kernel_per_task", "+ {} in the kernel", "+ {} kernel"),
            beside("reserved_per_task", "({} reserved)", ""),
        ],
        ..NOTHING
    },
    Extra {
        workload: "switch",
        article: "slow, in the OS",
        goroutines: "very fast, in the process",
        ..NOTHING
    },
    Extra {
        workload: "alive",
        article: "a few thousand",
        goroutines: "hundreds of thousands",
        note: true,
        ..NOTHING
    },
    Extra {
        workload: "blocked",
        goroutines: "moved off the thread",
        suffix: " late",
        beside: &[beside("heartbeat_max_ms", "{} at worst", "")],
        ..NOTHING
    },
    Extra {
        workload: "web_server",
        article: "“impossible”",
        goroutines: "thousands at a time",
        beside: &[beside("p99_us", "99 of 100 within {}", "p99 {}")],
        ..NOTHING
    },
    Extra {
        workload: "pipeline",
        beside: &[beside(
            "speed_up",
            "{} a plain loop on one core",
            "{} a loop",
        )],
        ..NOTHING
    },
    Extra {
        workload: "fan_out",
        beside: &[beside("times_faster", "{} faster than one by one", "")],
        ..NOTHING
    },
];

/// What the table says about a workload besides its headline; nothing if it is not listed.
pub(crate) fn of(workload: &str) -> &'static Extra {
    let mut extras = EXTRAS.iter();
    extras
        .find(|extra| extra.workload == workload)
        .unwrap_or(&NOTHING)
}

/// Nothing but the headline.
pub(crate) static NOTHING: Extra = Extra {
    workload: "",
    article: "",
    goroutines: "",
    suffix: "",
    beside: &[],
    note: false,
};

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::*;

    #[test]
    fn what_stands_beside_a_headline_is_in_the_catalogue() {
        for extra in EXTRAS {
            let info = catalog::find(extra.workload);
            let info = info.unwrap_or_else(|| panic!("no workload is named {}", extra.workload));
            for beside in extra.beside {
                let metric = beside.metric;
                assert!(
                    info.metrics.iter().any(|known| known.name == metric),
                    "{metric}"
                );
                assert!(beside.words.contains("{}"), "{metric}");
                assert!(
                    beside.short.contains("{}") || beside.short.is_empty(),
                    "{metric}"
                );
            }
        }
    }
}
