//! Every figure says what it shows to those who cannot see it, follows the theme, and is used.

use crate::includes;
use crate::markdown::{HtmlTag, tags};
use crate::model::{Book, Page};

/// What is wrong with the figures and images.
pub(crate) fn check(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    for page in &book.pages {
        let mut say = |what: String| problems.push(format!("{}: {what}", page.path));
        for image in &page.doc.images {
            if image.alt.trim().is_empty() {
                say(format!("the image {} has no alt text", image.target));
            }
            if !image.target.contains(':')
                && !book.src().join(page.resolve(&image.target)).is_file()
            {
                say(format!("the image {} is not there", image.target));
            }
        }
        for tag in tags(&page.doc.html) {
            for problem in html_problems(&tag) {
                say(problem);
            }
            if tag.name == "img"
                && let Some(source) = tag.attribute("src")
                && !book.src().join(page.resolve(source)).is_file()
            {
                say(format!("the image {source} is not there"));
            }
        }
    }
    problems.extend(torn(book));
    problems.extend(unused(book));
    problems
}

fn html_problems(tag: &HtmlTag<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    match tag.name {
        "img" => {
            let source = tag.attribute("src").unwrap_or("?");
            if tag.attribute("alt").is_none_or(|alt| alt.trim().is_empty()) {
                problems.push(format!("the image {source} has no alt text"));
            }
        }
        "figure" => {
            let content = tag.content().unwrap_or_default();
            if !content.contains("<svg") && !content.contains("<img") {
                problems.push("a figure without a drawing in it".to_string());
            }
            if !tags(content).any(|inner| inner.name == "figcaption") {
                problems.push("a figure without a caption".to_string());
            }
        }
        "svg" => {
            let content = tag.content().unwrap_or_default();
            let says = |name: &str| {
                let inner = tags(content).find(|inner| inner.name == name);
                inner
                    .and_then(|inner| inner.content().map(str::trim))
                    .unwrap_or_default()
            };
            let title = says("title");
            if tag.attribute("role") != Some("img") {
                problems.push(format!("the drawing {title:?} has no role=\"img\""));
            }
            if title.is_empty() || says("desc").is_empty() {
                problems.push(format!(
                    "the drawing {title:?} has no <title>, or no <desc>"
                ));
            }
            if !content.contains("<text") {
                problems.push(format!("the drawing {title:?} has no text"));
            }
            let own_colour = |inner: &HtmlTag<'_>| {
                let paints = ["fill", "stroke", "color"];
                let of = |name: &&str| {
                    inner
                        .attribute(name)
                        .is_some_and(|v| v.starts_with(['#', 'r', 'h']))
                };
                paints.iter().any(of) || inner.attribute("style").is_some()
            };
            if tags(content).any(|inner| own_colour(&inner)) {
                problems.push(format!(
                    "the drawing {title:?} has colours of its own, and no theme can change them"
                ));
            }
        }
        _ => {}
    }
    problems
}

/// Drawings that Markdown would tear apart: a blank line ends an HTML block, and what follows would be text.
fn torn(book: &Book) -> Vec<String> {
    let walk = walkdir::WalkDir::new(book.src())
        .sort_by_file_name()
        .into_iter();
    let files = walk
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path);
    let drawings =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "svg"));
    let torn = drawings.filter(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| line.trim().is_empty())
    });
    torn.map(|path| format!("{}: a drawing with a blank line in it", path.display()))
        .collect()
}

/// Drawings that no page shows.
fn unused(book: &Book) -> Vec<String> {
    let of = |page: &Page| {
        let included = includes::find(&page.raw).into_iter().map(|d| d.path);
        let images = page.doc.images.iter().map(|image| image.target.clone());
        let targets: Vec<_> = included.chain(images).collect();
        targets
            .iter()
            .map(|target| page.resolve(target))
            .collect::<Vec<_>>()
    };
    let included: Vec<_> = book.pages.iter().flat_map(of).collect();
    let Ok(folder) = std::fs::read_dir(book.src().join("figures")) else {
        return Vec::new();
    };
    let mut names: Vec<_> = folder
        .filter_map(Result::ok)
        .map(|file| format!("figures/{}", file.file_name().to_string_lossy()))
        .filter(|name| !included.contains(name))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| format!("{name}: no page shows this drawing"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught};

    const GOOD: &str = "<svg role=\"img\" viewBox=\"0 0 1 1\">\n<title>T</title>\n<desc>D</desc>\n<text>x</text>\n</svg>\n";

    fn figure(svg: &str) -> Sample {
        Sample::page("# P\n\n<figure>\n{{#include figures/f.svg}}\n<figcaption>C</figcaption>\n</figure>\n\nText.\n")
            .file("book/src/figures/f.svg", svg)
    }

    #[test]
    fn a_good_figure_is_clean() {
        assert_eq!(check(&figure(GOOD).book()), [""; 0]);
    }

    #[test]
    fn a_figure_without_a_description_is_caught() {
        assert_caught(
            &check(&figure(&GOOD.replace("<desc>D</desc>\n", "")).book()),
            "no <desc>",
        );
        assert_caught(
            &check(&figure(&GOOD.replace(">T<", "> <")).book()),
            "no <title>",
        );
        assert_caught(
            &check(&figure(&GOOD.replace("role=\"img\" ", "")).book()),
            "role",
        );
    }

    #[test]
    fn a_figure_without_text_or_with_its_own_colours_is_caught() {
        assert_caught(
            &check(&figure(&GOOD.replace("<text>x</text>\n", "")).book()),
            "no text",
        );
        let painted = GOOD.replace("<text>", "<text fill=\"#123456\">");
        assert_caught(&check(&figure(&painted).book()), "colours of its own");
    }

    #[test]
    fn a_figure_torn_by_a_blank_line_is_caught() {
        assert_caught(
            &check(&figure(&GOOD.replace("</desc>\n", "</desc>\n\n")).book()),
            "a blank line",
        );
    }

    #[test]
    fn an_image_without_alt_text_or_that_is_not_there_is_caught() {
        let page = |text: &str| Sample::page(text).file("book/src/there.png", "");
        assert_eq!(check(&page("![What it shows](there.png)").book()), [""; 0]);
        assert_caught(&check(&page("![](there.png)").book()), "no alt text");
        assert_caught(&check(&page("![Shows](gone.png)").book()), "is not there");
        assert_caught(
            &check(&page("<p><img src=\"there.png\"></p>").book()),
            "no alt text",
        );
        assert_caught(
            &check(&page("<p><img src=\"gone.png\" alt=\"Shows\"></p>").book()),
            "is not there",
        );
    }

    #[test]
    fn a_figure_without_a_caption_is_caught() {
        let sample = Sample::page("<figure>\n{{#include figures/f.svg}}\n</figure>\n")
            .file("book/src/figures/f.svg", GOOD);
        assert_caught(&check(&sample.book()), "without a caption");
    }

    #[test]
    fn a_drawing_that_nobody_shows_is_caught() {
        let sample = Sample::page("Text.").file("book/src/figures/f.svg", GOOD);
        assert_caught(&check(&sample.book()), "figures/f.svg: no page shows");
        let shown =
            Sample::page("![What it shows](figures/f.png)").file("book/src/figures/f.png", "");
        assert_eq!(check(&shown.book()), [""; 0]);
    }
}
