//! The numbers that appear in prose come from recordings, and what is generated from those is current.

use crate::model::Book;

#[path = "../../src/book/recorded.rs"]
mod generate;

/// Which generated files are missing, or say something else than the recordings they were generated from.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let folder = book.src().join("recorded");
    let expected = match generate::files(&folder) {
        Ok(expected) => expected,
        Err(error) => return vec![format!("recorded: {error:#}")],
    };
    let mut problems = Vec::new();
    for (name, text) in &expected {
        match std::fs::read_to_string(folder.join(name)) {
            Err(_) => problems.push(format!(
                "recorded/{name} is missing: run `cargo course book --regenerate`"
            )),
            Ok(found) if &found != text => {
                problems.push(format!(
                    "recorded/{name} is not current: run `cargo course book --regenerate`"
                ));
            }
            Ok(_) => {}
        }
    }
    problems
}
