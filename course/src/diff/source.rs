//! One source file, taken apart: what it says it is, how many lines of what it has, which public items, and what it uses
//! of other modules and other crates.
//!
//! The file is parsed, by the crates that macros are written with. Counting lines by their first characters was tried and
//! rejected: a string over several lines with `//` in it, and a test module that does not stand at the end, are enough to
//! be wrong.

use std::collections::BTreeSet;

use anyhow::Context as _;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::{Attribute, ImplItem, Item, TraitItem, UseTree, Visibility};

/// How many lines a file has, by what is on them. Empty lines are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// With something for the compiler on them, tests apart.
    pub(super) code: usize,
    /// With nothing but a comment, documentation included, tests apart.
    pub(super) comments: usize,
    /// In modules and functions that only tests see.
    pub(super) tests: usize,
}

impl std::ops::AddAssign for Lines {
    fn add_assign(&mut self, other: Lines) {
        self.code += other.code;
        self.comments += other.comments;
        self.tests += other.tests;
    }
}

/// An item that is `pub` where it stands. Whether others can reach it is for the whole crate to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Public {
    /// Its own name, or for what belongs to a type, that type's.
    pub(super) owner: String,
    /// Its name: `Policy`, `Scheduled::workers`.
    pub(super) name: String,
    /// As it is written, without its body and on one line.
    pub(super) signature: String,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// The first sentence of the comment that it opens with.
    pub(super) about: String,
    /// Its lines.
    pub(super) lines: Lines,
    /// Its public items, in their order.
    pub(super) public: Vec<Public>,
    /// The paths that begin with the name of a crate, or with `crate` or `super`: their parts. Tests apart.
    pub(super) uses: BTreeSet<Vec<String>>,
    /// What `pub use module::…` brings to this level: the parts of each path, beginning with the module, and the name
    /// that it gets here.
    pub(super) reexports: Vec<(Vec<String>, String)>,
    /// The modules that it declares `pub`.
    pub(super) public_modules: Vec<String>,
    /// The text.
    pub(super) text: String,
}

