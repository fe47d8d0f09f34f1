//! What there is in the workspace that a command can name: packages and their targets, and what `course` says of itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// What there is in the workspace to name in a command.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    /// Package names with their folders.
    pub(crate) packages: BTreeMap<String, PathBuf>,
    /// What `course … --help` said, by the words in between.
    help: Mutex<BTreeMap<String, Option<String>>>,
}

impl World {
    pub(crate) fn of(root: &Path) -> World {
        let manifest = read_toml(&root.join("Cargo.toml"));
        let members = manifest["workspace"]["members"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut packages = BTreeMap::new();
        for member in members.iter().filter_map(toml::Value::as_str) {
            let folder = root.join(member);
            let manifest = read_toml(&folder.join("Cargo.toml"));
            if let Some(name) = manifest["package"]["name"].as_str() {
                packages.insert(name.to_string(), folder);
            }
        }
        World {
            root: root.to_path_buf(),
            packages,
            help: Mutex::default(),
        }
    }

    /// The help of `cargo course` and the words given; none if it knows no such subcommand.
    pub(crate) fn help(&self, words: &[&str]) -> Option<String> {
        let mut cache = self.help.lock().unwrap();
        let answer = cache.entry(words.join(" ")).or_insert_with(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_course"));
            let output = command.args(words).arg("--help").output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success().then_some(text)
        });
        answer.clone()
    }

    /// Whether a package has a target of this kind (`examples`, `tests`, `benches`): a file, a folder, or an entry in
    /// its manifest. Returns the text of the file, to look for test names in.
    pub(crate) fn target(&self, package: &str, kind: &str, name: &str) -> Option<String> {
        let folder = self.packages.get(package)?;
        let manifest = read_toml(&folder.join("Cargo.toml"));
        let table = match kind {
            "examples" => "example",
            "tests" => "test",
            _ => "bench",
        };
        let entries = manifest.get(table).and_then(toml::Value::as_array).cloned();
        let entries = entries.unwrap_or_default();
        let entry = entries
            .iter()
            .find(|entry| entry["name"].as_str() == Some(name));
        let path = entry.and_then(|entry| entry.get("path")?.as_str());
        let candidates = [
            path.map(|path| folder.join(path)),
            Some(folder.join(kind).join(format!("{name}.rs"))),
            Some(folder.join(kind).join(name).join("main.rs")),
        ];
        let file = candidates
            .into_iter()
            .flatten()
            .find(|file| file.is_file())?;
        let mut text = std::fs::read_to_string(&file).unwrap_or_default();
        // The modules beside it, whatever they are called.
        let beside = [
            file.with_extension(""),
            file.parent().unwrap_or(folder).to_path_buf(),
        ];
        let is_main = file.ends_with("main.rs");
        for file in rust_files(&beside[usize::from(is_main)]) {
            text.push_str(&std::fs::read_to_string(file).unwrap_or_default());
        }
        Some(text)
    }
}

/// Every Rust file below a folder.
pub(crate) fn rust_files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let walk = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok);
    walk.map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
}

fn read_toml(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut table: toml::Table = text.parse().unwrap();
    for section in ["package", "workspace"] {
        table
            .entry(section)
            .or_insert_with(|| toml::Table::new().into());
    }
    table
}
