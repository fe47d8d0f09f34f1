//! Small books with one thing wrong, for the tests of the rules.

use tempfile::TempDir;

use crate::chapters::PARTS;
use crate::model::Book;

/// A workspace in a fresh folder: a book of one page, and whatever files a test adds.
pub(crate) struct Sample {
    root: TempDir,
}

impl Sample {
    /// A book whose one page, `page.md`, has this text.
    pub(crate) fn page(text: &str) -> Sample {
        Sample::empty()
            .file("book/src/SUMMARY.md", "# Summary\n\n- [Page](page.md)\n")
            .file("book/src/page.md", text)
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Sample {
        Sample {
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, text: &str) -> Sample {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn book(&self) -> Book {
        Book::load(self.root.path())
    }
}

/// Asserts that a rule found exactly one problem, and that it says `part`.
#[track_caller]
pub(crate) fn assert_caught(problems: &[String], part: &str) {
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains(part), "{problems:?}");
}

/// A chapter with everything, on one page and one for the exercises, and an introduction with its table.
pub(crate) fn complete_chapter() -> (String, String, String) {
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

/// A book of such a chapter, the page with its exercises, and an introduction.
pub(crate) fn complete_book(chapter: &str, exercises: &str, introduction: &str) -> Book {
    let summary = "# Summary\n\n[Introduction](introduction.md)\n\n- [Step 1: x](one.md)\n  - [Exercises](e.md)\n\
                   - [Step 2: y (coming)]()\n";
    Sample::empty()
        .file("book/src/SUMMARY.md", summary)
        .file("book/src/one.md", chapter)
        .file("book/src/e.md", exercises)
        .file("book/src/introduction.md", introduction)
        .book()
}