impl Source {
    /// Takes a file apart.
    ///
    /// # Errors
    ///
    /// If it is no Rust.
    pub(super) fn parse(text: &str) -> anyhow::Result<Source> {
        let file = syn::parse_file(text).context("it cannot be parsed")?;
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| anyhow::anyhow!("it cannot be parsed: {error}"))?;
        let tests: Vec<(usize, usize)> = file
            .items
            .iter()
            .filter(|item| attributes(item).iter().any(is_for_tests))
            .map(|item| lines_of(item.span()))
            .collect();
        let mut source = Source {
            about: first_sentence(&file.attrs),
            lines: count(text, tokens.clone(), &tests),
            text: text.to_owned(),
            ..Source::default()
        };
        source.find_paths(tokens, &tests);
        for item in &file.items {
            source.take(item);
        }
        Ok(source)
    }

    fn take(&mut self, item: &Item) {
        if attributes(item).iter().any(is_for_tests) {
            return;
        }
        let (name, visibility, end) = match item {
            Item::Const(it) => (it.ident.to_string(), &it.vis, it.ty.span()),
            Item::Enum(it) => (
                it.ident.to_string(),
                &it.vis,
                it.generics.span_or(it.ident.span()),
            ),
            Item::Fn(it) => (it.sig.ident.to_string(), &it.vis, it.sig.span()),
            Item::Static(it) => (it.ident.to_string(), &it.vis, it.ty.span()),
            Item::Struct(it) => (
                it.ident.to_string(),
                &it.vis,
                it.generics.span_or(it.ident.span()),
            ),
            Item::Type(it) => (it.ident.to_string(), &it.vis, it.ty.span()),
            Item::Trait(it) => (
                it.ident.to_string(),
                &it.vis,
                it.generics.span_or(it.ident.span()),
            ),
            Item::Mod(it) => {
                if is_public(&it.vis) {
                    self.public_modules.push(it.ident.to_string());
                }
                return;
            }
            Item::Use(it) => {
                if is_public(&it.vis) {
                    reexported(&it.tree, &mut Vec::new(), &mut self.reexports);
                }
                return;
            }
            Item::Impl(it) if it.trait_.is_none() => return self.take_methods(it),
            _ => return,
        };
        if !is_public(visibility) {
            return;
        }
        self.add(&name, &name, visibility.span(), end);
        if let Item::Trait(it) = item {
            for inside in &it.items {
                let (method, span) = match inside {
                    TraitItem::Fn(method) => (method.sig.ident.to_string(), method.sig.span()),
                    TraitItem::Type(ty) => (ty.ident.to_string(), ty.ident.span()),
                    _ => continue,
                };
                let start = match inside {
                    TraitItem::Type(ty) => ty.type_token.span(),
                    _ => span,
                };
                self.add(&name, &format!("{name}::{method}"), start, span);
            }
        }
    }

    fn take_methods(&mut self, block: &syn::ItemImpl) {
        let syn::Type::Path(of) = &*block.self_ty else {
            return;
        };
        let Some(owner) = of.path.segments.last().map(|part| part.ident.to_string()) else {
            return;
        };
        for inside in &block.items {
            if let ImplItem::Fn(method) = inside
                && is_public(&method.vis)
            {
                let name = format!("{owner}::{}", method.sig.ident);
                self.add(&owner, &name, method.vis.span(), method.sig.span());
            }
        }
    }

    fn add(&mut self, owner: &str, name: &str, start: Span, end: Span) {
        let text = self
            .text
            .get(start.byte_range().start..end.byte_range().end);
        let words: Vec<&str> = text.unwrap_or(name).split_whitespace().collect();
        let signature = words
            .join(" ")
            .replace("( ", "(")
            .replace(", )", ")")
            .replace(" ,", ",");
        let signature = signature.trim_end_matches(',').to_owned();
        self.public.push(Public {
            owner: owner.to_owned(),
            name: name.to_owned(),
            signature,
        });
    }

    /// Collects the paths, wherever they stand: in a `use`, in a type, in a call. A path in a macro's arguments counts too,
    /// which is why this looks at tokens.
    fn find_paths(&mut self, tokens: TokenStream, tests: &[(usize, usize)]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(first) if !within(first.span(), tests) => {
                    let continues = at == 0 || !is_path_separator(&tokens, at.wrapping_sub(2));
                    if continues && is_path_separator(&tokens, at + 1) {
                        let mut path = vec![first.to_string()];
                        at = path_after(&tokens, at + 3, &mut path, &mut self.uses);
                        continue;
                    }
                }
                TokenTree::Group(group) if !is_documentation(group) => {
                    self.find_paths(group.stream(), tests);
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// Where a type's name and its parameters end.
trait SpanOr {
    fn span_or(&self, other: Span) -> Span;
}

impl SpanOr for syn::Generics {
    fn span_or(&self, other: Span) -> Span {
        self.gt_token.as_ref().map_or(other, |end| end.span())
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|what| what == "test")
}

fn lines_of(span: Span) -> (usize, usize) {
    (span.start().line, span.end().line)
}

fn within(span: Span, ranges: &[(usize, usize)]) -> bool {
    let line = span.start().line;
    ranges
        .iter()
        .any(|(from, to)| (*from..=*to).contains(&line))
}

/// The first sentence of the documentation at the top of a file.
fn first_sentence(attributes: &[Attribute]) -> String {
    let mut words = String::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        let syn::Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) = &meta.value
        else {
            continue;
        };
        let line = text.value().trim().to_owned();
        if line.is_empty() {
            break; // the end of the first paragraph
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&line);
        if let Some(end) = words.find(". ") {
            words.truncate(end + 1);
            break;
        }
    }
    words
}

/// Counts the lines of a file by what is on them.
fn count(text: &str, tokens: TokenStream, tests: &[(usize, usize)]) -> Lines {
    let mut code = BTreeSet::new();
    mark(tokens, &mut code);
    let mut lines = Lines::default();
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        if line.trim().is_empty() {
            continue;
        }
        if tests
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&number))
        {
            lines.tests += 1;
        } else if code.contains(&number) {
            lines.code += 1;
        } else {
            lines.comments += 1;
        }
    }
    lines
}

/// Notes the lines on which there are tokens that are not documentation.
fn mark(tokens: TokenStream, code: &mut BTreeSet<usize>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1);
        let after = tokens.get(i + 2);
        match token {
            // `///` and `//!` are read as `#[doc = "…"]`: a hash, for the latter an exclamation mark, and a group.
            TokenTree::Punct(hash)
                if hash.as_char() == '#' && (documents(next) || documents(after)) => {}
            TokenTree::Punct(bang) if bang.as_char() == '!' && i > 0 && documents(next) => {}
            TokenTree::Group(group) if is_documentation(group) => {}
            TokenTree::Group(group) => {
                code.insert(group.span_open().start().line);
                code.insert(group.span_close().end().line);
                mark(group.stream(), code);
            }
            other => {
                let (from, to) = lines_of(other.span());
                code.extend(from..=to);
            }
        }
    }
}

