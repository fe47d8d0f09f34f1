//! No listing is typed by hand, every include finds its anchor, and every anchor in the sources is shown somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::includes::{self, Directive, Part};
use crate::model::Book;

/// The labels that a code block may have. Anything else is a typing error, or a language this book does not show.
const LANGUAGES: &[&str] = &["rust", "console", "text", "diff", "toml", "json"];

/// What is wrong with the listings of the book.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for page in &book.pages {
        let mut say = |what: String| problems.push(format!("{}: {what}", page.path));
        for problem in &page.include_problems {
            say(problem.clone());
        }
        for block in &page.raw_doc.blocks {
            let first = block.text.lines().next().unwrap_or_default();
            if !block.fenced {
                say(format!("an indented block, which has no language: {first}"));
            } else if !LANGUAGES.contains(&block.language.as_str()) {
                say(format!("a block labelled {:?}: {first}", block.language));
            }
            let typed = typed_lines(&block.text);
            match block.language.as_str() {
                "rust" => {
                    if let Some(line) = typed.first() {
                        say(format!("a line of Rust typed by hand: {line}"));
                    }
                    for directive in includes::find(&block.text) {
                        if !matches!(directive.part, Part::Anchor(_)) {
                            let shown = &block.text[directive.range.clone()];
                            say(format!("{shown}: a listing names an anchor"));
                        }
                    }
                }
                "diff" => {
                    if let Some(line) = typed.first() {
                        say(format!("a line of a patch typed by hand: {line}"));
                    }
                    let mut problems = Vec::new();
                    let folder = book.src().join(&page.path);
                    let folder = folder.parent().unwrap_or(Path::new("."));
                    let shown = includes::expand(&block.text, folder, &mut problems);
                    if !shown.starts_with("--- ") {
                        say(format!(
                            "a patch that does not begin with its diff: {first}"
                        ));
                    }
                }
                _ => {
                    if let Some(line) = typed.iter().find(|line| looks_like_rust(line)) {
                        say(format!(
                            "Rust in a block labelled {:?}: {line}",
                            block.language
                        ));
                    }
                }
            }
        }
    }
    problems
}

/// The lines of a block that are more than one include.
fn typed_lines(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .filter(|line| {
            let found = includes::find(line);
            let whole = |d: &Directive| d.range == (0..line.trim_end().len());
            !matches!(&found[..], [d] if whole(d) && (d.kind == "include" || d.kind == "rustdoc_include"))
        })
        .collect()
}

fn looks_like_rust(line: &str) -> bool {
    let line = line.trim_start();
    let starts = [
        "fn ",
        "pub fn ",
        "let ",
        "impl ",
        "impl<",
        "use ",
        "struct ",
        "enum ",
        "unsafe fn ",
        "#[",
    ];
    starts.iter().any(|start| line.starts_with(start)) && line.contains(['(', '{', ';', '<'])
}

/// Which anchors are included and missing, or there and included nowhere, or begun and never ended.
pub(crate) fn check_anchors(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for page in &book.pages {
        let folder = book.src().join(&page.path);
        let folder = folder.parent().unwrap_or(Path::new("."));
        collect_used(&page.raw, folder, &mut used);
        let missing = page.include_problems.iter();
        problems.extend(missing.map(|problem| format!("{}: {problem}", page.path)));
    }
    for file in sources(&book.root) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let shown = file.strip_prefix(&book.root).unwrap_or(&file).display();
        let mut seen = BTreeSet::new();
        for (name, ends) in includes::anchors(&text) {
            // What a learner is to fill in, for `cargo course exercises`.
            if name.starts_with("cut_") {
                continue;
            }
            if !ends {
                problems.push(format!("{shown}: the anchor {name} has no end"));
            }
            if !used.contains(&(file.clone(), name.clone())) {
                problems.push(format!("{shown}: no page includes the anchor {name}"));
            }
            if !seen.insert(name.clone()) {
                problems.push(format!("{shown}: there are two anchors {name}"));
            }
        }
    }
    problems
}

/// Notes what a text includes, and what that includes in turn.
fn collect_used(text: &str, folder: &Path, used: &mut BTreeSet<(PathBuf, String)>) {
    for directive in includes::find(text) {
        let Ok(file) = folder.join(&directive.path).canonicalize() else {
            continue;
        };
        let content = std::fs::read_to_string(&file).unwrap_or_default();
        let part = match &directive.part {
            Part::Anchor(name) => {
                if !used.insert((file.clone(), name.clone())) {
                    continue;
                }
                includes::take(&content, name).unwrap_or_default()
            }
            Part::Whole => content,
            Part::Lines(_) => continue,
        };
        collect_used(&part, file.parent().unwrap_or(folder), used);
    }
}

