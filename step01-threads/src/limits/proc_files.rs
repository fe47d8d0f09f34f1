//! Reading the limits, and what is used of them: getrlimit(2), `/proc` and the control groups' files.
//!
//! Each function returns `(used, max)`, or `None` if there is no such limit here, or we may not see it. The parsers are
//! functions from text to numbers, apart from the reading, so that they can be tried on any text.

use std::fs::{self, File};
use std::io::{self, Read};

/// Larger than every file that is read whole. `/proc/meminfo` and `/proc/self/status` have 1.5 KiB.
const BUFFER: usize = 4096;

/// `RLIMIT_AS`, in bytes.
pub(super) fn address_space() -> Option<(u64, u64)> {
    let max = rlimit(libc::RLIMIT_AS)?;
    Some((own_status("VmSize:")? * 1024, max))
}

/// `RLIMIT_DATA`, in bytes.
pub(super) fn data() -> Option<(u64, u64)> {
    let max = rlimit(libc::RLIMIT_DATA)?;
    Some((own_status("VmData:")? * 1024, max))
}

/// `vm.max_map_count`.
pub(super) fn mappings() -> Option<(u64, u64)> {
    let max = read_number("/proc/sys/vm/max_map_count")?;
    Some((count_lines("/proc/self/maps").ok()?, max))
}

/// `vm.overcommit_memory` 0: memory and swap in bytes. Nothing is ever used up of it.
pub(super) fn single_mapping() -> Option<(u64, u64)> {
    if read_number("/proc/sys/vm/overcommit_memory")? != 0 {
        return None;
    }
    with_file("/proc/meminfo", |text| {
        let kib = field(text, "MemTotal:")? + field(text, "SwapTotal:")?;
        Some((0, kib * 1024))
    })
}

/// `vm.overcommit_memory` 2: what is committed, in bytes.
pub(super) fn commit() -> Option<(u64, u64)> {
    if read_number("/proc/sys/vm/overcommit_memory")? != 2 {
        return None;
    }
    with_file("/proc/meminfo", |text| {
        let used = field(text, "Committed_AS:")? * 1024;
        Some((used, field(text, "CommitLimit:")? * 1024))
    })
}

/// `RLIMIT_NPROC`, unless this process is exempt from it.
pub(super) fn user_threads() -> Option<(u64, u64)> {
    let max = rlimit(libc::RLIMIT_NPROC)?;
    let capabilities = with_file("/proc/self/status", |text| {
        hexadecimal_field(text, "CapEff:")
    });
    let outermost = with_file("/proc/self/uid_map", |text| Some(maps_every_user(text)));
    // The kernel looks for these in the outermost user namespace: root in a container of its own is not exempt.
    if outermost == Some(true) && capabilities.is_some_and(lifts_limit_on_threads) {
        return None;
    }
    // SAFETY: it only asks.
    let user = u64::from(unsafe { libc::getuid() });
    let mut used = 0;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(name) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        // A process that has ended meanwhile has no threads.
        let threads = with_file(&format!("/proc/{name}/status"), |text| {
            (field(text, "Uid:")? == user).then(|| field(text, "Threads:"))?
        });
        used += threads.unwrap_or(0);
    }
    Some((used, max))
}

/// `kernel.threads-max`.
pub(super) fn system_threads() -> Option<(u64, u64)> {
    let max = read_number("/proc/sys/kernel/threads-max")?;
    Some((with_file("/proc/loadavg", all_threads)?, max))
}

/// `kernel.pid_max`. In a container only the threads outside are counted too many.
pub(super) fn process_ids() -> Option<(u64, u64)> {
    let max = read_number("/proc/sys/kernel/pid_max")?;
    Some((with_file("/proc/loadavg", all_threads)?, max))
}

/// The control group with the least room that this process is in, directly or by way of a group above: its directory,
/// how many threads it holds, and its `pids.max`.
pub(super) fn control_group() -> Option<(String, u64, u64)> {
    with_file("/proc/self/cgroup", |text| {
        let readings = text
            .lines()
            .filter_map(control_group_path)
            .flat_map(|(root, path)| {
                ancestors(path).filter_map(move |path| {
                    let directory = format!("{root}{path}");
                    let max = read_number(&format!("{directory}/pids.max"))?;
                    let used = read_number(&format!("{directory}/pids.current"))?;
                    Some((directory, used, max))
                })
            });
        readings.min_by_key(|(_, used, max)| max.saturating_sub(*used))
    })
}

