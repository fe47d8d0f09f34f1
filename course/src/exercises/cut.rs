//! The start of an exercise, cut from its solution: one source for both, so that they cannot drift apart.
//!
//! The solution marks what a learner is to write. The markers look like the book's anchors, so that they vanish where the
//! book shows the solution; their names begin with `cut_`:
//!
//! ```text
//!     // ANCHOR: cut_park | todo!("wait for the token, and take it")
//!     … the answer …
//!     // ANCHOR_END: cut_park
//! ```
//!
//! In the start the answer and its markers are gone, and what follows the bars stands in their place, indented as the
//! marker was. Several markers of one name in a row give several lines. The book's other anchors go too.

use anyhow::{Result, bail, ensure};

/// The solution without the answer.
pub(crate) fn start(solution: &str) -> Result<String> {
    let mut start = String::new();
    let mut cutting: Option<String> = None;
    let mut cuts = 0;
    for (number, line) in solution.lines().enumerate() {
        match (marker(line), &cutting) {
            (Marker::Cut { name, instead }, None) => {
                push(&mut start, line, instead);
                cutting = Some(name.to_owned());
                cuts += 1;
            }
            // One more line of what stands instead.
            (Marker::Cut { name, instead }, Some(open)) if name == open => {
                push(&mut start, line, instead)
            }
            (Marker::End(name), Some(open)) if name == open => cutting = None,
            (Marker::Cut { .. } | Marker::End(_), _) => {
                bail!("line {}: `{}` is out of place", number + 1, line.trim())
            }
            (Marker::Other, _) | (Marker::None, Some(_)) => {}
            (Marker::None, None) => {
                start += line;
                start.push('\n');
            }
        }
    }
    ensure!(
        cutting.is_none(),
        "`{}` does not end",
        cutting.unwrap_or_default()
    );
    ensure!(cuts > 0, "nothing is marked to be cut");
    Ok(start)
}

enum Marker<'a> {
    Cut {
        name: &'a str,
        instead: Option<&'a str>,
    },
    End(&'a str),
    /// An anchor of the book.
    Other,
    None,
}

fn marker(line: &str) -> Marker<'_> {
    let text = line
        .trim_start()
        .trim_start_matches(['/', '#'])
        .trim_start();
    if let Some(name) = text.strip_prefix("ANCHOR_END: ") {
        let name = name.trim();
        return if name.starts_with("cut_") {
            Marker::End(name)
        } else {
            Marker::Other
        };
    }
    let Some(rest) = text.strip_prefix("ANCHOR: ") else {
        return Marker::None;
    };
    let (name, instead) = rest
        .split_once('|')
        .map_or((rest, None), |(name, instead)| (name, Some(instead)));
    if name.starts_with("cut_") {
        let instead = instead.map(|text| text.strip_prefix(' ').unwrap_or(text));
        Marker::Cut {
            name: name.trim(),
            instead,
        }
    } else {
        Marker::Other
    }
}

fn push(start: &mut String, marker: &str, instead: Option<&str>) {
    if let Some(instead) = instead {
        let indent = &marker[..marker.len() - marker.trim_start().len()];
        if !instead.is_empty() {
            *start += indent;
        }
        *start += instead;
        start.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLUTION: &str = "\
// ANCHOR: whole
fn park() {
    // ANCHOR: cut_park | if first {
    // ANCHOR: cut_park |     todo!()
    // ANCHOR: cut_park | }
    the_answer();
    // ANCHOR_END: cut_park
}
// ANCHOR_END: whole
struct Parker {
    // ANCHOR: cut_fields
    answer: u32,
    // ANCHOR_END: cut_fields
}
";

    #[test]
    fn the_answer_is_cut_and_what_stands_instead_is_indented() {
        let expected =
            "fn park() {\n    if first {\n        todo!()\n    }\n}\nstruct Parker {\n}\n";
        assert_eq!(start(SOLUTION).unwrap(), expected);
    }

    #[test]
    fn markers_out_of_place_are_refused() {
        let refused = |text: &str| format!("{:#}", start(text).unwrap_err());
        assert!(refused("fn park() {}\n").contains("nothing is marked"));
        assert!(refused("// ANCHOR: cut_a\n").contains("`cut_a` does not end"));
        assert!(refused("// ANCHOR: cut_a\n// ANCHOR: cut_b\n").contains("line 2"));
        assert!(
            refused("// ANCHOR: cut_a\n// ANCHOR_END: cut_a\n// ANCHOR_END: cut_a\n")
                .contains("line 3")
        );
    }
}
