//! What ends a process, or wants one of its own: overflows, what a drop may not do, storms of signals, limits.
//!
//! Each test runs a *case*, a function of this same binary, in a child process, and looks at how the child ended and
//! what it said. In a child a hang is ended by a watchdog and fails the test.

#[path = "../../../step01-threads/tests/subprocess/child.rs"]
#[allow(dead_code)] // it knows of more endings than there are here
mod child;
mod fatal;
mod floating;
mod kernels;
mod limits;
mod overflow;
mod runtime;
mod signals;

/// Where the children begin. As an ordinary test it has nothing to do.
#[test]
fn child_entry() {
    let Some(name) = child::case() else { return };
    let cases = [
        fatal::CASES,
        floating::CASES,
        kernels::CASES,
        limits::CASES,
        overflow::CASES,
        runtime::CASES,
        signals::CASES,
    ]
    .concat();
    let Some((_, case)) = cases.iter().find(|(known, _)| *known == name) else {
        panic!("no case {name}");
    };
    case();
    child::done()
}

/// A stack for a test that takes one.
pub(crate) fn stack() -> step02::Stack {
    let region = step02::Region::map(step02::SlotLayout::default(), 1).unwrap();
    region.open().unwrap()
}
