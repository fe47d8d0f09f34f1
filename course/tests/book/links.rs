//! Every internal link leads to a page that is there, and every fragment to a heading of that page.

use crate::includes;
use crate::markdown::tags;
use crate::model::Book;

/// What is wrong with the links and the pages.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for entry in &book.entries {
        if let Some(path) = &entry.path
            && book.page(path).is_none()
        {
            problems.push(format!("SUMMARY.md: there is no file {path}"));
        }
    }
    for page in &book.pages {
        let mut say = |what: String| problems.push(format!("{}: {what}", page.path));
        for link in &page.doc.links {
            if let Err(why) = follow(book, &page.path, link) {
                say(format!("the link {link}: {why}"));
            }
        }
        for tag in tags(&page.doc.html) {
            if tag.name == "a" {
                say(
                    "a link written as HTML, which is not checked: write it in Markdown"
                        .to_string(),
                );
            }
        }
    }
    problems.extend(orphans(book));
    problems
}

fn follow(book: &Book, from: &str, link: &str) -> Result<(), String> {
    if let Some((scheme, _)) = link.split_once(':')
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return match scheme {
            "https" => Ok(()),
            _ => Err("a link that leaves the book uses https".to_string()),
        };
    }
    let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
    let page = book.page(from).ok_or("this page is not in the book")?;
    let path = match target {
        "" => from.to_string(),
        target => page.resolve(target),
    };
    if !path.ends_with(".md") {
        return match book.src().join(&path).is_file() && !path.starts_with("..") {
            true => Ok(()),
            false => Err("there is no such file in the book".to_string()),
        };
    }
    let Some(page) = book.page(&path) else {
        return Err("there is no such page in the table of contents".to_string());
    };
    if !fragment.is_empty() && !page.doc.ids.contains(fragment) {
        return Err("that page has no such heading".to_string());
    }
    Ok(())
}

/// Pages that are in the folder and neither in the table of contents nor included by a page.
fn orphans(book: &Book) -> Vec<String> {
    let src = book.src();
    let included: Vec<_> = book
        .pages
        .iter()
        .flat_map(|page| {
            includes::find(&page.raw)
                .into_iter()
                .map(|d| page.resolve(&d.path))
        })
        .collect();
    let walk = walkdir::WalkDir::new(&src).sort_by_file_name().into_iter();
    let files = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file());
    let names =
        files.filter_map(|file| Some(file.path().strip_prefix(&src).ok()?.to_str()?.to_string()));
    names
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .filter(|name| book.page(name).is_none() && !included.contains(name))
        .map(|name| format!("{name}: a page that is in no table of contents"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught};

    #[test]
    fn links_that_lead_somewhere_are_clean() {
        let sample = Sample::page(
            "# Top\n\n[a](#top) [b](page.md#top) [c](data.json) [d](https://example.org/)\n",
        )
        .file("book/src/data.json", "{}");
        assert_eq!(check(&sample.book()), [""; 0]);
    }

    #[test]
    fn a_link_to_a_page_that_is_not_there_is_caught() {
        assert_caught(
            &check(&Sample::page("[a](other.md)").book()),
            "no such page",
        );
        assert_caught(
            &check(&Sample::page("[a](other.png)").book()),
            "no such file",
        );
        assert_caught(
            &check(
                &Sample::page("[a](../../Cargo.toml)")
                    .file("Cargo.toml", "")
                    .book(),
            ),
            "no such file",
        );
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_caught() {
        assert_caught(
            &check(&Sample::page("# Top\n\n[a](#bottom)").book()),
            "no such heading",
        );
        assert_caught(
            &check(&Sample::page("# Top\n\n[a](page.md#bottom)").book()),
            "no such heading",
        );
    }

    #[test]
    fn a_page_in_the_contents_that_is_not_there_is_caught() {
        let sample = Sample::page("Text.").file(
            "book/src/SUMMARY.md",
            "# Summary\n\n- [P](page.md)\n- [Q](q.md)\n",
        );
        assert_caught(&check(&sample.book()), "SUMMARY.md: there is no file q.md");
    }

    #[test]
    fn a_page_in_no_contents_is_caught() {
        let sample = Sample::page("Text.").file("book/src/lost.md", "# Lost\n");
        assert_caught(&check(&sample.book()), "lost.md");
    }

    #[test]
    fn a_link_that_is_not_encrypted_or_not_markdown_is_caught() {
        assert_caught(
            &check(&Sample::page("[a](http://example.org/)").book()),
            "https",
        );
        assert_caught(
            &check(&Sample::page("See <a href=\"x.md\">x</a>.").book()),
            "as HTML",
        );
    }
}
