//! The peers: runtimes and libraries that others have made, measured with the same workloads in the same run.
//!
//! They are a package of their own, `peers`, which knows them and their dependencies. Whoever only measures the stages
//! does not have to compile it. `--peers` builds it through cargo and asks the program for its list; the same program then
//! makes the repetitions. So a new peer is an entry over there and nothing here.
//!
//! A machine without a network may not be able to build it. Then one sentence says so, and the stages are measured all
//! the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::workshop;

/// The schema of the list that the program prints.
const SCHEMA: &str = "course.peers/1";

/// One of them, as the package describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Peer {
    /// Its name, on the command line and in the JSON file.
    pub(crate) name: String,
    /// What it is, in a few words: the head of its column.
    pub(crate) title: String,
    /// Who manages its tasks.
    pub(crate) management: String,
    /// The version that was built.
    pub(crate) version: String,
    /// The workloads that it can run.
    workloads: Vec<String>,
    /// The program that runs them.
    #[serde(skip)]
    pub(crate) program: PathBuf,
}

/// The list, as the program prints it.
#[derive(Debug, Deserialize)]
struct List {
    schema: String,
    /// The program's own file.
    program: PathBuf,
    peers: Vec<Peer>,
}

impl Peer {
    /// Whether it can run the workload.
    pub(crate) fn can(&self, workload: &str) -> bool {
        self.workloads.iter().any(|name| name == workload)
    }
}

/// Builds the peers and returns them; what is missing, in one sentence, if they cannot be built. Takes some seconds the
/// first time, since their dependencies are compiled.
pub(crate) fn find() -> Result<&'static [Peer], String> {
    static FOUND: OnceLock<Vec<Peer>> = OnceLock::new();
    let peers = read(&ask()?)?;
    Ok(FOUND.get_or_init(|| peers))
}

/// What the program says to `list --json`.
fn ask() -> Result<String, String> {
    // For tests, and for a machine to which the program was carried: a program that has been built already.
    let mut command = match std::env::var_os("COURSE_PEERS").filter(|path| !path.is_empty()) {
        Some(program) => Command::new(program),
        None => cargo(&workshop::root()),
    };
    let output = command
        .args(["list", "--json"])
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", name(&command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = reason(&said).unwrap_or("it does not say why");
    Err(format!("{} failed: {reason}", name(&command)))
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo.args(["run", "--release", "--quiet", "--package", "peers", "--"]);
    cargo
}

/// What was tried, as one would type it.
fn name(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// The line of a failed build that says what is missing: cargo's first error, else the last line.
fn reason(stderr: &str) -> Option<&str> {
    let lines = || {
        stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let error = lines().find_map(|line| line.strip_prefix("error: "));
    error.or_else(|| lines().next_back())
}

/// Reads the list.
fn read(text: &str) -> Result<Vec<Peer>, String> {
    let line = text.trim_end().lines().next_back().unwrap_or_default();
    let list: List = serde_json::from_str(line)
        .map_err(|error| format!("the program of the peers does not list them: {error}"))?;
    if list.schema != SCHEMA {
        let schema = list.schema;
        return Err(format!(
            "the program of the peers speaks {schema}, not {SCHEMA}"
        ));
    }
    let program = list.program;
    let with_program = |peer| Peer {
        program: program.clone(),
        ..peer
    };
    Ok(list.peers.into_iter().map(with_program).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"schema":"course.peers/1","program":"/bin/peers","peers":[{"name":"x","title":"an x",
        "management":"itself","version":"1.2.3","summary":"ignored","workloads":["raw_switch"]}]}"#;

    #[test]
    fn the_list_is_the_last_line_and_says_who_can_do_what() {
        let peers = read(&format!("noise\n{}\n", ONE.replace('\n', ""))).unwrap();
        assert_eq!((peers.len(), peers[0].name.as_str()), (1, "x"));
        assert_eq!(peers[0].program, Path::new("/bin/peers"));
        assert!(peers[0].can("raw_switch") && !peers[0].can("switch"));
    }

    #[test]
    fn a_list_of_another_form_is_refused() {
        let other = ONE.replace('\n', "").replace("peers/1", "peers/2");
        assert!(read(&other).unwrap_err().contains("speaks course.peers/2"));
        assert!(read("").unwrap_err().contains("does not list them"));
    }

    #[test]
    fn of_a_failed_build_the_first_error_is_told() {
        let cargo = "warning: x\nerror: no matching package named `corosensei` found\nlocation searched: y\n";
        assert_eq!(
            reason(cargo),
            Some("no matching package named `corosensei` found")
        );
        assert_eq!(reason("one\ntwo\n\n"), Some("two"));
        assert_eq!(reason(""), None);
    }
}
