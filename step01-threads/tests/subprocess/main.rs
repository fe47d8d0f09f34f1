//! What ends a process, or wants one of its own: runaway recursion, faults, limits that are met, storms of signals.
//!
//! Each test runs a *case*, a function of this same binary, in a child process, and looks at how the child ended and
//! what it said. In a child a hang is ended by a watchdog and fails the test.

mod child;
mod faults;
mod limits;
mod resources;
mod signals;

/// Where the children begin. As an ordinary test it has nothing to do.
#[test]
fn child_entry() {
    let Some(name) = child::case() else { return };
    let cases = [
        faults::CASES,
        limits::CASES,
        resources::CASES,
        signals::CASES,
    ]
    .concat();
    let Some((_, case)) = cases.iter().find(|(known, _)| *known == name) else {
        panic!("no case {name}");
    };
    case();
    child::done()
}
