//! What lies between two stages: which modules are new, what became of the earlier ones, what is used of whom, and what
//! others can now call.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Package;
use super::source::{Public, Source};

/// What lies between two stages.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    /// The earlier one.
    pub(super) from: &'a Package,
    /// The later one.
    pub(super) to: &'a Package,
    /// The modules of the later one.
    pub(super) modules: Vec<Module<'a>>,
    /// What became of those of the earlier one.
    pub(super) fates: Vec<(&'a str, &'a Source, Fate)>,
    /// What the later one uses of other packages: the package, its module, the names, and the modules that use them.
    pub(super) used: BTreeMap<(String, String), Used>,
    /// The public items of the later one that the earlier one has not, each with its module.
    pub(super) added: Vec<(&'a str, &'a Public)>,
}

/// A module of the later stage.
#[derive(Debug)]
pub(super) struct Module<'a> {
    /// Its path.
    pub(super) name: &'a str,
    /// What is in it.
    pub(super) source: &'a Source,
    /// Of how many of its lines the earlier stage's module of the same name has the same, if there is one.
    pub(super) kept: Option<Kept>,
}

/// How much two files have in common, in lines that are not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Lines that are in both.
    pub(super) lines: usize,
    /// Lines of the later one.
    pub(super) of: usize,
}

impl Kept {
    /// From so many shared lines on, a diff of the two says more than reading the new one.
    pub(super) fn is_worth_a_diff(self) -> bool {
        3 * self.lines >= self.of
    }
}

/// What became of a module of the earlier stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The later stage calls it.
    Used,
    /// The later stage does not name it, but uses a module that needs it.
    Needed(String),
    /// The later stage does without it.
    LeftBehind {
        /// There is a module of the same name in its place.
        replaced: bool,
    },
}

/// What is used of a module of another package.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// The names.
    pub(super) names: BTreeSet<String>,
    /// The modules that use them.
    pub(super) by: BTreeSet<String>,
}

impl<'a> Changes<'a> {
    /// Compares two stages; `all` are those that the later one may use.
    pub(super) fn between(from: &'a Package, to: &'a Package, all: &[Package]) -> Changes<'a> {
        let modules = to.modules.iter().map(|(name, source)| Module {
            name,
            source,
            kept: from.modules.get(name).map(|before| kept(before, source)),
        });
        let used = used(to, all);
        let known: BTreeSet<&str> = from
            .reachable()
            .iter()
            .map(|(_, item)| &*item.name)
            .collect();
        let added = to.reachable().into_iter();
        let mut added: Vec<_> = added
            .filter(|(_, item)| !known.contains(&*item.name))
            .collect();
        // What belongs to a type stands below it, wherever its `impl` is.
        let first = |(module, item): &(&str, &Public)| {
            let items = &to.modules[*module].public;
            items.iter().position(|other| other.owner == item.owner)
        };
        added.sort_by_key(|entry| (entry.0, first(entry)));
        Changes {
            from,
            to,
            modules: modules.collect(),
            fates: fates(from, to, &used),
            added,
            used,
        }
    }

    /// How many of the later one's modules have no namesake in the earlier one.
    pub(super) fn new_modules(&self) -> usize {
        // Every package has a root; that is no module that somebody thought of.
        let is_new = |module: &&Module<'_>| module.kept.is_none() && module.name != "lib";
        self.modules.iter().filter(is_new).count()
    }

    /// The earlier one's modules that go on working in the later one, and their lines of code.
    pub(super) fn still_used(&self) -> (usize, usize) {
        let still =
            |(_, _, fate): &&(&str, &Source, Fate)| !matches!(fate, Fate::LeftBehind { .. });
        let still: Vec<_> = self.fates.iter().filter(still).collect();
        (
            still.len(),
            still.iter().map(|(_, source, _)| source.lines.code).sum(),
        )
    }
}

/// What is used of which module of which package.
fn used(to: &Package, all: &[Package]) -> BTreeMap<(String, String), Used> {
    let mut used: BTreeMap<(String, String), Used> = BTreeMap::new();
    for (module, source) in &to.modules {
        for path in &source.uses {
            let [package, rest @ ..] = &path[..] else {
                continue;
            };
            let Some(package) = all
                .iter()
                .find(|other| other.name == *package && other.name != to.name)
            else {
                continue;
            };
            let behind = package.module_behind(rest).unwrap_or("lib");
            let entry = used
                .entry((package.name.clone(), behind.to_owned()))
                .or_default();
            entry.names.extend(name_in(rest, behind));
            entry.by.insert(module.clone());
        }
    }
    used
}

/// What a path names in a module: `Wait` of `park::Wait`, and for the module itself its own name.
fn name_in(path: &[String], module: &str) -> Option<String> {
    let inside =
        match path.strip_prefix(&module.split("::").map(str::to_owned).collect::<Vec<_>>()[..]) {
            Some(rest) => rest,
            None => path,
        };
    match inside.first().map(String::as_str) {
        None | Some("self" | "*") => module.rsplit("::").next().map(str::to_owned),
        Some(name) => Some(name.to_owned()),
    }
}

