//! The shape of the book: the parts of a chapter, and a table of contents that promises nothing.

use crate::model::{Book, Entry, Page};

/// What every chapter of a step has, in this order, each as the text of one heading.
pub(crate) const PARTS: &[&str] = &[
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
pub(crate) struct Chapter<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) pages: Vec<&'a Page>,
}

/// The chapters of the steps that are there.
pub(crate) fn chapters(book: &Book) -> Vec<Chapter<'_>> {
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

/// Which chapters lack a part, or have it twice or out of order.
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
    }
    problems
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
    use crate::sample::{Sample, assert_caught, complete_book, complete_chapter};

    #[test]
    fn a_complete_chapter_is_clean() {
        let (chapter, exercises, introduction) = complete_chapter();
        let book = complete_book(&chapter, &exercises, &introduction);
        assert_eq!(check_parts(&book), [""; 0]);
        assert_eq!(check_contents(&book), [""; 0]);
    }

    #[test]
    fn a_missing_part_is_caught() {
        let (chapter, exercises, introduction) = complete_chapter();
        for part in PARTS.iter().filter(|part| **part != "Exercises") {
            let without = |text: &str| text.replace(&format!("# {part}\n"), "# Something\n");
            let book = complete_book(&without(&chapter), &without(&exercises), &introduction);
            assert!(
                check_parts(&book).contains(&format!("Step 1: x: there is no part {part:?}")),
                "{part}"
            );
        }
    }

    #[test]
    fn parts_out_of_order_or_twice_are_caught() {
        let (chapter, exercises, introduction) = complete_chapter();
        let swapped = chapter
            .replace("## Run it", "## X")
            .replace("## Measure it", "## Run it")
            .replace("## X", "## Measure it");
        assert_caught(
            &check_parts(&complete_book(&swapped, &exercises, &introduction)),
            "out of order",
        );
        let twice = chapter.replace("## Build\n", "## Build\n\n## Build\n");
        assert_caught(
            &check_parts(&complete_book(&twice, &exercises, &introduction)),
            "there are 2 parts \"Build\"",
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
