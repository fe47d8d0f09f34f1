//! The kernel refuses another thread: the error names the limit and the remedy, and the program goes on.

use std::mem;
use std::ptr;
use std::sync::{Arc, RwLock};

use step01::threads;
use step01::{JoinError, JoinHandle, Runtime, SpawnError, Threads};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("addresses", addresses),
    ("addresses for a stack only", addresses_for_a_stack_only),
    ("user threads", user_threads),
    ("mappings", mappings),
    ("one large stack", one_large_stack),
];

const STACK: usize = 2 << 20;

/// Sets the soft and the hard limit.
fn set_limit(resource: libc::__rlimit_resource_t, value: u64) {
    let limit = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: it only reads the struct.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
}

fn print(error: &SpawnError) {
    println!("error {error}");
    println!("limit {}", error.limit());
    println!("remedy {}", error.remedy());
}

/// Starts tasks that wait at a gate until one is refused; lets them go, and sees that all is as before.
fn spawn_until_refused(rt: &Threads, at_least: usize) {
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().unwrap();
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    let error = loop {
        let waits = Arc::clone(&gate);
        match rt.try_spawn(move || drop(waits.read())) {
            Ok(task) => tasks.push(task),
            Err(error) => break error,
        }
    };
    print(&error);
    assert!(tasks.len() >= at_least, "only {}", tasks.len());
    // Nobody was lost: one share of the gate for each task that waits, and ours.
    assert_eq!(Arc::strong_count(&gate), tasks.len() + 1);
    // The other way to spawn tells whoever joins.
    let refused = rt.spawn(|| 1).join();
    assert!(
        matches!(refused, Err(JoinError::NotStarted(_))),
        "{refused:?}"
    );
    assert_eq!(rt.alive(), tasks.len());
    drop(closed);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    while rt.alive() > 0 {
        std::thread::yield_now();
    }
}

/// The kernel takes an ended thread down a moment after its task's end, so there may be no room at once. A child that
/// finds none in all its time is ended by the watchdog.
fn spawns_again(rt: &Threads) {
    while rt.try_spawn(|| ()).is_err() {
        std::thread::yield_now();
    }
    println!("spawns again");
}

/// Bytes of addresses that this process has taken.
fn taken() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.unwrap().split_whitespace().next().unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

fn addresses() {
    let rt = Threads::builder().stack_size(STACK).build().unwrap();
    // Room for ten stacks, and less than one more for everything else.
    set_limit(libc::RLIMIT_AS, taken() + 11 * STACK as u64);
    spawn_until_refused(&rt, 8);
    spawns_again(&rt);
}

#[test]
fn too_many_stacks_for_the_address_space_is_an_error_that_names_rlimit_as() {
    let ended = child::run("addresses");
    ended.is_done().printed("error cannot start another task: ");
    ended.printed("spawns again").did_not_say("panicked");
    assert!(
        ended.value("limit ").starts_with("RLIMIT_AS is "),
        "{ended:#?}"
    );
    let remedy = ended.value("remedy ");
    assert!(remedy.contains("ulimit -v"), "{ended:#?}");
    assert!(
        remedy.contains("Threads::builder().stack_size(bytes)"),
        "{ended:#?}"
    );
}

fn addresses_for_a_stack_only() {
    let rt = Threads::builder().stack_size(STACK).build().unwrap();
    // A thread would fit. Its alternate stack, of more than 32 KiB, would not.
    let thread = STACK + threads::DEFAULT_GUARD;
    set_limit(libc::RLIMIT_AS, taken() + thread as u64 + (16 << 10));
    match rt.try_spawn(|| ()) {
        Err(error) => print(&error),
        Ok(task) => panic!("a thread without an alternate stack: {:?}", task.join()),
    }
}