/// What became of each module of the earlier stage.
fn fates<'a>(
    from: &'a Package,
    to: &Package,
    used: &BTreeMap<(String, String), Used>,
) -> Vec<(&'a str, &'a Source, Fate)> {
    let is_used = |module: &str| used.contains_key(&(from.name.clone(), module.to_owned()));
    let mut needed_by: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open: Vec<&str> = from
        .modules
        .keys()
        .map(|name| &**name)
        .filter(|name| is_used(name))
        .collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(module) = open.pop() {
        // What is below it goes with it: the parts of a module that is cut up, one for each kind of processor, say.
        let below = |name: &&str| {
            name.strip_prefix(module)
                .is_some_and(|rest| rest.starts_with("::"))
        };
        for part in from.modules.keys().map(|name| &**name).filter(below) {
            if seen.insert(part) {
                needed_by.insert(part, module);
                open.push(part);
            }
        }
        for path in &from.modules[module].uses {
            let inside = match &path[..] {
                [first, rest @ ..] if first == "crate" || first == "super" => rest,
                [first, ..] if from.modules.contains_key(first) => &path[..],
                _ => continue,
            };
            if let Some(below) = from.module_behind(inside)
                && below != "lib"
                && seen.insert(below)
            {
                needed_by.insert(below, module);
                open.push(below);
            }
        }
    }
    let fate = |name: &str| match needed_by.get(name) {
        _ if is_used(name) => Fate::Used,
        Some(module) => Fate::Needed((*module).to_owned()),
        None => Fate::LeftBehind {
            replaced: to.modules.contains_key(name),
        },
    };
    let modules = from.modules.iter().filter(|(name, _)| *name != "lib");
    modules
        .map(|(name, source)| (&**name, source, fate(name)))
        .collect()
}

/// How much of a file was there before.
fn kept(before: &Source, after: &Source) -> Kept {
    let full = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    let patch = diffy::create_patch(&before.text, &after.text);
    let lines = patch.hunks().iter().flat_map(|hunk| hunk.lines());
    let new =
        lines.filter(|line| matches!(line, diffy::Line::Insert(text) if !text.trim().is_empty()));
    let of = full(&after.text);
    Kept {
        lines: of.saturating_sub(new.count()),
        of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::source::Lines;

    fn package(name: &str, modules: &[(&str, &str)]) -> Package {
        let modules = modules
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Source::parse(text).unwrap()));
        Package {
            name: name.to_owned(),
            folder: name.to_owned(),
            modules: modules.collect(),
            tests: (0, Lines::default()),
        }
    }

    fn two() -> (Package, Package) {
        let before = package(
            "one",
            &[
                (
                    "lib",
                    "pub mod queue; mod chain; mod worker; mod gone; pub use worker::Worker;",
                ),
                (
                    "queue",
                    "use crate::chain::Chain;\npub struct Queue;\npub fn same() {}\n",
                ),
                ("chain", "pub struct Chain;"),
                ("chain::link", "pub struct Link;"),
                ("worker", "pub struct Worker;\nfn a() {}\nfn b() {}\n"),
                ("gone", "pub fn nobody_calls_this() {}"),
            ],
        );
        let after = package(
            "two",
            &[
                (
                    "lib",
                    "mod worker; mod steal; pub use worker::Worker; pub use steal::{Thief, same};",
                ),
                ("worker", "pub struct Worker;\nfn a() {}\nfn c() {}\n"),
                (
                    "steal",
                    "use one::queue::{self, Queue};\npub struct Thief;\npub fn same() {}\nimpl Thief { pub fn take(&self) {} }",
                ),
            ],
        );
        (before, after)
    }

    #[test]
    fn every_module_has_its_fate() {
        let (before, after) = two();
        let others = [package(
            "one",
            &[("lib", "pub mod queue;"), ("queue", "pub struct Queue;")],
        )];
        let changes = Changes::between(&before, &after, &others);
        let fates: Vec<(&str, &Fate)> = changes
            .fates
            .iter()
            .map(|(name, _, fate)| (*name, fate))
            .collect();
        let expected = [
            ("chain", &Fate::Needed("queue".to_owned())),
            ("chain::link", &Fate::Needed("chain".to_owned())),
            ("gone", &Fate::LeftBehind { replaced: false }),
            ("queue", &Fate::Used),
            ("worker", &Fate::LeftBehind { replaced: true }),
        ];
        assert_eq!(fates, expected);
        assert_eq!(changes.new_modules(), 1);
        assert_eq!(changes.still_used(), (3, 5));
        let used = &changes.used[&("one".to_owned(), "queue".to_owned())];
        let names: Vec<&str> = used.names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["Queue", "queue"]);
        assert_eq!(used.by.iter().collect::<Vec<_>>(), ["steal"]);
    }

    #[test]
    fn only_what_can_be_reached_and_was_not_there_is_added() {
        let (before, after) = two();
        let changes = Changes::between(&before, &after, &[]);
        let added: Vec<&str> = changes.added.iter().map(|(_, item)| &*item.name).collect();
        assert_eq!(added, ["Thief", "Thief::take"]);
    }

    #[test]
    fn namesakes_say_how_much_they_share() {
        let (before, after) = two();
        let changes = Changes::between(&before, &after, &[]);
        let worker = changes
            .modules
            .iter()
            .find(|module| module.name == "worker")
            .unwrap();
        assert_eq!(worker.kept, Some(Kept { lines: 2, of: 3 }));
        assert!(worker.kept.unwrap().is_worth_a_diff());
        assert!(!Kept { lines: 1, of: 4 }.is_worth_a_diff());
    }
}
