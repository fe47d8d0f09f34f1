//! The numbers that appear in prose come from recordings, what is generated from those is current, and nobody types a
//! measured time.

use course::recorded as generate;

use crate::model::Book;

/// Which generated files are missing, or say something else than the recordings they were generated from.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let folder = book.src().join("recorded");
    let expected = match generate::files(&folder) {
        Ok(expected) => expected,
        Err(error) => return vec![format!("recorded: {error:#}")],
    };
    let mut problems = Vec::new();
    for (name, text) in &expected {
        match std::fs::read_to_string(folder.join(name)) {
            Err(_) => problems.push(format!(
                "recorded/{name} is missing: run `cargo course book --regenerate`"
            )),
            Ok(found) if &found != text => {
                problems.push(format!(
                    "recorded/{name} is not current: run `cargo course book --regenerate`"
                ));
            }
            Ok(_) => {}
        }
    }
    problems
}

/// Units of what only a measurement can know. Sizes are not among them: a stack of 2 MiB is a setting.
const MEASURED: &[&str] = &[
    "ns",
    "µs",
    "ms",
    "nanoseconds",
    "microseconds",
    "milliseconds",
    "req/s",
];

/// Times and rates that were typed into running text. A constant of some protocol can be said in words: a millisecond.
pub(crate) fn check_typed(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for page in &book.pages {
        let mut fenced = false;
        for line in page.raw.lines() {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            if fence || fenced {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
            let unit = |word: &str| {
                MEASURED.contains(&word.trim_matches(['.', ',', ';', ':', ')', '*', '"']))
            };
            for pair in words.windows(2) {
                let first = pair[0].trim_matches(['(', '*', '"', '~']);
                if number(first) && unit(pair[1]) {
                    let typed = pair.join(" ");
                    problems.push(format!(
                        "{}: a measured number typed by hand: {typed}",
                        page.path
                    ));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::sample::{Sample, assert_caught};
    use crate::workspace_root;

    /// A book with the real recording and what is generated from it.
    fn current() -> Sample {
        let folder = workspace_root().join("book/src/recorded");
        let mut sample = Sample::page("# Page\n");
        for name in generate::RECORDINGS {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            sample = sample.file(&format!("book/src/recorded/{name}"), &text);
        }
        // Once for all tests: what changed between two stages is found by parsing all of them.
        static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
        for (name, text) in FILES.get_or_init(|| generate::files(&folder).unwrap()) {
            sample = sample.file(&format!("book/src/recorded/{name}"), text);
        }
        sample
    }

    #[test]
    fn what_was_just_generated_is_clean() {
        assert_eq!(check(&current().book()), [""; 0]);
    }

    #[test]
    fn a_number_that_was_changed_by_hand_is_caught() {
        let sample = current().file("book/src/recorded/step01-numbers.md", "1 ns\n");
        assert_caught(&check(&sample.book()), "step01-numbers.md is not current");
    }

    #[test]
    fn a_recording_that_is_missing_or_unreadable_is_caught() {
        assert_caught(&check(&Sample::page("# Page\n").book()), "cannot read");
        let sample = current().file("book/src/recorded/run.json", "{}");
        assert_caught(
            &check(&sample.book()),
            "is not what `compare --json` writes",
        );
    }

    #[test]
    fn a_recording_of_another_form_or_without_a_number_is_caught() {
        let file = workspace_root().join("book/src/recorded/run.json");
        let text = std::fs::read_to_string(file).unwrap();
        let other = text.replace("course.compare/1", "course.compare/0");
        let sample = current().file("book/src/recorded/run.json", &other);
        assert_caught(&check(&sample.book()), "which this does not know");
        let less = text.replace("\"ns_per_switch\"", "\"something_else\"");
        let sample = current().file("book/src/recorded/run.json", &less);
        assert_caught(
            &check(&sample.book()),
            "no value of step01 for switch, ns_per_switch",
        );
        // Recorded without peers.
        let alone = text.replace("\"corosensei\"", "\"another\"");
        let sample = current().file("book/src/recorded/run.json", &alone);
        assert_caught(
            &check(&sample.book()),
            "no value of corosensei for raw_switch",
        );
    }

    #[test]
    fn a_typed_time_is_caught() {
        let clean = "After a millisecond, with 2 MiB of stack, in 3 steps.\n\n```text\n5 ns\n```\n";
        assert_eq!(check_typed(&Sample::page(clean).book()), [""; 0]);
        assert_caught(
            &check_typed(&Sample::page("It takes 59 µs.").book()),
            "59 µs",
        );
        assert_caught(
            &check_typed(&Sample::page("(1.3 ns, that is)").book()),
            "1.3 ns",
        );
        let included = "It takes {{#include recorded/n.md:a}} today.";
        let sample = Sample::page(included).file(
            "book/src/recorded/n.md",
            "<!-- ANCHOR: a -->\n5 ns\n<!-- ANCHOR_END: a -->\n",
        );
        assert_eq!(check_typed(&sample.book()), [""; 0]);
    }
}
