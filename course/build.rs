//! Tells the program which compiler built it: part of what a measurement has to say about itself.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let text = output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let version = text.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=COURSE_RUSTC={}", version.trim());
    println!("cargo::rerun-if-changed=build.rs");
}
