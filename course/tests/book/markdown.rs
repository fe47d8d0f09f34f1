//! A page taken apart: headings, links, images, code, and the HTML in between.

use std::collections::HashSet;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// What a page consists of, as far as the rules look at it.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) headings: Vec<Heading>,
    pub(crate) links: Vec<String>,
    pub(crate) images: Vec<Image>,
    pub(crate) blocks: Vec<CodeBlock>,
    /// The spans of `code` in running text.
    pub(crate) spans: Vec<String>,
    /// All HTML that the page has been given by hand.
    pub(crate) html: String,
    /// Everything that a fragment can name.
    pub(crate) ids: HashSet<String>,
    /// The cells of the tables, row by row.
    pub(crate) rows: Vec<Vec<Cell>>,
}

pub(crate) struct Heading {
    pub(crate) level: usize,
    pub(crate) text: String,
    /// How many code blocks, HTML characters and links came before it: where it is among them.
    pub(crate) html_before: usize,
}

pub(crate) struct Image {
    pub(crate) target: String,
    pub(crate) alt: String,
}

pub(crate) struct CodeBlock {
    /// The first word of the fence's label; empty if it has none.
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) fenced: bool,
}

#[derive(Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) link: Option<String>,
}

/// An opening tag in a piece of HTML.
#[derive(Debug)]
pub(crate) struct HtmlTag<'a> {
    pub(crate) name: &'a str,
    attributes: &'a str,
    /// What follows the tag.
    pub(crate) rest: &'a str,
}

impl Document {
    /// Takes a page apart, with the extensions of Markdown that mdbook enables.
    pub(crate) fn parse(text: &str) -> Document {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES
            | Options::ENABLE_DEFINITION_LIST
            | Options::ENABLE_GFM;
        let mut reader = Reader::default();
        for event in Parser::new_ext(text, options) {
            reader.event(event);
        }
        let mut doc = reader.doc;
        let by_hand: Vec<String> = tags(&doc.html)
            .filter_map(|tag| tag.attribute("id").map(str::to_string))
            .collect();
        doc.ids.extend(by_hand);
        doc
    }
}

#[derive(Default)]
struct Reader {
    doc: Document,
    heading: Option<(usize, Option<String>, String)>,
    image: Option<Image>,
    block: Option<CodeBlock>,
    cell: Option<Cell>,
    definition: Option<String>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                self.heading = Some((
                    level_number(level),
                    id.map(|id| id.to_string()),
                    String::new(),
                ));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((level, id, text)) = self.heading.take() {
                    let id = id.unwrap_or_else(|| self.unique(&text));
                    self.doc.ids.insert(id);
                    self.doc.headings.push(Heading {
                        level,
                        text,
                        html_before: self.doc.html.len(),
                    });
                }
            }
            Event::Start(Tag::DefinitionListTitle) => self.definition = Some(String::new()),
            Event::End(TagEnd::DefinitionListTitle) => {
                if let Some(text) = self.definition.take() {
                    let id = self.unique(&text);
                    self.doc.ids.insert(id);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                if let Some(cell) = &mut self.cell {
                    cell.link = Some(dest_url.to_string());
                }
                self.doc.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.image = Some(Image {
                    target: dest_url.to_string(),
                    alt: String::new(),
                });
            }
            Event::End(TagEnd::Image) => self.doc.images.extend(self.image.take()),
            Event::Start(Tag::CodeBlock(kind)) => {
                let (label, fenced) = match &kind {
                    CodeBlockKind::Fenced(label) => (label.as_ref(), true),
                    CodeBlockKind::Indented => ("", false),
                };
                let language = label.split([',', ' ']).next().unwrap_or_default();
                self.block = Some(CodeBlock {
                    language: language.to_string(),
                    text: String::new(),
                    fenced,
                });
            }
            Event::End(TagEnd::CodeBlock) => self.doc.blocks.extend(self.block.take()),
            Event::Start(Tag::TableHead | Tag::TableRow) => self.doc.rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => self.cell = Some(Cell::default()),
            Event::End(TagEnd::TableCell) => {
                if let (Some(cell), Some(row)) = (self.cell.take(), self.doc.rows.last_mut()) {
                    row.push(cell);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => self.doc.html.push_str(&html),
            Event::Code(text) => {
                self.text(&text);
                self.doc.spans.push(text.to_string());
            }
            Event::Text(text) => self.text(&text),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(block) = &mut self.block {
            block.text.push_str(text);
            return;
        }
        if let Some((_, _, heading)) = &mut self.heading {
            heading.push_str(text);
        }
        if let Some(title) = &mut self.definition {
            title.push_str(text);
        }
        if let Some(image) = &mut self.image {
            image.alt.push_str(text);
        }
        if let Some(cell) = &mut self.cell {
            cell.text.push_str(text);
        }
    }

    /// The id that mdbook gives to a heading with this text.
    fn unique(&self, text: &str) -> String {
        let id: String = text
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
                c if c.is_whitespace() => Some('-'),
                _ => None,
            })
            .collect();
        let mut candidates = (1..).map(|n| format!("{id}-{n}"));
        if !self.doc.ids.contains(&id) {
            return id;
        }
        candidates
            .find(|id| !self.doc.ids.contains(id))
            .expect("some number is free")
    }
}

