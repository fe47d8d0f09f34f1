//! Every command that the book tells its reader to type can be typed.
//!
//! What is looked at: the lines of `console` blocks that begin with `$ `, and `code` in running text that begins with
//! `cargo `. What is asked: does cargo have this subcommand, does the workspace have this package, example, test, does
//! `cargo course` take this option, is there a workload, a stage, an exercise of this name. The `course` that has just
//! been built is asked itself, through `--help`.

use crate::model::Book;
use crate::world::{World, rust_files};

/// Programs other than cargo that a reader is told to use. They come with Linux, or the introduction says where from.
const PROGRAMS: &[&str] = &[
    "cat", "cd", "git", "grep", "ls", "mdbook", "strace", "sysctl", "ulimit",
];

/// Subcommands of cargo, with the options that take a value.
const SUBCOMMANDS: &[&str] = &["bench", "build", "clippy", "doc", "run", "test"];
const VALUES: &[&str] = &[
    "-p",
    "--package",
    "--example",
    "--test",
    "--bench",
    "--bin",
    "--features",
    "--target-dir",
];
const SWITCHES: &[&str] = &[
    "--release",
    "--quiet",
    "-q",
    "--all-targets",
    "--no-run",
    "--open",
    "--no-deps",
    "--doc",
    "--lib",
    "--examples",
    "--workspace",
    "--tests",
];
/// Options of the test harness, after `--`.
const HARNESS: &[&str] = &[
    "--nocapture",
    "--exact",
    "--ignored",
    "--list",
    "--show-output",
    "--test-threads=1",
];

/// Which commands of the book cannot be typed.
pub(crate) fn check(book: &Book, world: &World) -> Vec<String> {
    let mut problems = Vec::new();
    for page in &book.pages {
        let blocks = page
            .doc
            .blocks
            .iter()
            .filter(|block| block.language == "console");
        let lines = blocks.flat_map(|block| block.text.lines());
        let typed = lines.filter_map(|line| line.strip_prefix("$ "));
        let spans = page.doc.spans.iter().map(String::as_str);
        let mentioned = spans.filter(|span| span.starts_with("cargo "));
        for command in typed.chain(mentioned) {
            if let Err(why) = check_command(command, world) {
                problems.push(format!("{}: `{command}`: {why}", page.path));
            }
        }
    }
    problems
}

