//! A data pipeline: statistics of words and lines over real text, in stages joined by bounded channels.
//!
//! ```text
//!            paths            texts            counts
//!  one task ──(8)──▶ readers ──(8)──▶ counters ──(8)──▶ the caller adds up
//! ```
//!
//! Each stage is some tasks that receive, do their part and send on. The channels hold eight items: a stage that is too
//! fast waits, and no more than a few texts are in memory, however many files there are. Nobody says stop: a stage ends
//! when its input is closed, and so closes the next one's. A stage that fails sends the error on in place of a result,
//! and the caller, by dropping its end, ends everything before it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use step01::{Receiver, Runtime, Sender, bounded};

/// How many items a channel holds.
const ROOM: usize = 8;

/// How many tasks of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Those that read files.
    pub readers: usize,
    /// Those that count.
    pub counters: usize,
}

impl Width {
    /// What suits so many workers: as many of both, and one reader more, for the time that reading may wait.
    pub fn for_workers(workers: usize) -> Width {
        Width {
            readers: workers + 1,
            counters: workers.max(1),
        }
    }
}

/// What there is to say about some text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How many files.
    pub files: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Lines in all.
    pub lines: u64,
    /// Lines with nothing but white space.
    pub blank_lines: u64,
    /// Length of the longest line, in characters.
    pub longest_line: usize,
    /// Words in all. A word is a run of letters, with case folded; digits and signs are none.
    pub words: u64,
    /// How often each word occurs.
    pub occurrences: HashMap<String, u64>,
}

impl Statistics {
    /// The statistics of one text.
    pub fn of(text: &str) -> Statistics {
        let mut statistics = Statistics {
            files: 1,
            bytes: text.len() as u64,
            ..Statistics::default()
        };
        let mut folded = String::new();
        for line in text.lines() {
            statistics.lines += 1;
            statistics.blank_lines += u64::from(line.trim().is_empty());
            statistics.longest_line = statistics.longest_line.max(line.chars().count());
            for word in line.split(|c: char| !c.is_alphabetic()) {
                if word.is_empty() {
                    continue;
                }
                statistics.words += 1;
                folded.clear();
                folded.extend(word.chars().flat_map(char::to_lowercase));
                // A word is copied only the first time that it is seen.
                match statistics.occurrences.get_mut(folded.as_str()) {
                    Some(count) => *count += 1,
                    None => {
                        statistics.occurrences.insert(folded.clone(), 1);
                    }
                }
            }
        }
        statistics
    }

    /// Adds those of another text.
    pub fn add(&mut self, other: Statistics) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.blank_lines += other.blank_lines;
        self.longest_line = self.longest_line.max(other.longest_line);
        self.words += other.words;
        for (word, count) in other.occurrences {
            *self.occurrences.entry(word).or_default() += count;
        }
    }

    /// The `n` most frequent words, those of the same count by alphabet.
    pub fn most_frequent(&self, n: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self
            .occurrences
            .iter()
            .map(|(word, count)| (word.as_str(), *count))
            .collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        words.truncate(n);
        words
    }
}

// ANCHOR: pipeline
/// The statistics of all `files`, each read `passes` times. To be called from a task.
///
/// # Errors
///
/// If a file cannot be read as text, or the runtime cannot start the tasks.
pub fn run<R: Runtime>(
    rt: &R,
    files: &[PathBuf],
    passes: usize,
    width: Width,
) -> io::Result<Statistics> {
    let (paths_in, paths) = bounded::<PathBuf>(ROOM);
    let (texts_in, texts) = bounded::<io::Result<String>>(ROOM);
    let (counts_in, counts) = bounded::<io::Result<Statistics>>(ROOM);

    let mut tasks = Vec::new();
    for _ in 0..width.readers.max(1) {
        let (rt2, paths, texts) = (rt.clone(), paths.clone(), texts_in.clone());
        tasks.push(rt.spawn(move || read(&rt2, &paths, &texts)));
    }
    for _ in 0..width.counters.max(1) {
        let (texts, counts) = (texts.clone(), counts_in.clone());
        tasks.push(rt.spawn(move || count(&texts, &counts)));
    }
    let files = files.to_vec();
    tasks.push(rt.spawn(move || {
        for _ in 0..passes {
            for file in &files {
                if paths_in.send(file.clone()).is_err() {
                    return;
                }
            }
        }
    }));
    // What is left of each channel now belongs to its stages alone: the last of them to end closes it.
    drop((paths, texts_in, texts, counts_in));

    let mut total = Statistics::default();
    let result = counts.iter().try_for_each(|counted| {
        total.add(counted?);
        Ok(())
    });
    drop(counts);
    for task in tasks {
        task.join().map_err(|e| io::Error::other(e.to_string()))?;
    }
    result.map(|()| total)
}