fn documents(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if is_documentation(group))
}

fn is_documentation(group: &proc_macro2::Group) -> bool {
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(first)) if first == "doc")
}

/// Whether the two tokens from here on are `::`.
fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(tokens.get(at)) && colon(tokens.get(at.wrapping_add(1)))
}

/// Reads what follows `path::`, notes every path that it ends in, and returns where it ends.
fn path_after(
    tokens: &[TokenTree],
    at: usize,
    path: &mut Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    match tokens.get(at) {
        Some(TokenTree::Ident(part)) => {
            path.push(part.to_string());
            if is_path_separator(tokens, at + 1) {
                return path_after(tokens, at + 3, path, found);
            }
            found.insert(path.clone());
            at + 1
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let mut here = 0;
            while here < inside.len() {
                if matches!(inside[here], TokenTree::Ident(_)) {
                    here = path_after(&inside, here, &mut path.clone(), found);
                    // `as name` gives it another one, which does not matter here.
                    while here < inside.len()
                        && !matches!(&inside[here], TokenTree::Punct(p) if p.as_char() == ',')
                    {
                        here += 1;
                    }
                }
                here += 1;
            }
            at + 1
        }
        // `Type::<T>::call` and the like: what was read so far is the path.
        _ => {
            found.insert(path.clone());
            at
        }
    }
}

fn reexported(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            reexported(&part.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push(([path.clone(), vec![name.clone()]].concat(), name));
        }
        UseTree::Rename(rename) => {
            let whole = [path.clone(), vec![rename.ident.to_string()]].concat();
            found.push((whole, rename.rename.to_string()));
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                reexported(tree, path, found);
            }
        }
        UseTree::Glob(_) => found.push((
            [path.clone(), vec!["*".to_owned()]].concat(),
            "*".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! A queue for all. It is slow.
//!
//! More about it.

// A comment.
pub mod inside;
pub use inside::{Small, Large as Big};

use step01::park::{self, Wait};
use crate::other::thing;

/// What it is.
pub struct Queue<T> {
    // not code
    items: Vec<T>, // code all the same
}

impl<T> Queue<T> {
    /// Puts it in.
    pub fn push(
        &mut self,
        item: T,
    ) {
        let _ = "
            // this is a string
        ";
        step02::run_queue::put::<T>(item);
    }

    fn hidden(&self) {}
}

pub trait Policy {
    type Local;
    fn next(&self) -> u32;
}

pub(crate) fn quiet() {}

#[cfg(test)]
mod tests {
    use step04::Nothing;
    #[test]
    fn works() {}
}
"##;

    #[test]
    fn lines_are_told_apart() {
        let lines = Source::parse(SAMPLE).unwrap().lines;
        assert_eq!((lines.code, lines.comments, lines.tests), (24, 7, 6));
    }

    #[test]
    fn the_first_sentence_says_what_it_is() {
        assert_eq!(Source::parse(SAMPLE).unwrap().about, "A queue for all.");
        assert_eq!(Source::parse("fn a() {}").unwrap().about, "");
    }

    #[test]
    fn public_items_have_their_signatures() {
        let source = Source::parse(SAMPLE).unwrap();
        let shown: Vec<&str> = source.public.iter().map(|item| &*item.signature).collect();
        let expected = [
            "pub struct Queue<T>",
            "pub fn push(&mut self, item: T)",
            "pub trait Policy",
            "type Local",
            "fn next(&self) -> u32",
        ];
        assert_eq!(shown, expected);
        assert_eq!(source.public[1].name, "Queue::push");
        assert_eq!(source.public_modules, ["inside"]);
        let names: Vec<&str> = source.reexports.iter().map(|(_, name)| &**name).collect();
        assert_eq!(names, ["Small", "Big"]);
    }

    #[test]
    fn paths_are_found_in_imports_and_in_code_and_not_in_tests() {
        let uses = Source::parse(SAMPLE).unwrap().uses;
        let uses: Vec<String> = uses.iter().map(|path| path.join("::")).collect();
        for path in [
            "crate::other::thing",
            "inside::Large",
            "step01::park::self",
            "step01::park::Wait",
            "step02::run_queue::put",
        ] {
            assert!(uses.contains(&path.to_owned()), "{path} is not in {uses:?}");
        }
        assert!(
            !uses.iter().any(|path| path.starts_with("step04")),
            "{uses:?}"
        );
    }
}
