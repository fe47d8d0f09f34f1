//! A patch with a head: a diff that plants a bug, and lines before it that say which and what must notice.
//!
//! ```text
//! # name: unpark_loads_first
//! # bug: tokio#1768: a load where a read-modify-write was needed
//! # test: cargo test -p step01 --test loom os_parker
//! # expect: deadlock
//! # story: What goes wrong, step by step.
//! #   A line without a key goes on with the one before.
//! --- a/step01-threads/src/os_parker.rs
//! +++ b/step01-threads/src/os_parker.rs
//! @@ …
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use super::tree::Tree;

/// The keys of the head, in the order in which they are written.
const KEYS: [&str; 5] = ["name", "bug", "test", "expect", "story"];

/// One planted bug.
#[derive(Debug, Clone)]
pub(crate) struct PlantedBug {
    /// What it is called on the command line: the file's name without `.patch`.
    pub(crate) name: String,
    /// Which bug of history it is, or what it is a case of.
    pub(crate) bug: String,
    /// The cargo command that must fail, as it is typed. Empty where the folder says it (exercises).
    pub(crate) test: String,
    /// What the failing output must contain, or `hang`.
    pub(crate) expect: String,
    /// How the bug comes about, in prose.
    pub(crate) story: String,
    /// The diff, from its first `---` on.
    pub(crate) diff: String,
}

impl PlantedBug {
    /// Reads a patch file's text; `stem` is the file's name without `.patch`.
    pub(crate) fn parse(stem: &str, text: &str) -> Result<PlantedBug> {
        let mut values: [Vec<&str>; KEYS.len()] = Default::default();
        let mut current = None;
        let mut rest = text;
        while let Some(comment) = rest.strip_prefix('#') {
            let (line, after) = comment.split_once('\n').unwrap_or((comment, ""));
            rest = after;
            let line = line.trim();
            let keyed = line.split_once(':').and_then(|(key, value)| {
                Some((KEYS.iter().position(|k| *k == key)?, value.trim()))
            });
            if let Some((key, value)) = keyed {
                ensure!(
                    values[key].is_empty(),
                    "the head says `{}` twice",
                    KEYS[key]
                );
                values[key].push(value);
                current = Some(key);
            } else {
                let key = current
                    .with_context(|| format!("the head begins with `# {line}`, which is no key"))?;
                values[key].push(line);
            }
        }
        let [name, bug, test, expect, story] =
            values.map(|lines| lines.join("\n").trim().to_owned());
        for (key, value) in [
            ("name", &name),
            ("bug", &bug),
            ("expect", &expect),
            ("story", &story),
        ] {
            ensure!(!value.is_empty(), "the head does not say `# {key}:`");
        }
        ensure!(
            name == stem,
            "its name is `{name}`, but the file's is `{stem}`"
        );
        let bug = PlantedBug {
            name,
            bug,
            test,
            expect,
            story,
            diff: rest.to_owned(),
        };
        bug.files()?;
        Ok(bug)
    }

