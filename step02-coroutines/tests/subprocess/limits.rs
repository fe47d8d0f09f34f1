//! What is refused, in a process that is alone with its limits.

use std::fs;

use step02::{GuardKind, Region, SlotLayout, Stack};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("protected_to_the_limit", protected_to_the_limit),
    ("little_address_space", little_address_space),
];

/// The most mappings that the test fills.
const MOST: usize = 1 << 20;

fn protected_to_the_limit() {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: usize = text.trim().parse().unwrap();
    if limit > MOST {
        println!("refused skipped: vm.max_map_count is {limit}, which takes too long to fill");
        return;
    }
    let layout = SlotLayout::new(SlotLayout::smallest()).unwrap();
    let region = Region::map_guarded_by(layout, limit, GuardKind::Protected).unwrap();
    let mut stacks: Vec<Stack> = Vec::with_capacity(limit);
    let error = loop {
        match region.open() {
            Ok(stack) => stacks.push(stack),
            Err(error) => break error,
        }
    };
    assert!(
        stacks.len() > limit / 2 - 1000 && stacks.len() <= limit / 2,
        "{}",
        stacks.len()
    );
    assert_eq!(region.guard_kind(), GuardKind::Protected);
    println!("refused {error}");
}

#[test]
fn guards_by_mprotect_stop_at_the_limit_of_mappings_and_say_so() {
    if std::env::var_os("TEST_RUNNER").is_some() {
        println!("skipped: an emulator has limits of its own");
        return;
    }
    let ended = child::run("protected_to_the_limit");
    let refused = ended.is_done().value("refused");
    if !refused.starts_with("skipped") {
        for part in ["vm.max_map_count is", "sysctl -w vm.max_map_count="] {
            assert!(refused.contains(part), "{refused}");
        }
    }
}

fn little_address_space() {
    let limit = libc::rlimit {
        rlim_cur: 1 << 30,
        rlim_max: 1 << 30,
    };
    // SAFETY: it only changes a limit of this process.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let layout = SlotLayout::default();
    println!("refused {}", Region::map(layout, 1 << 20).unwrap_err());
    assert!(Region::map(layout, 64).unwrap().open().is_ok());
}

#[test]
fn a_region_that_does_not_fit_under_the_limit_of_addresses_is_refused_by_its_name() {
    if std::env::var_os("TEST_RUNNER").is_some() {
        println!("skipped: an emulator has limits of its own");
        return;
    }
    let ended = child::run("little_address_space");
    let refused = ended.is_done().value("refused");
    assert!(
        refused.contains("RLIMIT_AS is 1073741824 bytes"),
        "{refused}"
    );
    assert!(refused.contains("ulimit -v"), "{refused}");
}
