//! The shape of the book: the parts of a chapter, its minutes, and a table of contents that promises nothing.

use crate::markdown::{Document, HtmlTag, tags};
use crate::model::{Book, Entry, Page};

/// What every chapter of a step has, in this order, each as the text of one heading.
const PARTS: &[&str] = &[
    "The question",
    "Predict",
    "Build",
    "Run it",
    "Measure it",
    "Prove it",
    "Break it",
    "How Go does it",
    "Exercises",
    "Recap",
];

/// A chapter of a step: its first page, and those below it in the table of contents.
struct Chapter<'a> {
    entry: &'a Entry,
    pages: Vec<&'a Page>,
}

fn chapters(book: &Book) -> Vec<Chapter<'_>> {
    let mut chapters: Vec<Chapter<'_>> = Vec::new();
    let mut open = false;
    for entry in &book.entries {
        if entry.depth == 0 {
            open = entry.path.is_some() && entry.title.starts_with("Step ");
            if open {
                let pages = Vec::new();
                chapters.push(Chapter { entry, pages });
            }
        }
        if open && let Some(chapter) = chapters.last_mut() {
            let page = entry.path.as_ref().and_then(|path| book.page(path));
            chapter.pages.extend(page);
        }
    }
    chapters
}

/// Which chapters lack a part, or have it twice or out of order; and which exercises lack their answer.
pub(crate) fn check_parts(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for chapter in chapters(book) {
        let title = &chapter.entry.title;
        let headings = chapter.pages.iter().flat_map(|page| &page.doc.headings);
        let found: Vec<&str> = headings
            .filter(|heading| heading.level <= 2)
            .map(|heading| heading.text.as_str())
            .filter(|text| PARTS.contains(text))
            .collect();
        for part in PARTS {
            match found.iter().filter(|text| text == &part).count() {
                0 => problems.push(format!("{title}: there is no part {part:?}")),
                1 => {}
                n => problems.push(format!("{title}: there are {n} parts {part:?}")),
            }
        }
        let mut sorted = found.clone();
        sorted.sort_by_key(|part| PARTS.iter().position(|known| known == part));
        if sorted != found {
            problems.push(format!("{title}: the parts are out of order: {found:?}"));
        }
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
    let mut kinds = Vec::new();
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Minutes {
    reading: u32,
    doing: u32,
}

/// Whether each page of a chapter says its minutes, each chapter their sum, and the introduction all of them.
pub(crate) fn check_minutes(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    if let Some(page) = book.page("introduction.md") {
        match stated(&page.doc, "minutes") {
            Some(minutes) => rows.push((page.path.clone(), minutes)),
            None => problems.push(format!("{}: it does not say its minutes", page.path)),
        }
    }
    for chapter in chapters(book) {
        let mut sum = Minutes {
            reading: 0,
            doing: 0,
        };
        for page in &chapter.pages {
            match stated(&page.doc, "minutes") {
                Some(minutes) => {
                    sum.reading += minutes.reading;
                    sum.doing += minutes.doing;
                }
                None => problems.push(format!("{}: it does not say its minutes", page.path)),
            }
        }
        let Some(first) = chapter.pages.first() else {
            continue;
        };
        let said = stated(&first.doc, "minutes chapter");
        if said != Some(sum) {
            problems.push(format!(
                "{}: the chapter's pages add up to {sum:?}, it says {said:?}",
                first.path
            ));
        }
        rows.push((first.path.clone(), sum));
    }
    if let Some(introduction) = book.page("introduction.md") {
        problems.extend(table_problems(introduction, &rows));
    }
    problems
}

/// The introduction's table: a row for each chapter, linked, with its minutes; the last row is the sum.
fn table_problems(introduction: &Page, rows: &[(String, Minutes)]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut sum = Minutes {
        reading: 0,
        doing: 0,
    };
    let read = |row: &[crate::markdown::Cell]| {
        let number = |i: usize| row.get(i).and_then(|cell| cell.text.trim().parse().ok());
        Some(Minutes {
            reading: number(1)?,
            doing: number(2)?,
        })
    };
    for (path, minutes) in rows {
        sum.reading += minutes.reading;
        sum.doing += minutes.doing;
        let mut rows = introduction.doc.rows.iter().filter(|row| {
            let link = row.first().and_then(|cell| cell.link.as_ref());
            link.is_some_and(|link| &introduction.resolve(link) == path)
        });
        let said = rows.find_map(|row| read(row));
        if said != Some(*minutes) {
            problems.push(format!(
                "introduction.md: {path} takes {minutes:?}, the table says {said:?}"
            ));
        }
    }
    let total = introduction.doc.rows.iter().find(|row| {
        row.first()
            .is_some_and(|cell| cell.text.starts_with("Total"))
    });
    let said = total.and_then(|row| read(row));
    if said != Some(sum) {
        problems.push(format!(
            "introduction.md: the rows add up to {sum:?}, the table says {said:?}"
        ));
    }
    problems
}

/// What a page says in its `<p class="…">`: "4 min reading, 10 min doing".
fn stated(doc: &Document, class: &str) -> Option<Minutes> {
    let paragraph =
        tags(&doc.html).find(|tag| tag.name == "p" && tag.attribute("class") == Some(class))?;
    let text = paragraph.content()?;
    Some(Minutes {
        reading: number_before(text, "min reading")?,
        doing: number_before(text, "min doing").unwrap_or(0),
    })
}

fn number_before(text: &str, unit: &str) -> Option<u32> {
    let before = text.split_once(unit)?.0.trim_end();
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Whether what is coming is marked so, and what is there is not.
pub(crate) fn check_contents(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for entry in &book.entries {
        let title = &entry.title;
        let coming = title.ends_with("(coming)");
        match &entry.path {
            None if !coming => problems.push(format!(
                "SUMMARY.md: {title:?} has no page and is not marked (coming)"
            )),
            Some(_) if coming => problems.push(format!(
                "SUMMARY.md: {title:?} is marked (coming) and has a page"
            )),
            _ => {}
        }
        if entry.depth > 1 {
            problems.push(format!("SUMMARY.md: {title:?} is too deep in the lists"));
        }
        let page = entry.path.as_ref().and_then(|path| book.page(path));
        let first = page.map(|page| page.doc.headings.first());
        if let Some(first) = first
            && first.is_none_or(|heading| heading.level != 1 || &heading.text != title)
        {
            let said = first.map(|heading| &heading.text);
            problems.push(format!(
                "SUMMARY.md: {title:?} is the page that calls itself {said:?}"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught};

    /// A chapter with everything, on one page and one for the exercises, and an introduction with its table.
    fn complete() -> (String, String, String) {
        let mut chapter = String::from(
            "# Step 1: x\n\n<p class=\"minutes\">3 min reading, 4 min doing</p>\n\n\
             <p class=\"minutes chapter\">8 min reading, 24 min doing</p>\n\n",
        );
        for part in PARTS
            .iter()
            .filter(|part| **part != "Exercises" && **part != "Recap")
        {
            chapter.push_str(&format!("## {part}\n\nText.\n\n"));
        }
        let mut exercises =
            String::from("# Exercises\n\n<p class=\"minutes\">5 min reading, 20 min doing</p>\n\n");
        for (i, kind) in ["Compare", "Compare", "Build", "Build", "Find the bug"]
            .iter()
            .enumerate()
        {
            exercises.push_str(&format!(
                "## E{i}\n\n<p class=\"kind\">{kind}, 4 min</p>\n\n\
                 <details>\n<summary>Answer</summary>\n<div class=\"criteria\">C</div>\n</details>\n\n"
            ));
        }
        exercises.push_str("# Recap\n\nText.\n");
        let introduction = "# Introduction\n\n<p class=\"minutes\">2 min reading</p>\n\n| | r | d |\n|--|--|--|\n\
                            | [I](introduction.md) | 2 | 0 |\n| [S](one.md) | 8 | 24 |\n| Total | 10 | 24 |\n";
        (chapter, exercises, introduction.to_string())
    }

    fn book(chapter: &str, exercises: &str, introduction: &str) -> Book {
        let summary = "# Summary\n\n[Introduction](introduction.md)\n\n- [Step 1: x](one.md)\n  - [Exercises](e.md)\n\
                       - [Step 2: y (coming)]()\n";
        Sample::empty()
            .file("book/src/SUMMARY.md", summary)
            .file("book/src/one.md", chapter)
            .file("book/src/e.md", exercises)
            .file("book/src/introduction.md", introduction)
            .book()
    }

    #[test]
    fn a_complete_chapter_is_clean() {
        let (chapter, exercises, introduction) = complete();
        let book = book(&chapter, &exercises, &introduction);
        assert_eq!(check_parts(&book), [""; 0]);
        assert_eq!(check_minutes(&book), [""; 0]);
        assert_eq!(check_contents(&book), [""; 0]);
    }

    #[test]
    fn a_missing_part_is_caught() {
        let (chapter, exercises, introduction) = complete();
        for part in PARTS.iter().filter(|part| **part != "Exercises") {
            let without = |text: &str| text.replace(&format!("# {part}\n"), "# Something\n");
            let book = book(&without(&chapter), &without(&exercises), &introduction);
            assert!(
                check_parts(&book).contains(&format!("Step 1: x: there is no part {part:?}")),
                "{part}"
            );
        }
    }

    #[test]
    fn parts_out_of_order_or_twice_are_caught() {
        let (chapter, exercises, introduction) = complete();
        let swapped = chapter
            .replace("## Run it", "## X")
            .replace("## Measure it", "## Run it")
            .replace("## X", "## Measure it");
        assert_caught(
            &check_parts(&book(&swapped, &exercises, &introduction)),
            "out of order",
        );
        let twice = chapter.replace("## Build\n", "## Build\n\n## Build\n");
        assert_caught(
            &check_parts(&book(&twice, &exercises, &introduction)),
            "there are 2 parts \"Build\"",
        );
    }

    #[test]
    fn an_exercise_without_minutes_answer_or_criteria_is_caught() {
        let (chapter, exercises, introduction) = complete();
        let no_minutes = exercises.replacen("Build, 4 min", "Build", 1);
        let problems = check_parts(&book(&chapter, &no_minutes, &introduction));
        assert!(
            problems[0].contains("\"E2\" does not say its kind and minutes"),
            "{problems:?}"
        );
        let no_fold = exercises.replacen("<details>", "", 1);
        assert_caught(
            &check_parts(&book(&chapter, &no_fold, &introduction)),
            "\"E0\" has no answer in a fold",
        );
        let no_criteria = exercises.replacen("class=\"criteria\"", "", 1);
        assert_caught(
            &check_parts(&book(&chapter, &no_criteria, &introduction)),
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
        let (chapter, exercises, introduction) = complete();
        let fewer = exercises.replacen("Build, 4 min", "Compare, 4 min", 1);
        assert_caught(
            &check_parts(&book(&chapter, &fewer, &introduction)),
            "1 exercise(s) of the kind \"Build\"",
        );
    }

    #[test]
    fn minutes_that_are_missing_or_wrong_are_caught() {
        let (chapter, exercises, introduction) = complete();
        let silent = exercises.replace("class=\"minutes\"", "");
        let problems = check_minutes(&book(&chapter, &silent, &introduction));
        assert!(
            problems[0].contains("e.md: it does not say its minutes"),
            "{problems:?}"
        );
        let wrong = chapter.replace("8 min reading, 24", "8 min reading, 25");
        assert_caught(
            &check_minutes(&book(&wrong, &exercises, &introduction)),
            "one.md: the chapter's pages add up",
        );
        let wrong = introduction.replace("| 8 |", "| 9 |");
        assert_caught(
            &check_minutes(&book(&chapter, &exercises, &wrong)),
            "one.md takes",
        );
        let wrong = introduction.replace("| Total | 10 |", "| Total | 11 |");
        assert_caught(
            &check_minutes(&book(&chapter, &exercises, &wrong)),
            "the rows add up",
        );
    }

    #[test]
    fn contents_that_promise_are_caught() {
        let coming = |summary: &str| {
            let sample = Sample::page("# Page\n").file("book/src/SUMMARY.md", summary);
            check_contents(&sample.book())
        };
        assert_eq!(coming("- [Page](page.md)\n- [Two (coming)]()\n"), [""; 0]);
        assert_caught(
            &coming("- [Page](page.md)\n- [Two]()\n"),
            "not marked (coming)",
        );
        assert_caught(
            &coming("- [Other](page.md)\n"),
            "calls itself Some(\"Page\")",
        );
        let problems = coming("- [Page (coming)](page.md)\n");
        assert!(
            problems[0].contains("is marked (coming) and has a page"),
            "{problems:?}"
        );
    }
}