    /// Reads a patch file.
    pub(crate) fn read(path: &Path) -> Result<PlantedBug> {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        std::fs::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|text| PlantedBug::parse(stem, &text))
            .with_context(|| format!("{}", path.display()))
    }

    /// True if the test is expected to hang, and the hang is the catch.
    pub(crate) fn expects_hang(&self) -> bool {
        self.expect == "hang"
    }

    /// The files that it changes.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        Ok(self
            .changes(|_| Ok(String::new()), false)?
            .into_iter()
            .map(|(file, _)| file)
            .collect())
    }

    /// Changes the copy; returns the files' texts from before, for [`Tree::write`] to put back.
    pub(crate) fn apply(&self, tree: &Tree) -> Result<Vec<(PathBuf, String)>> {
        let after = self.changes(|file| tree.read(file), true)?;
        let mut before = Vec::new();
        for (file, text) in after {
            before.push((file.clone(), tree.read(&file)?));
            tree.write(&file, &text)?;
        }
        Ok(before)
    }

    /// Says whether the files below `root` are still those that the diff was made for, and changes nothing.
    #[cfg(test)]
    pub(crate) fn applies(&self, root: &Path) -> Result<()> {
        let read = |file: &Path| Ok(std::fs::read_to_string(root.join(file))?);
        self.changes(read, true).map(drop)
    }

    /// A single text with the diff applied, whatever the diff calls the file.
    pub(crate) fn apply_to(&self, text: &str) -> Result<String> {
        let mut changes = self.changes(|_| Ok(text.to_owned()), true)?;
        ensure!(
            changes.len() == 1,
            "the diff changes {} files, not one",
            changes.len()
        );
        Ok(changes.remove(0).1)
    }

    fn changes(
        &self,
        read: impl Fn(&Path) -> Result<String>,
        apply: bool,
    ) -> Result<Vec<(PathBuf, String)>> {
        ensure!(
            !self.diff.trim().is_empty(),
            "there is no diff below the head"
        );
        let mut changed = Vec::new();
        for patch in PatchSet::parse(&self.diff, ParseOptions::unidiff()) {
            let patch = patch.context("the diff cannot be read")?;
            let operation = patch.operation().strip_prefix(1);
            let FileOperation::Modify { original, modified } = operation else {
                bail!("the diff makes or deletes a file; it may only change some");
            };
            ensure!(original == modified, "the diff renames a file");
            let file = PathBuf::from(original.as_ref());
            let text = if apply {
                let before = read(&file)?;
                let hunks = patch.patch().as_text().context("the diff is binary")?;
                let after = diffy::apply(&before, hunks)
                    .with_context(|| format!("{} has changed since", file.display()))?;
                ensure!(before != after, "the diff changes nothing");
                after
            } else {
                String::new()
            };
            changed.push((file, text));
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# name: wrong_sum
# bug: none in history: a sum that is off by one
# test: cargo test -p toy
# expect: assertion
# story: The sum starts at one.
#
#   It is: never right.
--- a/toy/src/lib.rs
+++ b/toy/src/lib.rs
@@ -1,3 +1,3 @@
 fn sum() -> u32 {
-    0
+    1
 }
";

    #[test]
    fn a_head_is_read_with_its_continuation_lines() {
        let bug = PlantedBug::parse("wrong_sum", GOOD).unwrap();
        assert_eq!(bug.bug, "none in history: a sum that is off by one");
        assert_eq!(bug.test, "cargo test -p toy");
        assert_eq!(bug.story, "The sum starts at one.\n\nIt is: never right.");
        assert_eq!(bug.files().unwrap(), [PathBuf::from("toy/src/lib.rs")]);
        assert!(!bug.expects_hang());
    }

    #[test]
    fn a_diff_is_applied_even_if_lines_have_moved() {
        let bug = PlantedBug::parse("wrong_sum", GOOD).unwrap();
        let text = "// a new line\n// and another\nfn sum() -> u32 {\n    0\n}\n";
        assert_eq!(bug.apply_to(text).unwrap(), text.replace('0', "1"));
        let error = bug
            .apply_to("fn product() -> u32 {\n    1\n}\n")
            .unwrap_err();
        assert!(
            format!("{error:#}").contains("has changed since"),
            "{error:#}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_head_is_said() {
        let refused =
            |stem: &str, text: &str| format!("{:#}", PlantedBug::parse(stem, text).unwrap_err());
        assert!(
            refused("other", GOOD).contains("its name is `wrong_sum`, but the file's is `other`")
        );
        let without = |line: &str| GOOD.replace(line, "");
        assert!(
            refused("wrong_sum", &without("# expect: assertion\n"))
                .contains("does not say `# expect:`")
        );
        assert!(refused("wrong_sum", &without("# name: wrong_sum\n")).contains("`# name:`"));
        assert!(refused("x", "# once upon a time\n").contains("no key"));
        assert!(
            refused("wrong_sum", &GOOD.replace("# bug", "# name: again\n# bug")).contains("twice")
        );
        let no_diff = &GOOD[..GOOD.find("---").unwrap()];
        assert!(refused("wrong_sum", no_diff).contains("no diff"));
        assert!(
            refused(
                "wrong_sum",
                &GOOD.replace("--- a/toy/src/lib.rs", "--- /dev/null")
            )
            .contains("makes or deletes")
        );
    }
}