/// A reader: paths become texts.
fn read<R: Runtime>(rt: &R, paths: &Receiver<PathBuf>, texts: &Sender<io::Result<String>>) {
    for path in paths {
        let text = rt.blocking(|| fs::read_to_string(&path));
        if texts.send(text).is_err() {
            return;
        }
    }
}

/// A counter: texts become statistics.
fn count(texts: &Receiver<io::Result<String>>, counts: &Sender<io::Result<Statistics>>) {
    for text in texts {
        let counted = text.map(|text| Statistics::of(&text));
        if counts.send(counted).is_err() {
            return;
        }
    }
}
// ANCHOR_END: pipeline

/// The same without tasks and channels: what the result is compared with.
///
/// # Errors
///
/// If a file cannot be read as text.
pub fn sequentially(files: &[PathBuf], passes: usize) -> io::Result<Statistics> {
    let mut total = Statistics::default();
    for _ in 0..passes {
        for file in files {
            total.add(Statistics::of(&fs::read_to_string(file)?));
        }
    }
    Ok(total)
}

/// The text that this workspace consists of: the book and the sources, in a fixed order.
///
/// # Errors
///
/// If the workspace is no longer where it was compiled.
pub fn corpus() -> io::Result<Vec<PathBuf>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    texts_below(manifest.parent().unwrap_or(manifest))
}

/// The `.rs` and `.md` files below a folder, in a fixed order. What is hidden is left out, and what is built: folders
/// that are named `target`, and the `book` in a folder that is named so (where mdbook puts its pages).
///
/// # Errors
///
/// If the folder cannot be read, or there is no such file in it.
pub fn texts_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let wanted = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let built = name == "target" || entry.path().ends_with("book/book");
        entry.depth() == 0 || !(built || name.starts_with('.'))
    };
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(wanted)
    {
        let entry = entry?;
        let extension = entry.path().extension().and_then(|e| e.to_str());
        if entry.file_type().is_file() && matches!(extension, Some("rs" | "md")) {
            files.push(entry.into_path());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no .rs or .md file below {}", folder.display()),
        ));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_words_are_counted() {
        let statistics =
            Statistics::of("The Thread, the task:\n\n  2 threads\u{e9} \nL'\u{c9}t\u{e9}");
        assert_eq!(statistics.lines, 4);
        assert_eq!(statistics.blank_lines, 1);
        assert_eq!(statistics.longest_line, 21);
        assert_eq!(statistics.words, 7);
        assert_eq!(
            statistics.most_frequent(2),
            [("the", 2), ("l", 1)],
            "case is folded, and ties are in alphabetical order"
        );
        assert_eq!(statistics.occurrences["\u{e9}t\u{e9}"], 1);
    }

    #[test]
    fn the_statistics_of_two_texts_are_those_of_both() {
        let (a, b) = ("one two\nthree\n", "two two\n\na much longer line\n");
        let mut added = Statistics::of(a);
        added.add(Statistics::of(b));
        let mut both = Statistics::of(&[a, b].concat());
        both.files = 2;
        assert_eq!(added, both);
    }

    #[test]
    fn the_corpus_is_this_workspace() {
        let files = corpus().unwrap();
        assert!(
            files
                .iter()
                .any(|file| file.ends_with("workloads/src/programs/pipeline.rs"))
        );
        assert!(
            !files
                .iter()
                .any(|file| file.components().any(|part| part.as_os_str() == "target"))
        );
        let mut sorted = files.clone();
        sorted.sort();
        assert_eq!(files, sorted);
    }
}
