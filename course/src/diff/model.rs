//! A stage's package as a reader sees it: its modules, what each is for, and what it lets others use.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use walkdir::WalkDir;

use super::source::{Lines, Public, Source};

/// The sources of one package.
#[derive(Debug)]
pub(super) struct Package {
    /// `step03`.
    pub(super) name: String,
    /// Its folder, as it is called in the workspace.
    pub(super) folder: String,
    /// Its modules by their paths: `lib`, `worker`, `arch::x86_64`.
    pub(super) modules: BTreeMap<String, Source>,
    /// What `tests/` has, all of it together, and in how many files.
    pub(super) tests: (usize, Lines),
}

/// The packages of the workspace that are steps: their names and folders, in their order.
pub(super) fn steps(root: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut steps = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))? {
        let folder = entry?.path();
        let is_step = |name: &str| name.starts_with("step");
        if !folder
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_step)
        {
            continue;
        }
        let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else {
            continue;
        };
        let manifest: toml::Table = toml::from_str(&manifest)
            .with_context(|| format!("{} has no readable manifest", folder.display()))?;
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"));
        if let Some(name) = name.and_then(|name| name.as_str()) {
            steps.push((name.to_owned(), folder));
        }
    }
    steps.sort();
    Ok(steps)
}

impl Package {
    /// Reads a package.
    ///
    /// # Errors
    ///
    /// If one of its files cannot be read or parsed, or if it has no root.
    pub(super) fn read(folder: &Path, name: &str) -> anyhow::Result<Package> {
        let mut modules = BTreeMap::new();
        for (path, source) in sources(&folder.join("src"))? {
            modules.insert(module_of(&path), source);
        }
        ensure!(modules.contains_key("lib"), "{name} has no src/lib.rs");
        let (mut files, mut lines) = (0, Lines::default());
        if folder.join("tests").is_dir() {
            for (_, source) in sources(&folder.join("tests"))? {
                files += 1;
                lines += source.lines;
            }
        }
        let name_of = |folder: &Path| {
            folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        Ok(Package {
            name: name.to_owned(),
            folder: name_of(folder).unwrap_or_default(),
            modules,
            tests: (files, lines),
        })
    }

    /// All lines of its sources.
    pub(super) fn lines(&self) -> Lines {
        let mut all = Lines::default();
        self.modules.values().for_each(|module| all += module.lines);
        all
    }

    /// The module that a path leads to, seen from outside: by its name, or through what the crate's root shows.
    pub(super) fn module_behind(&self, path: &[String]) -> Option<&str> {
        let key = |name: &str| self.modules.get_key_value(name).map(|(name, _)| &**name);
        let first = path.first()?;
        if path.len() > 1
            && let Some(deeper) = key(&format!("{first}::{}", path[1]))
        {
            return Some(deeper);
        }
        if let Some(module) = key(first) {
            return Some(module);
        }
        let shown = &self.modules["lib"].reexports;
        let (whole, _) = shown.iter().find(|(_, name)| name == first)?;
        whole.first().and_then(|module| key(module))
    }

    /// The public items that others can reach, each with its module.
    pub(super) fn reachable(&self) -> Vec<(&str, &Public)> {
        let root = &self.modules["lib"];
        let mut reachable = Vec::new();
        for (module, source) in &self.modules {
            let top = module.split("::").next().unwrap_or(module);
            let open = module == "lib" || root.public_modules.iter().any(|name| name == top);
            let shown = |item: &&Public| {
                let of_this = |(whole, _): &&(Vec<String>, String)| {
                    whole.first().is_some_and(|first| first == top)
                        && whole
                            .last()
                            .is_some_and(|last| *last == item.owner || last == "*")
                };
                open || root.reexports.iter().any(|shown| of_this(&shown))
            };
            reachable.extend(
                source
                    .public
                    .iter()
                    .filter(shown)
                    .map(|item| (&**module, item)),
            );
        }
        reachable
    }
}

/// Every Rust file below a folder, by its path there.
fn sources(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Source)>> {
    let mut sources = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let path = entry?.into_path();
        if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let source = Source::parse(&text).with_context(|| format!("{}", path.display()))?;
            sources.push((path.strip_prefix(folder)?.to_path_buf(), source));
        }
    }
    Ok(sources)
}

/// `arch/x86_64.rs` is `arch::x86_64`, `arch/mod.rs` is `arch`.
fn module_of(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let parts = match &parts[..] {
        [above @ .., last] if last == "mod" && !above.is_empty() => above,
        all => all,
    };
    parts.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::tests::all;

    #[test]
    fn files_are_modules() {
        for (path, module) in [
            ("lib.rs", "lib"),
            ("arch/mod.rs", "arch"),
            ("arch/x86_64.rs", "arch::x86_64"),
        ] {
            assert_eq!(module_of(Path::new(path)), module);
        }
    }

    #[test]
    fn every_step_of_the_workspace_can_be_read() {
        let steps = all();
        assert!(steps.len() >= 4, "{}", steps.len());
        for package in steps {
            assert!(package.lines().code > 100, "{}", package.name);
            assert!(!package.reachable().is_empty(), "{}", package.name);
        }
    }

    #[test]
    fn a_path_leads_to_its_module() {
        let package = all()
            .iter()
            .find(|package| package.name == "step02")
            .unwrap();
        let behind = |path: &str| {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            package.module_behind(&path).map(str::to_owned)
        };
        assert_eq!(behind("Coroutine").as_deref(), Some("coroutine"));
        assert_eq!(behind("run_queue::RunQueue").as_deref(), Some("run_queue"));
        assert_eq!(behind("Nothing"), None);
    }
}
