//! What `--predict` asks: shapes and ratios, never absolute times.
//!
//! A new question is one entry of [`QUESTIONS`]. It is asked of each stage, or of each stage and the one before it in
//! the book, whenever the workloads that it needs are about to be measured. So the list grows with the stages by
//! itself.

use super::super::results::Report;
use super::super::story;
use super::super::units;
use super::judge::{Choice, Interval};

/// What a question is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    /// Each stage.
    Stage,
    /// Each stage and the one before it.
    Pair,
}

/// One question.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its name in the file of guesses.
    pub(crate) name: &'static str,
    /// What it is asked about.
    pub(crate) about: About,
    /// The question itself.
    pub(crate) text: &'static str,
    /// The workloads without which there is no answer. A stage's sentence about the first is the explanation.
    pub(crate) workloads: &'static [&'static str],
    /// What can be answered.
    pub(crate) choices: &'static [Choice],
    /// Finds the answer in the results: of the stage and, for a pair, the stage before it.
    pub(crate) measured: fn(&Report, stage: &str, before: &str) -> Result<Interval, String>,
    /// A number on the question's scale, in words.
    pub(crate) say: fn(f64) -> String,
    /// What follows the number.
    pub(crate) unit: &'static str,
    /// The mechanism behind the answer, where the stage has no sentence of its own.
    pub(crate) mechanism: &'static str,
}

const fn choice(label: &'static str, from: f64) -> Choice {
    Choice { label, from }
}

/// All questions, in the order in which they are asked.
pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        name: "creation",
        about: About::Stage,
        text: "A task is started, does nothing, and is joined. How many function calls could have been made instead?",
        workloads: &["spawn_join"],
        choices: &[
            choice("fewer than a hundred", 0.0),
            choice("hundreds", 100.0),
            choice("thousands", 1_000.0),
            choice("tens of thousands", 10_000.0),
            choice("hundreds of thousands", 100_000.0),
        ],
        measured: |report, stage, _| {
            let task = headline(report, stage, "spawn_join")?;
            Ok(task.over(Interval::exactly(report.machine.function_call_ns)))
        },
        say: units::times,
        unit: " function calls",
        mechanism: "creating a task is memory to find and a queue to enter, and its end is another task to wake",
    },
    Question {
        name: "memory",
        about: About::Stage,
        text: "A task is parked. What part of the stack that is reserved for it is really in memory?",
        workloads: &["memory"],
        choices: &[
            choice("less than a thousandth", 0.0),
            choice("some thousandths", 0.001),
            choice("some hundredths", 0.01),
            choice("a tenth or more", 0.1),
        ],
        measured: |report, stage, _| {
            let part = |name| Interval::of(report.metric(stage, "memory", name));
            Ok(part("resident_per_task")?.over(part("reserved_per_task")?))
        },
        say: |part| format!("{:.2}", part * 100.0),
        unit: " % of it",
        mechanism: "addresses are promises, and a page of memory is found for them when it is first touched",
    },
    Question {
        name: "switch",
        about: About::Stage,
        text: "Two tasks on one core yield to each other. How many of the cheapest system calls would have taken as long \
               as one switch?",
        workloads: &["switch"],
        choices: &[
            choice("a tenth or less", 0.0),
            choice("about one", 0.316),
            choice("about 10", 3.16),
            choice("about 100 or more", 31.6),
        ],
        measured: |report, stage, _| {
            let switch = headline(report, stage, "switch")?;
            Ok(switch.over(Interval::exactly(report.machine.system_call_ns)))
        },
        say: units::times,
        unit: " system calls",
        mechanism: "a switch saves the registers of one task, chooses another, and restores that one's",
    },
    Question {
        name: "round_trip",
        about: About::Stage,
        text: "Two tasks hand a number back and forth over a channel, first on one core, then with all cores to choose \
               from. With all cores a round trip takes how long, compared with one?",
        workloads: &["ping_pong", "ping_pong_2"],
        choices: &[
            choice("half as long or less", 0.0),
            choice("about as long", 0.6),
            choice("two to four times as long", 1.6),
            choice("more than that", 4.0),
        ],
        measured: |report, stage, _| {
            let all = headline(report, stage, "ping_pong_2")?;
            Ok(all.over(headline(report, stage, "ping_pong")?))
        },
        say: units::times,
        unit: " times as long",
        mechanism: "the two never run at the same time, so a second core has nothing to give; but to wake it costs",
    },
    Question {
        name: "alive",
        about: About::Stage,
        text: "How many tasks can be alive at once?",
        workloads: &["alive"],
        choices: &[
            choice("thousands", 0.0),
            choice("tens of thousands", 10_000.0),
            choice("hundreds of thousands", 100_000.0),
            choice("a million or more", 1_000_000.0),
        ],
        measured: |report, stage, _| {
            let count = report.headline(stage, "alive");
            let mut tasks = Interval::of(count)?;
            if !count.is_some_and(story::ended_by_system) {
                tasks.high = f64::INFINITY;
            }
            Ok(tasks)
        },
        say: units::count,
        unit: " tasks",
        mechanism: "each task needs something that there is a limited number of",
    },
    Question {
        name: "blocked",
        about: About::Stage,
        text: "200 tasks sit in a system call of 10 ms each. How late is another task that wants to run every \
               millisecond, in the worst of a hundred cases?",
        workloads: &["blocked"],
        choices: &[
            choice("a small part of such a call", 0.0),
            choice("about one call", 0.316),
            choice("several calls", 3.16),
            choice("nearly all 200, one after the other", 31.6),
        ],
        measured: |report, stage, _| {
            Ok(headline(report, stage, "blocked")?.over(Interval::exactly(10.0)))
        },
        say: |calls| format!("{calls:.2}"),
        unit: " calls late",
        mechanism: "a task that blocks its thread stops whoever else would have run on it",
    },
    Question {
        name: "creation_gain",
        about: About::Pair,
        text: "How many times cheaper has it become to start a task and to join it?",
        workloads: &["spawn_join"],
        choices: &[
            choice("not cheaper, or hardly", 0.0),
            choice("about 3 times", 1.5),
            choice("about 10 times", 5.6),
            choice("about 100 times", 31.6),
            choice("about 1,000 times or more", 316.0),
        ],
        measured: |report, stage, before| {
            let old = headline(report, before, "spawn_join")?;
            Ok(old.over(headline(report, stage, "spawn_join")?))
        },
        say: units::times,
        unit: " times cheaper",
        mechanism: "what is left out of creating a task costs nothing: a system call, a stack of its own, a queue that \
                    others use too",
    },
];

fn headline(report: &Report, stage: &str, workload: &str) -> Result<Interval, String> {
    Interval::of(report.headline(stage, workload))
}

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::*;

    #[test]
    fn questions_are_well_formed() {
        for (i, question) in QUESTIONS.iter().enumerate() {
            let name = question.name;
            assert!(
                QUESTIONS[..i].iter().all(|other| other.name != name),
                "{name} is there twice"
            );
            assert!(question.text.ends_with('?'), "{name}");
            assert!(
                !question.mechanism.ends_with('.'),
                "{name}: a part of a sentence"
            );
            assert!(!question.workloads.is_empty(), "{name}");
            for workload in question.workloads {
                assert!(catalog::find(workload).is_some(), "{name} needs {workload}");
            }
            assert!((2..=8).contains(&question.choices.len()), "{name}");
            assert_eq!(question.choices[0].from, 0.0, "{name}");
            assert!(
                question.choices.is_sorted_by(|a, b| a.from < b.from),
                "{name}"
            );
        }
    }
}