fn level_number(level: HeadingLevel) -> usize {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// The opening tags of a piece of HTML, in order. Comments are passed over.
pub(crate) fn tags(html: &str) -> impl Iterator<Item = HtmlTag<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find('<')?;
            let after = &rest[start + 1..];
            if let Some(comment) = after.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
                continue;
            }
            rest = after;
            if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let end = after.find('>')?;
            let name_len = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .unwrap_or(after.len());
            rest = &after[end + 1..];
            return Some(HtmlTag {
                name: &after[..name_len],
                attributes: &after[name_len.min(end)..end],
                rest,
            });
        }
    })
}

impl<'a> HtmlTag<'a> {
    /// The value of an attribute, which must stand in double quotes.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let at = rest.find('=')?;
            let key = rest[..at].trim_end().rsplit(char::is_whitespace).next()?;
            let value = rest[at + 1..].trim_start().strip_prefix('"')?;
            let end = value.find('"')?;
            if key == name {
                return Some(&value[..end]);
            }
            rest = &value[end + 1..];
        }
    }

    /// What is between this tag and its end tag, which must not contain another of its kind.
    pub(crate) fn content(&self) -> Option<&'a str> {
        let end = format!("</{}>", self.name);
        self.rest
            .split_once(end.as_str())
            .map(|(content, _)| content)
    }
}

#[test]
fn a_page_is_taken_apart() {
    let doc = Document::parse(
        "# A `b` c\n\n## A b c\n\n[l](x.md#f) ![alt *text*](i.png)\n\n```rust,ignore\nlet x;\n```\n\n\
         <div id=\"here\" class=\"a b\"><img alt=\"\" src=\"y.png\"></div>\n\n| a | [b](c.md) |\n|---|---|\n| 1 | 2 |\n",
    );
    assert_eq!(doc.headings[0].text, "A b c");
    assert!(doc.ids.contains("a-b-c") && doc.ids.contains("a-b-c-1") && doc.ids.contains("here"));
    assert_eq!(doc.links, ["x.md#f", "c.md"]);
    assert_eq!(
        (doc.images[0].target.as_str(), doc.images[0].alt.as_str()),
        ("i.png", "alt text")
    );
    assert_eq!(
        (doc.blocks[0].language.as_str(), doc.blocks[0].text.as_str()),
        ("rust", "let x;\n")
    );
    let tags: Vec<_> = tags(&doc.html).collect();
    assert_eq!(tags[0].attribute("class"), Some("a b"));
    assert_eq!(tags[1].attribute("src"), Some("y.png"));
    assert_eq!(tags[1].attribute("alt"), Some(""));
    assert_eq!(doc.rows[0][1].link.as_deref(), Some("c.md"));
    assert_eq!(doc.rows[1][0].text, "1");
}