/// A resource limit; none if there is no limit.
fn rlimit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes the struct, a local.
    let result = unsafe { libc::getrlimit(resource, &mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

fn own_status(name: &str) -> Option<u64> {
    with_file("/proc/self/status", |text| field(text, name))
}

fn read_number(path: &str) -> Option<u64> {
    // "max" is no number, and means that there is no limit.
    with_file(path, |text| text.trim().parse().ok())
}

/// Calls `f` with the beginning of a file, read into a buffer on the stack.
fn with_file<T>(path: &str, f: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let mut file = File::open(path).ok()?;
    let mut buffer = [0; BUFFER];
    let mut len = 0;
    loop {
        match file.read(buffer.get_mut(len..)?) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    // Only names can be other than ASCII, and those come before what is wanted or not at all.
    let bytes = buffer.get(..len)?;
    let text = str::from_utf8(bytes).or_else(|error| str::from_utf8(&bytes[..error.valid_up_to()]));
    f(text.ok()?)
}

fn count_lines(path: &str) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = [0; BUFFER];
    let mut lines = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(lines),
            Ok(n) => lines += buffer.iter().take(n).filter(|byte| **byte == b'\n').count() as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first word after `name` at the start of a line.
fn word<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()
}

/// The number after `name` at the start of a line, as in `Threads:   12`.
fn field(text: &str, name: &str) -> Option<u64> {
    word(text, name)?.parse().ok()
}

fn hexadecimal_field(text: &str, name: &str) -> Option<u64> {
    u64::from_str_radix(word(text, name)?, 16).ok()
}

/// True for the outermost user namespace, whose `uid_map` is the identity on all 32 bits.
fn maps_every_user(text: &str) -> bool {
    text.split_whitespace().eq(["0", "0", "4294967295"])
}

/// CAP_SYS_ADMIN (bit 21) or CAP_SYS_RESOURCE (bit 24).
fn lifts_limit_on_threads(capabilities: u64) -> bool {
    capabilities & (1 << 21 | 1 << 24) != 0
}

/// The threads of the system, from `/proc/loadavg`: in `0.10 0.20 0.30 2/345 6789` it is the 345.
fn all_threads(text: &str) -> Option<u64> {
    let running_and_all = text.split_whitespace().nth(3)?;
    running_and_all.split_once('/')?.1.parse().ok()
}

/// From a line of `/proc/self/cgroup`: where the hierarchy that limits processes is mounted, and the group in it.
/// `0::/a/b` is version 2, `8:pids:/a/b` version 1.
fn control_group_path(line: &str) -> Option<(&'static str, &str)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    if controllers.is_empty() {
        Some(("/sys/fs/cgroup", path))
    } else if controllers.split(',').any(|name| name == "pids") {
        Some(("/sys/fs/cgroup/pids", path))
    } else {
        None
    }
}

/// `/a/b`, `/a`, and the empty path: a group and all that it is in.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| {
        path.rfind('/').map(|end| &path[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_is_found_at_the_start_of_its_line_only() {
        let text =
            "Name:\tThreads: 7\nVmSize:\t  123456 kB\nUid:\t1000\t1001\t1002\t1003\nThreads:\t12\n";
        assert_eq!(field(text, "Threads:"), Some(12));
        assert_eq!(field(text, "VmSize:"), Some(123_456));
        assert_eq!(field(text, "Uid:"), Some(1000));
        assert_eq!(field(text, "VmData:"), None);
    }

    #[test]
    fn root_is_exempt_in_the_outermost_namespace() {
        assert!(maps_every_user("         0          0 4294967295\n"));
        assert!(!maps_every_user("         0       1000          1\n"));
        assert!(lifts_limit_on_threads(0x0000_01ff_ffff_ffff));
        assert!(!lifts_limit_on_threads(0));
        assert_eq!(
            hexadecimal_field("CapEff:\t0000000001000000\n", "CapEff:"),
            Some(1 << 24)
        );
    }

    #[test]
    fn control_groups_of_both_versions_are_found() {
        assert_eq!(
            control_group_path("0::/user.slice/a"),
            Some(("/sys/fs/cgroup", "/user.slice/a"))
        );
        assert_eq!(
            control_group_path("8:pids:/a:b"),
            Some(("/sys/fs/cgroup/pids", "/a:b"))
        );
        assert_eq!(
            control_group_path("7:cpu,pids:/"),
            Some(("/sys/fs/cgroup/pids", "/"))
        );
        assert_eq!(control_group_path("4:memory:/a"), None);
        assert_eq!(control_group_path("nonsense"), None);
        assert!(ancestors("/a/bc/d").eq(["/a/bc/d", "/a/bc", "/a", ""]));
        assert!(ancestors("/").eq([""]));
    }

    #[test]
    fn the_systems_threads_are_the_second_number() {
        assert_eq!(all_threads("1.40 0.64 0.27 2/91 10635\n"), Some(91));
        assert_eq!(all_threads("1.40 0.64"), None);
    }

    #[test]
    fn lines_are_counted_in_a_file_longer_than_the_buffer() {
        let text = include_str!("../limits.rs");
        assert!(text.len() > BUFFER);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/limits.rs");
        assert_eq!(count_lines(path).unwrap(), text.lines().count() as u64);
    }

    proptest! {
        /// The files are the kernel's, but containers put other things in their place.
        #[test]
        fn no_text_makes_a_parser_fail(text: String, name in "[A-Za-z]{1,8}:") {
            let _ = (field(&text, &name), hexadecimal_field(&text, &name), all_threads(&text));
            let _ = (control_group_path(&text), maps_every_user(&text), ancestors(&text).count());
        }

        #[test]
        fn a_number_that_was_written_is_read(before in "([a-z]{0,9}:? ?[0-9]{0,9}\n){0,5}", number: u64) {
            let text = format!("{before}Number:\t {number} kB\nafter: 3\n");
            prop_assert_eq!(field(&text, "Number:"), Some(number));
            let load = format!("0.00 0.01 0.05 3/{number} 99\n");
            prop_assert_eq!(all_threads(&load), Some(number));
        }

        #[test]
        fn every_ancestor_is_the_one_before_without_its_last_name(path in "(/[a-z]{1,4}){0,6}") {
            let all: Vec<_> = ancestors(&path).collect();
            prop_assert_eq!(all.len(), path.matches('/').count() + 1);
            prop_assert!(all.windows(2).all(|pair| pair[0].starts_with(pair[1]) && pair[0].len() > pair[1].len()));
        }
    }
}
