//! Small books with one thing wrong, for the tests of the rules.

use tempfile::TempDir;

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
