//! The exercises of a chapter: kinds, minutes, answers in folds with criteria to grade by, and what the manifest says.

use crate::chapters::chapters;
use crate::markdown::{HtmlTag, tags};
use crate::minutes::number_before;
use crate::model::{Book, Page};

/// Which exercises lack something, are missing, or differ from `exercises/exercises.toml`.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for chapter in chapters(book) {
        let title = &chapter.entry.title;
        problems.extend(exercise_problems(title, &chapter.pages));
        problems.extend(manifest_problems(book, title, &chapter.pages));
    }
    problems
}

/// Every exercise of the manifest stands in its step's chapter, with the kind, the minutes and the title that it has there.
fn manifest_problems(book: &Book, title: &str, pages: &[&Page]) -> Vec<String> {
    let text =
        std::fs::read_to_string(book.root.join("exercises/exercises.toml")).unwrap_or_default();
    let manifest: toml::Table = text.parse().unwrap();
    let none = Vec::new();
    let all = manifest
        .get("exercise")
        .and_then(toml::Value::as_array)
        .unwrap_or(&none);
    let mut problems = Vec::new();
    for exercise in all {
        let field = |name: &str| {
            exercise
                .get(name)
                .and_then(toml::Value::as_str)
                .unwrap_or_default()
        };
        let number = |name: &str| {
            exercise
                .get(name)
                .and_then(toml::Value::as_integer)
                .unwrap_or_default()
        };
        let (name, minutes) = (field("name"), number("minutes"));
        if !title.starts_with(&format!("Step {}:", number("step"))) {
            continue;
        }
        let kind = match field("kind") {
            "build" => "Build",
            "find-the-bug" => "Find the bug",
            _ => "Compare",
        };
        let says = format!("{kind}, {minutes} min");
        let is_it = |tag: &HtmlTag<'_>| tag.attribute("data-exercise") == Some(name);
        let found = pages
            .iter()
            .find_map(|page| tags(&page.doc.html).find(is_it));
        let found = found.and_then(|tag| tag.content().map(str::to_string));
        if found.as_ref() != Some(&says) {
            problems.push(format!(
                "{title}: the exercise {name} is {says:?} in exercises.toml, the book has {found:?}"
            ));
        }
        if !pages.iter().any(|page| {
            page.doc
                .headings
                .iter()
                .any(|heading| heading.text == field("title"))
        }) {
            problems.push(format!(
                "{title}: no heading is the title of the exercise {name}, {:?}",
                field("title")
            ));
        }
    }
    problems
}

/// An exercise is a heading of level 2 below "Exercises"; it has its kind and minutes, a fold, and criteria in it.
fn exercise_problems(title: &str, pages: &[&Page]) -> Vec<String> {
    let is_part = |page: &&&Page| {
        page.doc
            .headings
            .iter()
            .any(|h| h.text == "Exercises" && h.level == 1)
    };
    let Some(page) = pages.iter().find(is_part) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let (mut kinds, mut minutes) = (Vec::new(), Vec::new());
    let headings: Vec<_> = page.doc.headings.iter().filter(|h| h.level <= 2).collect();
    for (i, heading) in headings.iter().enumerate() {
        if heading.level != 2 {
            continue;
        }
        let end = headings
            .get(i + 1)
            .map_or(page.doc.html.len(), |next| next.html_before);
        let html = &page.doc.html[heading.html_before..end];
        let name = &heading.text;
        let kind = tags(html)
            .find(|tag| tag.name == "p" && tag.attribute("class") == Some("kind"))
            .and_then(|tag| tag.content());
        match kind {
            Some(kind) if number_before(kind, "min").is_some() => {
                minutes.extend(number_before(kind, "min"));
                kinds.push(
                    kind.split(',')
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_string(),
                );
            }
            _ => problems.push(format!(
                "{title}: the exercise {name:?} does not say its kind and minutes"
            )),
        }
        if !html.contains("<details") || !html.contains("class=\"criteria\"") {
            problems.push(format!(
                "{title}: the exercise {name:?} has no answer in a fold, or no criteria"
            ));
        }
    }
    let sum: u32 = minutes.iter().sum();
    let paragraph =
        |tag: &HtmlTag<'_>| tag.name == "p" && tag.attribute("class") == Some("minutes");
    let said = tags(&page.doc.html)
        .find(paragraph)
        .and_then(|tag| tag.content());
    if said.and_then(|said| number_before(said, "min doing")) != Some(sum) {
        problems.push(format!(
            "{}: the exercises take {sum} min, the page says {said:?}",
            page.path
        ));
    }
    for (kind, least) in [("Compare", 2), ("Build", 2), ("Find the bug", 1)] {
        let count = kinds.iter().filter(|k| k.as_str() == kind).count();
        if count < least {
            problems.push(format!(
                "{title}: {count} exercise(s) of the kind {kind:?}, at least {least} are due"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught, complete_book, complete_chapter};

    #[test]
    fn an_exercise_without_minutes_answer_or_criteria_is_caught() {
        let (chapter, exercises, introduction) = complete_chapter();
        let no_minutes = exercises.replacen("Build, 4 min", "Build", 1);
        let problems = check(&complete_book(&chapter, &no_minutes, &introduction));
        assert!(
            problems[0].contains("\"E2\" does not say its kind and minutes"),
            "{problems:?}"
        );
        let no_fold = exercises.replacen("<details>", "", 1);
        assert_caught(
            &check(&complete_book(&chapter, &no_fold, &introduction)),
            "\"E0\" has no answer in a fold",
        );
        let no_criteria = exercises.replacen("class=\"criteria\"", "", 1);
        assert_caught(
            &check(&complete_book(&chapter, &no_criteria, &introduction)),
            "no criteria",
        );
    }

    #[test]
    fn an_exercise_that_differs_from_the_manifest_is_caught() {
        let page = |says: &str| {
            let page = format!(
                "# Step 1: x\n\n## Knot\n\n<p class=\"kind\" data-exercise=\"knot\">{says}</p>\n"
            );
            let manifest = "[[exercise]]\nname = \"knot\"\nstep = 1\nkind = \"build\"\nminutes = 30\ntitle = \"Knot\"\n";
            let summary = "# Summary\n\n- [Step 1: x](page.md)\n";
            let sample = Sample::page(&page).file("exercises/exercises.toml", manifest);
            let sample = sample.file("book/src/SUMMARY.md", summary);
            let book = sample.book();
            let pages: Vec<&Page> = book.pages.iter().collect();
            manifest_problems(&book, "Step 1: x", &pages)
        };
        assert_eq!(page("Build, 30 min"), [""; 0]);
        assert_caught(
            &page("Build, 20 min"),
            "\"Build, 30 min\" in exercises.toml",
        );
        assert_caught(&page("Find the bug, 30 min"), "in exercises.toml");
    }

    #[test]
    fn too_few_exercises_of_a_kind_are_caught() {
        let (chapter, exercises, introduction) = complete_chapter();
        let fewer = exercises.replacen("Build, 4 min", "Compare, 4 min", 1);
        assert_caught(
            &check(&complete_book(&chapter, &fewer, &introduction)),
            "1 exercise(s) of the kind \"Build\"",
        );
    }
}