#[test]
fn a_thread_that_would_have_no_alternate_stack_is_an_error_too() {
    let ended = child::run("addresses for a stack only");
    ended.is_done().did_not_say("panicked");
    assert!(
        ended.value("limit ").starts_with("RLIMIT_AS is "),
        "{ended:#?}"
    );
}

fn user_threads() {
    let rt = Threads::new();
    // The limit does not bind root, and counts all threads of a user. So root becomes a user that nobody else is;
    // anybody else gets a limit that is reached already.
    let nobody_else = 1_000_000 + std::process::id();
    // SAFETY: no memory is involved.
    let alone = unsafe { libc::geteuid() == 0 && libc::setuid(nobody_else) == 0 };
    let (limit, at_least) = if alone { (6, 2) } else { (1, 0) };
    set_limit(libc::RLIMIT_NPROC, limit);
    spawn_until_refused(&rt, at_least);
    if alone {
        spawns_again(&rt);
    }
}

#[test]
fn too_many_threads_for_the_user_is_an_error_that_names_rlimit_nproc() {
    let ended = child::run("user threads");
    ended.is_done().did_not_say("panicked");
    assert!(
        ended.value("limit ").starts_with("RLIMIT_NPROC is "),
        "{ended:#?}"
    );
    assert!(ended.value("remedy ").contains("ulimit -u"), "{ended:#?}");
}

fn mappings() {
    let rt = Threads::new();
    // Every other page of a large mapping gets another protection, until there can be no further mapping.
    let max = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let max = max.trim().parse::<usize>().unwrap();
    // SAFETY: the mapping is new, nobody looks into it, and it is unmapped as a whole.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let len = (max + 2) * page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let start = libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        let full = (0..max / 2)
            .map(|n| start.byte_add((2 * n + 1) * page))
            .any(|odd| libc::mprotect(odd, page, libc::PROT_READ) != 0);
        assert!(full, "the kernel allowed {max} mappings and more");
        // Not only at the limit: also where there is room for one mapping of a thread and not for the next.
        for even in 0..5 {
            spawn_until_refused(&rt, 0);
            let odd = start.byte_add((2 * even + 1) * page);
            assert_eq!(libc::mprotect(odd, page, libc::PROT_NONE), 0);
        }
        libc::munmap(start, len);
    }
    spawns_again(&rt);
}

#[test]
fn too_many_mappings_is_an_error_that_names_max_map_count() {
    let ended = child::run("mappings");
    ended
        .is_done()
        .printed("spawns again")
        .did_not_say("panicked");
    assert!(
        ended.value("limit ").starts_with("vm.max_map_count is "),
        "{ended:#?}"
    );
    assert!(
        ended
            .value("remedy ")
            .contains("sysctl -w vm.max_map_count="),
        "{ended:#?}"
    );
}

fn one_large_stack() {
    // SAFETY: all zeros is a valid value, and the call fills it in.
    let memory = unsafe {
        let mut info: libc::sysinfo = mem::zeroed();
        libc::sysinfo(&mut info);
        u64::from(info.mem_unit) * (info.totalram + info.totalswap)
    };
    // Fits under the limit of the builder and not under this one, whatever vm.overcommit_memory is.
    let stack = (2 * memory).next_multiple_of(1 << 20).min(16 << 40);
    set_limit(libc::RLIMIT_AS, stack);
    let rt = Threads::builder()
        .stack_size(stack as usize)
        .build()
        .unwrap();
    print(&rt.try_spawn(|| ()).unwrap_err());
    let smaller = Threads::new();
    assert_eq!(smaller.spawn(|| 5).join().unwrap(), 5);
}

#[test]
fn a_stack_larger_than_there_are_addresses_is_an_error() {
    let ended = child::run("one large stack");
    ended.is_done();
    assert!(
        ended.value("limit ").starts_with("RLIMIT_AS is "),
        "{ended:#?}"
    );
    assert!(
        ended.value("remedy ").contains("smaller stacks"),
        "{ended:#?}"
    );
}
