//! A private copy of the workspace: what git tracks, and what it would track, without what it ignores.
//!
//! The copy is brought up to date and not made anew: a file whose content has not changed is not written, so that cargo
//! sees no change and builds nothing. Whatever a run before has changed in it is put right by the same comparison.
//!
//! Rejected: `git worktree`, which knows commits only, where a proof should be about the files as they are now; and
//! patching in place with a promise to restore, which a Ctrl-C breaks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// The copy.
#[derive(Debug)]
pub(crate) struct Tree {
    dir: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Makes `place`/tree equal to the workspace at `root`; `place`/target is where its builds go.
    pub(crate) fn copy(root: &Path, place: &Path) -> Result<Tree> {
        let dir = place.join("tree");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let wanted = files(root)?;
        for entry in WalkDir::new(&dir).min_depth(1) {
            let entry = entry?;
            let path = entry.path().strip_prefix(&dir)?;
            if entry.file_type().is_file()
                && !wanted.contains(path)
                && path != Path::new("Cargo.lock")
            {
                fs::remove_file(entry.path())?;
            }
        }
        for file in &wanted {
            let text = fs::read(root.join(file))
                .with_context(|| format!("cannot read {}", file.display()))?;
            write_if_changed(&dir.join(file), &text)?;
        }
        Ok(Tree {
            dir,
            target: place.join("target"),
        })
    }

    /// Where the copy is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its builds go.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// One file's text.
    pub(crate) fn read(&self, file: &Path) -> Result<String> {
        let path = self.dir.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Changes one file.
    pub(crate) fn write(&self, file: &Path, text: &str) -> Result<()> {
        write_if_changed(&self.dir.join(file), text.as_bytes())
    }
}

fn write_if_changed(path: &Path, text: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The files of the workspace, relative to `root`.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let git = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output();
    let listed = match git {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout)?
            .split_terminator('\0')
            .map(PathBuf::from)
            .collect(),
        // Not a clone but an unpacked archive: everything except what a build leaves behind.
        _ => WalkDir::new(root)
            .min_depth(1)
            .into_iter()
            .filter_entry(|entry| entry.file_name() != "target" && entry.file_name() != ".git")
            .filter_map(|entry| entry.ok())
            .filter_map(|entry| entry.path().strip_prefix(root).map(Path::to_path_buf).ok())
            .collect::<Vec<_>>(),
    };
    // git lists what it tracks even if it has been deleted.
    Ok(listed
        .into_iter()
        .filter(|file| root.join(file).is_file())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_its_original_and_repairs_itself() {
        let original = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = original.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "one");
        write("src/lib.rs", "two");
        write("target/debug/junk", "never copied");
        let tree = Tree::copy(original.path(), place.path()).unwrap();
        assert_eq!(tree.read(Path::new("src/lib.rs")).unwrap(), "two");
        assert!(!tree.dir().join("target").exists());

        tree.write(Path::new("src/lib.rs"), "mutated").unwrap();
        tree.write(Path::new("src/extra.rs"), "left over").unwrap();
        write("Cargo.toml", "three");
        let tree = Tree::copy(original.path(), place.path()).unwrap();
        assert_eq!(tree.read(Path::new("src/lib.rs")).unwrap(), "two");
        assert_eq!(tree.read(Path::new("Cargo.toml")).unwrap(), "three");
        assert!(!tree.dir().join("src/extra.rs").exists());
    }

    #[test]
    fn a_file_that_has_not_changed_is_not_written() {
        let original = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        fs::write(original.path().join("file"), "text").unwrap();
        let tree = Tree::copy(original.path(), place.path()).unwrap();
        let path = tree.dir().join("file");
        let long_ago =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        Tree::copy(original.path(), place.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);
    }
}
