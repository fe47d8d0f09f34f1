//! mdbook's `{{#include file:anchor}}`, as far as this book uses it.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// One directive in a page, with the text it stands for not yet put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    /// Where it is in the text.
    pub(crate) range: Range<usize>,
    /// `include`, `rustdoc_include`, or another of mdbook's.
    pub(crate) kind: String,
    /// The file, relative to the page.
    pub(crate) path: String,
    /// What of the file.
    pub(crate) part: Part,
}

/// What of a file is included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Anchor(String),
    /// Line numbers. They say something else after the next edit, so only patches are included like this, from the line
    /// on where the diff begins.
    Lines(String),
}

/// The directives of a text, in order. Escaped ones (`\{{#include …}}`) are text.
pub(crate) fn find(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("{{#") {
        let start = from + at;
        let Some(len) = text[start..].find("}}") else {
            break;
        };
        let end = start + len + 2;
        from = end;
        if text[..start].ends_with('\\') {
            continue;
        }
        let mut words = text[start + 3..end - 2].split_whitespace();
        let (Some(kind), Some(target)) = (words.next(), words.next()) else {
            continue;
        };
        let (path, part) = match target.split_once(':') {
            None => (target, Part::Whole),
            Some((path, part)) if part.starts_with(|c: char| c.is_ascii_digit() || c == ':') => {
                (path, Part::Lines(part.to_string()))
            }
            Some((path, anchor)) => (path, Part::Anchor(anchor.to_string())),
        };
        found.push(Directive {
            range: start..end,
            kind: kind.to_string(),
            path: path.to_string(),
            part,
        });
    }
    found
}

/// The name after `marker` in a line, as mdbook reads it.
fn name_after<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let rest = line.split_once(marker)?.1.trim_start();
    let len = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(rest.len());
    (len > 0).then(|| &rest[..len])
}

/// The anchors that begin in a text, each with whether it ends there too.
pub(crate) fn anchors(text: &str) -> Vec<(String, bool)> {
    let starts = text.lines().filter_map(|line| name_after(line, "ANCHOR:"));
    starts
        .map(|name| {
            let ends = text
                .lines()
                .any(|line| name_after(line, "ANCHOR_END:") == Some(name));
            (name.to_string(), ends)
        })
        .collect()
}

/// The lines of an anchor, without the lines that mark other anchors.
pub(crate) fn take(text: &str, anchor: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find(|line| name_after(line, "ANCHOR:") == Some(anchor))?;
    let body = lines
        .take_while(|line| name_after(line, "ANCHOR_END:") != Some(anchor))
        .filter(|line| !line.contains("ANCHOR:") && !line.contains("ANCHOR_END:"));
    Some(body.collect::<Vec<_>>().join("\n"))
}

/// From a line on, for `N:`; other ranges are not used.
fn from_line(text: &str, lines: &str) -> Option<String> {
    let first: usize = lines.strip_suffix(':')?.parse().ok()?;
    let rest: Vec<&str> = text.lines().skip(first.checked_sub(1)?).collect();
    (!rest.is_empty()).then(|| rest.join("\n"))
}

/// A text with everything in it that it includes. What cannot be included is reported and left out.
pub(crate) fn expand(text: &str, folder: &Path, problems: &mut Vec<String>) -> String {
    expand_to(text, folder, problems, 0)
}

fn expand_to(text: &str, folder: &Path, problems: &mut Vec<String>, depth: usize) -> String {
    let mut out = String::new();
    let mut done = 0;
    for directive in find(text) {
        out.push_str(&text[done..directive.range.start]);
        done = directive.range.end;
        let shown = &text[directive.range.clone()];
        if depth > 8 {
            problems.push(format!("{shown}: includes that include each other"));
            continue;
        }
        let file = folder.join(&directive.path);
        let Ok(content) = std::fs::read_to_string(&file) else {
            problems.push(format!("{shown}: there is no such file"));
            continue;
        };
        let part = match &directive.part {
            Part::Whole => Some(content.lines().collect::<Vec<_>>().join("\n")),
            Part::Anchor(anchor) => take(&content, anchor),
            Part::Lines(lines) => from_line(&content, lines),
        };
        match part {
            None => problems.push(format!("{shown}: the file has no such part")),
            Some(part) => {
                let folder: PathBuf = file.parent().unwrap_or(folder).to_path_buf();
                out.push_str(&expand_to(&part, &folder, problems, depth + 1));
            }
        }
    }
    out.push_str(&text[done..]);
    out
}

#[test]
fn directives_are_found_where_mdbook_finds_them() {
    let text = "a {{#include x.rs:one}} b \\{{#include y.rs}} {{#rustdoc_include ../z.rs}} {{#include w.rs:3:5}}";
    let found = find(text);
    let targets: Vec<_> = found
        .iter()
        .map(|d| (d.kind.as_str(), d.path.as_str(), d.part.clone()))
        .collect();
    assert_eq!(
        targets,
        [
            ("include", "x.rs", Part::Anchor("one".into())),
            ("rustdoc_include", "../z.rs", Part::Whole),
            ("include", "w.rs", Part::Lines("3:5".into())),
        ]
    );
}

#[test]
fn an_anchor_is_what_is_between_its_marks() {
    let text = "0\n// ANCHOR: a\n1\n// ANCHOR: b\n2\n// ANCHOR_END: b\n3\n// ANCHOR_END: a\n4\n// ANCHOR: c\n5";
    assert_eq!(take(text, "a").unwrap(), "1\n2\n3");
    assert_eq!(take(text, "b").unwrap(), "2");
    assert_eq!(take(text, "d"), None);
    let named = anchors(text);
    assert_eq!(
        named,
        [("a".into(), true), ("b".into(), true), ("c".into(), false)]
    );
}