/// Why a command cannot be typed.
fn check_command(command: &str, world: &World) -> Result<(), String> {
    // A comment for the reader, a pipe, a second command: each is looked at on its own.
    let command = command.split(" #").next().unwrap_or_default();
    for part in command.split(['|', ';']).flat_map(|part| part.split("&&")) {
        let part = part
            .trim()
            .trim_start_matches('(')
            .trim_end_matches([')', '&']);
        let mut words: Vec<&str> = part.split_whitespace().collect();
        let is_setting = |word: &&str| {
            let name = word.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        while words.first().is_some_and(is_setting) {
            words.remove(0);
        }
        match words.as_slice() {
            ["cargo", rest @ ..] => check_cargo(rest, world)?,
            ["mdbook", "build", "book"] => {}
            ["mdbook", ..] => return Err("the book is in the folder book".to_string()),
            [program, ..] if PROGRAMS.contains(program) => {}
            [program, ..] => return Err(format!("{program} is no program that the book knows")),
            [] => return Err("an empty command".to_string()),
        }
    }
    Ok(())
}

fn check_cargo(words: &[&str], world: &World) -> Result<(), String> {
    match words {
        ["course", rest @ ..] => check_course(rest, world),
        [subcommand, rest @ ..] if SUBCOMMANDS.contains(subcommand) => {
            check_target(subcommand, rest, world)
        }
        ["fmt" | "fetch", ..] => Ok(()),
        [other, ..] => Err(format!(
            "cargo has no subcommand {other} that the book knows"
        )),
        [] => Err("cargo and nothing more".to_string()),
    }
}

/// `cargo run`, `cargo test` and their like.
fn check_target(subcommand: &str, words: &[&str], world: &World) -> Result<(), String> {
    let split = words
        .iter()
        .position(|word| *word == "--")
        .unwrap_or(words.len());
    let (own, passed) = (&words[..split], words.get(split + 1..).unwrap_or_default());
    let mut package = None;
    let mut targets = Vec::new();
    let mut filters = Vec::new();
    let mut i = 0;
    while let Some(word) = own.get(i) {
        if VALUES.contains(word) {
            let value = own
                .get(i + 1)
                .ok_or(format!("{word} is followed by nothing"))?;
            match *word {
                "-p" | "--package" => package = Some(*value),
                "--example" => targets.push(("examples", *value)),
                "--test" => targets.push(("tests", *value)),
                "--bench" => targets.push(("benches", *value)),
                _ => {}
            }
            i += 1;
        } else if word.starts_with('-') {
            if !SWITCHES.contains(word) {
                return Err(format!(
                    "cargo {subcommand} has no option {word} that the book knows"
                ));
            }
        } else if subcommand == "test" {
            filters.push(*word);
        } else {
            return Err(format!("cargo {subcommand} does not take {word:?}"));
        }
        i += 1;
    }
    if let Some(package) = package
        && !world.packages.contains_key(package)
    {
        return Err(format!("the workspace has no package {package}"));
    }
    let mut texts = Vec::new();
    for (kind, name) in &targets {
        let package = package.ok_or("--example and --test need a package in this workspace")?;
        match world.target(package, kind, name) {
            Some(text) => texts.push(text),
            None => {
                return Err(format!(
                    "{package} has nothing called {name} among its {kind}"
                ));
            }
        }
    }
    if !filters.is_empty() && texts.is_empty() {
        let folder = package
            .and_then(|package| world.packages.get(package))
            .unwrap_or(&world.root);
        texts.extend(rust_files(folder).filter_map(|file| std::fs::read_to_string(file).ok()));
    }
    for filter in filters {
        let known = |part: &str| texts.iter().any(|text| text.contains(part));
        if !filter.split("::").all(known) {
            return Err(format!("no test is called {filter}"));
        }
    }
    match (subcommand, package, targets.is_empty()) {
        ("run", None | Some("course"), true) => check_course(passed, world),
        ("test", ..) => match passed
            .iter()
            .find(|word| word.starts_with('-') && !HARNESS.contains(word))
        {
            Some(word) => Err(format!(
                "the test harness has no option {word} that the book knows"
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// `cargo course …`, and `cargo run --release -- …`, which is the same.
fn check_course(words: &[&str], world: &World) -> Result<(), String> {
    // Without a subcommand it is `compare`, with its options.
    let (subcommand, mut rest) = match words {
        [] => return Ok(()),
        [first, rest @ ..] if !first.starts_with('-') => (*first, rest),
        words => ("compare", words),
    };
    let mut path = vec![subcommand];
    let mut help = world
        .help(&path)
        .ok_or_else(|| format!("cargo course has no subcommand {subcommand}"))?;
    // A subcommand of the subcommand, if it has one of this name.
    if let [first, deeper @ ..] = rest
        && help
            .lines()
            .any(|line| line.split_whitespace().next() == Some(first))
        && let Some(inner) = world.help(&[subcommand, first])
        && help.contains("\nCommands:")
    {
        path.push(first);
        help = inner;
        rest = deeper;
    }
    let shown = path.join(" ");
    let mut i = 0;
    while let Some(word) = rest.get(i) {
        if word.starts_with('-') {
            let (name, mut value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (*word, None),
            };
            let line = option_line(&help, name)
                .ok_or_else(|| format!("cargo course {shown} has no option {name}"))?;
            let takes = line.split("  ").next().unwrap_or_default().contains('<');
            if takes && value.is_none() {
                value = rest.get(i + 1).copied();
                i += 1;
            }
            match (takes, value) {
                (true, None) => return Err(format!("{name} is followed by nothing")),
                (false, Some(_)) => return Err(format!("{name} takes no value")),
                (true, Some(value)) => {
                    check_value(&path, name, value, world)?;
                    // `--stage <NAME>...` takes all words up to the next option.
                    while line.contains(">...")
                        && rest.get(i + 1).is_some_and(|word| !word.starts_with('-'))
                    {
                        check_value(&path, name, rest[i + 1], world)?;
                        i += 1;
                    }
                }
                (false, None) => {}
            }
        } else {
            let usage = help
                .lines()
                .find(|line| line.starts_with("Usage:"))
                .unwrap_or_default();
            let takes = usage.split_whitespace().any(|part| {
                let inner = part.trim_matches(['[', ']', '.']);
                inner != "OPTIONS"
                    && inner != "COMMAND"
                    && (part.starts_with('[') || part.starts_with('<'))
            });
            if !takes {
                return Err(format!("cargo course {shown} does not take {word:?}"));
            }
            check_value(&path, "", word, world)?;
        }
        i += 1;
    }
    Ok(())
}

/// The line of a help text that describes an option.
fn option_line<'a>(help: &'a str, name: &str) -> Option<&'a str> {
    help.lines().map(str::trim_start).find(|line| {
        let names = line.split("  ").next().unwrap_or_default();
        line.starts_with('-') && names.split([',', ' ']).any(|word| word == name)
    })
}

/// Whether a value names something that there is. Values that name nothing (a file to write, a number) are not looked at.
fn check_value(path: &[&str], option: &str, value: &str, world: &World) -> Result<(), String> {
    for value in value.split(',') {
        let known = match (path, option) {
            (["compare"], "--workload" | "--explain") => workloads::catalog::find(value).is_some(),
            (["compare"], "--stage") => world.packages.contains_key(value),
            (["exercises", ..], "") => {
                let list = std::fs::read_to_string(world.root.join("exercises/exercises.toml"))
                    .unwrap_or_default();
                list.contains(&format!("\"{value}\""))
            }
            (["mutants", ..], "" | "--show") => {
                let mut names = world
                    .packages
                    .values()
                    .flat_map(|folder| std::fs::read_dir(folder.join("mutants")).ok());
                names.any(|folder| {
                    let mut files = folder.filter_map(Result::ok);
                    let wanted = format!("{value}.patch");
                    files.any(|file| file.file_name().to_string_lossy() == wanted)
                })
            }
            _ => true,
        };
        if !known {
            return Err(format!(
                "there is no {value} for cargo course {} {option}",
                path.join(" ")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, assert_caught};
    use crate::workspace_root;

    /// The problems of a book with one command, in the real workspace.
    fn problems(command: &str) -> Vec<String> {
        let world = World::of(&workspace_root());
        let page = format!("Text.\n\n```console\n$ {command}\nits output\n```\n");
        check(&Sample::page(&page).book(), &world)
    }

    #[test]
    fn commands_that_exist_are_clean() {
        for command in [
            "cargo run --release",
            "cargo run --release -- --quick",
            "cargo test",
            "cargo test -p step01",
            "cargo course book --no-serve",
            "cargo course compare --stage step01",
            "cargo course exercises",
            "mdbook build book",
            "ulimit -u && cat /proc/sys/kernel/threads-max",
        ] {
            assert_eq!(problems(command), [""; 0], "{command}");
        }
    }

    #[test]
    fn a_package_that_is_not_there_is_caught() {
        assert_caught(&problems("cargo test -p step99"), "no package step99");
    }

    #[test]
    fn an_example_or_test_that_is_not_there_is_caught() {
        assert_caught(
            &problems("cargo run -p step01 --example nonsense"),
            "nothing called nonsense",
        );
        assert_caught(
            &problems("cargo test -p step01 --test nonsense"),
            "nothing called nonsense",
        );
    }

    #[test]
    fn a_test_name_that_is_not_there_is_caught() {
        let nonsense = concat!("cargo test -p step01 no_such", "_test_anywhere");
        assert_caught(&problems(nonsense), "no test is called");
    }

    #[test]
    fn options_and_subcommands_that_are_not_there_are_caught() {
        assert_caught(&problems("cargo run --relaese"), "no option --relaese");
        assert_caught(
            &problems("cargo run --release -- --nonsense"),
            "no option --nonsense",
        );
        assert_caught(&problems("cargo course nonsense"), "no subcommand nonsense");
        assert_caught(
            &problems("cargo course book --nonsense"),
            "no option --nonsense",
        );
        assert_caught(&problems("cargo course book 7"), "does not take \"7\"");
        assert_caught(&problems("cargo frobnicate"), "no subcommand frobnicate");
        assert_caught(&problems("frobnicate"), "no program");
    }

    #[test]
    fn names_that_are_not_there_are_caught() {
        assert_caught(
            &problems("cargo course compare --workload nonsense"),
            "there is no nonsense",
        );
        assert_caught(
            &problems("cargo course compare --stage step99"),
            "there is no step99",
        );
        assert_caught(
            &problems("cargo course exercises check nonsense"),
            "there is no nonsense",
        );
        assert_caught(
            &problems("cargo course mutants --show nonsense"),
            "there is no nonsense",
        );
    }

    #[test]
    fn a_command_in_running_text_is_looked_at_too() {
        let world = World::of(&workspace_root());
        let page = Sample::page("Type `cargo course nonsense` and see.").book();
        assert_caught(&check(&page, &world), "no subcommand nonsense");
    }
}
