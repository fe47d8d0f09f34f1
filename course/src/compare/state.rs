//! Where files that outlive a run are kept: the last results and the guesses.
//!
//! That is the folder `course` in cargo's target folder: it goes with `cargo clean`, and git ignores it. The target
//! folder is found from where this program lies, since that is right wherever the target folder was moved to.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder. It may not exist yet.
pub(crate) fn folder() -> PathBuf {
    choose(
        std::env::var_os("COURSE_DIR"),
        std::env::current_exe().ok().as_deref(),
        std::env::current_dir().ok().as_deref(),
    )
}

fn choose(asked: Option<OsString>, exe: Option<&Path>, cwd: Option<&Path>) -> PathBuf {
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        return asked.into();
    }
    // Cargo puts this file into every target folder.
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    if let Some(target) = exe.and_then(|exe| exe.ancestors().find(is_target)) {
        return target.join("course");
    }
    // A copied program: the workspace that the user is in, else the present folder.
    let cwd = cwd.unwrap_or(Path::new("."));
    let is_workspace = |folder: &&Path| folder.join("Cargo.lock").is_file();
    let root = cwd.ancestors().find(is_workspace).unwrap_or(cwd);
    root.join("target").join("course")
}

/// Writes a file of that folder and says where it is. It is written beside and then renamed, so that whoever reads
/// meanwhile, or a run that is interrupted, finds the old file or the new one.
pub(crate) fn save(name: &str, text: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let folder = folder();
    let file = folder.join(name);
    let write = || {
        fs::create_dir_all(&folder)?;
        let beside = folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&beside, text)?;
        fs::rename(&beside, &file)
    };
    match write() {
        Ok(()) => Ok(file),
        Err(error) => Err((file, error)),
    }
}

/// Reads a file of that folder; none if it is not there.
pub(crate) fn load(name: &str) -> io::Result<Option<String>> {
    match fs::read_to_string(folder().join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_cargo_builds() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("elsewhere");
        let exe = target.join("release/course");
        fs::create_dir_all(&target).unwrap();
        fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let chosen =
            |asked: &str, exe: &Path, cwd: &Path| choose(Some(asked.into()), Some(exe), Some(cwd));
        assert_eq!(chosen("", &exe, root.path()), target.join("course"));
        assert_eq!(chosen("/x", &exe, root.path()), Path::new("/x"));

        let inner = root.path().join("book/src");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.path().join("Cargo.lock"), "").unwrap();
        let copied = Path::new("/usr/local/bin/course");
        assert_eq!(
            chosen("", copied, &inner),
            root.path().join("target/course")
        );
    }
}