/// Every Rust file of the workspace that is not a product of a build. The package `course`, which cuts exercises at anchors
/// and has this check, speaks of anchors and is left out.
fn sources(root: &Path) -> Vec<PathBuf> {
    let Ok(root) = root.canonicalize() else {
        return Vec::new();
    };
    let skipped = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('.') || name == "target" || path == root.join("course")
    };
    let walk = walkdir::WalkDir::new(&root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !skipped(entry.path()));
    walk.filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught};

    const SOURCE: &str = "// ANCHOR: one\nfn one() {}\n// ANCHOR_END: one\n";

    #[test]
    fn a_listing_by_anchor_is_clean() {
        let sample =
            Sample::page("```rust\n{{#include ../../lib.rs:one}}\n```\n").file("lib.rs", SOURCE);
        assert_eq!(check(&sample.book()), [""; 0]);
        assert_eq!(check_anchors(&sample.book()), [""; 0]);
    }

    #[test]
    fn a_typed_listing_is_caught() {
        let sample = Sample::page("```rust\nfn main() {}\n```\n");
        assert_caught(&check(&sample.book()), "typed by hand: fn main() {}");
    }

    #[test]
    fn a_line_typed_beside_an_include_is_caught() {
        let sample = Sample::page("```rust,ignore\n{{#include ../../lib.rs:one}}\none();\n```\n")
            .file("lib.rs", SOURCE);
        assert_caught(&check(&sample.book()), "typed by hand: one();");
    }

    #[test]
    fn a_listing_under_another_label_is_caught() {
        let sample = Sample::page("```text\nfn main() {}\n```\n");
        assert_caught(&check(&sample.book()), "Rust in a block labelled \"text\"");
        let sample = Sample::page("```\nfn main() {}\n```\n");
        assert_eq!(check(&sample.book()).len(), 2);
        let sample = Sample::page("Text.\n\n    fn main() {}\n");
        assert!(check(&sample.book())[0].contains("an indented block"));
    }

    #[test]
    fn a_listing_by_line_numbers_or_of_a_whole_file_is_caught() {
        for part in ["", ":1:2"] {
            let page = format!("```rust\n{{{{#include ../../lib.rs{part}}}}}\n```\n");
            let sample = Sample::page(&page).file("lib.rs", SOURCE);
            let problems = check(&sample.book());
            assert!(
                problems
                    .iter()
                    .any(|p| p.contains("a listing names an anchor")),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn a_patch_is_included_from_its_diff_on() {
        let page = |from: &str| {
            let page = format!("```diff\n{{{{#include ../../bug.patch{from}}}}}\n```\n");
            Sample::page(&page).file("bug.patch", "# story: x\n--- a\n+++ b\n")
        };
        assert_eq!(check(&page(":2:").book()), [""; 0]);
        assert_caught(&check(&page(":3:").book()), "does not begin with its diff");
        assert_caught(&check(&page("").book()), "does not begin with its diff");
        let typed = Sample::page("```diff\n--- a\n+++ b\n```\n");
        assert_caught(&check(&typed.book()), "typed by hand");
    }

    #[test]
    fn an_anchor_that_is_not_there_is_caught() {
        let sample = Sample::page("{{#include ../../lib.rs:one}} {{#include ../../lib.rs:two}}")
            .file("lib.rs", SOURCE);
        assert_caught(
            &check_anchors(&sample.book()),
            "{{#include ../../lib.rs:two}}: the file has no such part",
        );
        let sample = Sample::page("{{#include ../../nowhere.rs:one}}");
        assert_caught(&check_anchors(&sample.book()), "there is no such file");
    }

    #[test]
    fn an_anchor_that_nothing_includes_is_caught() {
        let sample = Sample::page("Text.").file("src/lib.rs", SOURCE);
        assert_caught(
            &check_anchors(&sample.book()),
            "src/lib.rs: no page includes the anchor one",
        );
    }

    #[test]
    fn an_anchor_without_an_end_is_caught() {
        let page = "```rust\n{{#include ../../lib.rs:one}}\n```\n";
        let sample = Sample::page(page).file("lib.rs", "// ANCHOR: one\nfn one() {}\n");
        assert_caught(&check_anchors(&sample.book()), "has no end");
    }
}
