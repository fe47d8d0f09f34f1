//! The minutes: each page of a chapter says its own, each chapter their sum, the introduction all of them.

use crate::chapters::chapters;
use crate::markdown::{Document, tags};
use crate::model::{Book, Page};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Minutes {
    reading: u32,
    doing: u32,
}

/// Whether each page of a chapter says its minutes, each chapter their sum, and the introduction all of them.
pub(crate) fn check(book: &Book) -> Vec<String> {
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

/// The number that stands before a unit.
pub(crate) fn number_before(text: &str, unit: &str) -> Option<u32> {
    let before = text.split_once(unit)?.0.trim_end();
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{assert_caught, complete_book, complete_chapter};

    #[test]
    fn minutes_that_add_up_are_clean() {
        let (chapter, exercises, introduction) = complete_chapter();
        let book = complete_book(&chapter, &exercises, &introduction);
        assert_eq!(check(&book), [""; 0]);
    }

    #[test]
    fn minutes_that_are_missing_or_wrong_are_caught() {
        let (chapter, exercises, introduction) = complete_chapter();
        let silent = exercises.replace("class=\"minutes\"", "");
        let problems = check(&complete_book(&chapter, &silent, &introduction));
        assert!(
            problems[0].contains("e.md: it does not say its minutes"),
            "{problems:?}"
        );
        let wrong = chapter.replace("8 min reading, 24", "8 min reading, 25");
        assert_caught(
            &check(&complete_book(&wrong, &exercises, &introduction)),
            "one.md: the chapter's pages add up",
        );
        let wrong = introduction.replace("| 8 |", "| 9 |");
        assert_caught(
            &check(&complete_book(&chapter, &exercises, &wrong)),
            "one.md takes",
        );
        let wrong = introduction.replace("| Total | 10 |", "| Total | 11 |");
        assert_caught(
            &check(&complete_book(&chapter, &exercises, &wrong)),
            "the rows add up",
        );
    }
}
