//! Tells the program which versions of the peers it is built with: a measurement has to say what was measured.

use std::path::Path;

/// The crates that are peers.
const CRATES: &[&str] = &["corosensei", "rayon"];

fn main() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    println!("cargo::rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(&lock).unwrap_or_default();
    for name in CRATES {
        let version = version(&text, name).unwrap_or("unknown");
        println!("cargo::rustc-env=PEER_{}={version}", name.to_uppercase());
    }
}

/// The version of a package in a lock file, which names it and then, in the next line, says its version.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("\nname = \"{name}\"\n"))?;
    let line = rest.lines().next()?;
    line.strip_prefix("version = \"")?.strip_suffix('"')
}
