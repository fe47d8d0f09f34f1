//! A book as the rules see it: its table of contents, and its pages before and after their includes.

use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::includes;
use crate::markdown::Document;

/// A book, with the workspace around it.
pub(crate) struct Book {
    /// The workspace's folder.
    pub(crate) root: PathBuf,
    /// `SUMMARY.md`, top to bottom.
    pub(crate) entries: Vec<Entry>,
    /// The pages that `SUMMARY.md` names and that exist.
    pub(crate) pages: Vec<Page>,
}

/// A line of the table of contents.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) title: String,
    /// Relative to `book/src`; none for a chapter that is coming.
    pub(crate) path: Option<String>,
    /// 0 for what is in no list or in the outermost.
    pub(crate) depth: usize,
}

/// A page.
pub(crate) struct Page {
    /// Relative to `book/src`.
    pub(crate) path: String,
    /// As it was written.
    pub(crate) raw: String,
    /// As it was written, taken apart.
    pub(crate) raw_doc: Document,
    /// With its includes, taken apart.
    pub(crate) doc: Document,
    /// What could not be included.
    pub(crate) include_problems: Vec<String>,
}

impl Book {
    pub(crate) fn load(root: &Path) -> Book {
        let src = root.join("book/src");
        let summary = std::fs::read_to_string(src.join("SUMMARY.md")).unwrap();
        let entries = contents(&summary);
        let pages = entries
            .iter()
            .filter_map(|entry| entry.path.as_ref())
            .filter_map(|path| Page::load(&src, path))
            .collect();
        Book {
            root: root.to_path_buf(),
            entries,
            pages,
        }
    }

    /// The folder of the pages.
    pub(crate) fn src(&self) -> PathBuf {
        self.root.join("book/src")
    }

    pub(crate) fn page(&self, path: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path)
    }
}

impl Page {
    fn load(src: &Path, path: &str) -> Option<Page> {
        let file = src.join(path);
        let raw = std::fs::read_to_string(&file).ok()?;
        let mut include_problems = Vec::new();
        let text = includes::expand(&raw, file.parent()?, &mut include_problems);
        Some(Page {
            path: path.to_string(),
            raw_doc: Document::parse(&raw),
            doc: Document::parse(&text),
            raw,
            include_problems,
        })
    }

    /// A file that this page names, relative to `book/src` and without `..` where that is possible.
    pub(crate) fn resolve(&self, target: &str) -> String {
        let mut parts: Vec<&str> = self.path.split('/').collect();
        parts.pop();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        parts.join("/")
    }
}

/// The entries of a `SUMMARY.md`: every link in it, in lists or not. An empty link is a chapter that is coming.
fn contents(summary: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lists = 0_usize;
    let mut open: Option<Entry> = None;
    for event in Parser::new(summary) {
        match event {
            Event::Start(Tag::List(_)) => lists += 1,
            Event::End(TagEnd::List(_)) => lists -= 1,
            Event::Start(Tag::Link { dest_url, .. }) => {
                open = Some(Entry {
                    title: String::new(),
                    path: (!dest_url.is_empty()).then(|| dest_url.to_string()),
                    depth: lists.saturating_sub(1),
                });
            }
            Event::End(TagEnd::Link) => entries.extend(open.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(entry) = &mut open {
                    entry.title.push_str(&text);
                }
            }
            _ => {}
        }
    }
    entries
}

#[test]
fn the_contents_are_read_with_their_depth() {
    let entries = contents(
        "# S\n\n[Intro](i.md)\n\n# Part\n\n- [One](1/index.md)\n  - [Sub](1/s.md)\n- [Two]()\n",
    );
    let seen: Vec<_> = entries
        .iter()
        .map(|e| (e.title.as_str(), e.path.as_deref(), e.depth))
        .collect();
    assert_eq!(
        seen,
        [
            ("Intro", Some("i.md"), 0),
            ("One", Some("1/index.md"), 0),
            ("Sub", Some("1/s.md"), 1),
            ("Two", None, 0),
        ]
    );
}
