//! What the workloads ask of the machine and of the process: cores, memory, processor time, limits.
//!
//! Everything is read from /proc and the cgroup files, where a reader can look at the same numbers by hand.

use std::fs;
use std::io;
use std::iter;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Holds the calling thread, and every thread that it starts from now on, on some cores. Undone when dropped, for the
/// calling thread.
pub(crate) struct Pinned {
    before: Cores,
}

/// The cores that this process was given, noted before any of its threads was pinned.
static GIVEN: OnceLock<Cores> = OnceLock::new();

impl Pinned {
    /// Pins to so many cores, the one that the thread is on among them; to all, if there are no more.
    pub(crate) fn to_cores(n: usize) -> io::Result<Pinned> {
        let before = Cores::of_this_thread()?;
        GIVEN.get_or_init(|| before);
        before.keep(n)?.pin()?;
        Ok(Pinned { before })
    }

    /// Frees the calling thread for as long as the result lives, so that a process or a thread which it starts is free
    /// as well.
    pub(crate) fn undone() -> io::Result<Pinned> {
        let before = Cores::of_this_thread()?;
        if let Some(given) = GIVEN.get() {
            given.pin()?;
        }
        Ok(Pinned { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // The kernel has given us this set before, so it cannot refuse it now; and a measurement is over.
        let _ = self.before.pin();
    }
}

/// A set of cores.
#[derive(Clone, Copy)]
struct Cores(libc::cpu_set_t);

impl Cores {
    fn of_this_thread() -> io::Result<Cores> {
        // SAFETY: an all-zero cpu_set_t is the empty set, and the call gets its true size.
        unsafe {
            let mut set: libc::cpu_set_t = mem::zeroed();
            match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
                0 => Ok(Cores(set)),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Holds the calling thread on these.
    fn pin(&self) -> io::Result<()> {
        // SAFETY: the set is valid for as long as it is borrowed, and the call gets its true size.
        match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &self.0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// `n` of these, the one that the calling thread is on first.
    fn keep(&self, n: usize) -> io::Result<Cores> {
        // SAFETY: it only asks.
        let here = unsafe { libc::sched_getcpu() };
        let here = usize::try_from(here).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: `core` is below the number of bits in the set.
        let has = |core: &usize| unsafe { libc::CPU_ISSET(*core, &self.0) };
        let others = (0..libc::CPU_SETSIZE as usize).filter(|core| *core != here);
        let chosen = iter::once(here).chain(others).filter(has).take(n.max(1));
        // SAFETY: an all-zero cpu_set_t is the empty set.
        let mut kept: libc::cpu_set_t = unsafe { mem::zeroed() };
        for core in chosen {
            // SAFETY: as above.
            unsafe { libc::CPU_SET(core, &mut kept) };
        }
        Ok(Cores(kept))
    }
}

/// The processor time that this process has used so far, its own code and the kernel's work for it.
pub(crate) fn processor_time() -> Duration {
    // SAFETY: an all-zero rusage is a value of that type, and the call fills it; it cannot fail with RUSAGE_SELF.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// What this process occupies, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Pages that are in memory, stacks among them.
    pub(crate) resident: u64,
    /// The page tables that map them.
    pub(crate) page_tables: u64,
    /// Addresses that are reserved, whether or not there is memory behind them.
    pub(crate) reserved: u64,
}

impl Footprint {
    /// As of now. Exact: `smaps_rollup` walks the page tables, where `VmRSS` is a sum of counters that lag.
    pub(crate) fn now() -> Result<Footprint, String> {
        let status = read("/proc/self/status")?;
        let rollup = read("/proc/self/smaps_rollup")?;
        Ok(Footprint {
            resident: kib(&rollup, "Rss:").ok_or("/proc/self/smaps_rollup has no line Rss")?,
            page_tables: kib(&status, "VmPTE:").ok_or("/proc/self/status has no line VmPTE")?,
            reserved: kib(&status, "VmSize:").ok_or("/proc/self/status has no line VmSize")?,
        })
    }
}

/// What the kernel keeps for all processes of the machine together: stacks of threads and the objects in its slabs, in
/// bytes. Not the page tables, which each process is told of itself.
pub(crate) fn kernel_memory() -> Result<u64, String> {
    let meminfo = read("/proc/meminfo")?;
    ["KernelStack:", "Slab:"]
        .iter()
        .map(|name| kib(&meminfo, name).ok_or_else(|| format!("/proc/meminfo has no line {name}")))
        .sum()
}

/// How much more memory this process could use, in bytes, and what says so.
pub(crate) fn available_memory() -> Result<(u64, &'static str), String> {
    let meminfo = read("/proc/meminfo")?;
    let machine = kib(&meminfo, "MemAvailable:").ok_or("/proc/meminfo has no line MemAvailable")?;
    let cgroup = fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|text| cgroup_room(&text, Path::new("/sys/fs/cgroup")));
    Ok(match cgroup {
        Some(room) if room < machine => (room, "the memory that the cgroup allows"),
        _ => (machine, "the machine's available memory"),
    })
}

/// What the memory limits of the cgroups that `/proc/self/cgroup` names still leave, the innermost and all around it.
fn cgroup_room(proc_self_cgroup: &str, root: &Path) -> Option<u64> {
    let mut least: Option<u64> = None;
    for line in proc_self_cgroup.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (base, limit, usage) = if controllers.is_empty() {
            (root.to_path_buf(), "memory.max", "memory.current")
        } else if controllers.split(',').any(|name| name == "memory") {
            let base = root.join("memory");
            (base, "memory.limit_in_bytes", "memory.usage_in_bytes")
        } else {
            continue;
        };
        let mut folder = base.join(path.trim_start_matches('/'));
        loop {
            // No such file, or the word "max": this level limits nothing.
            if let (Some(limit), Some(usage)) =
                (number(&folder.join(limit)), number(&folder.join(usage)))
            {
                let room = limit.saturating_sub(usage);
                least = Some(least.map_or(room, |least| least.min(room)));
            }
            if folder == base || !folder.pop() {
                break;
            }
        }
    }
    least
}

fn number(file: &PathBuf) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Lets this process have at least `needed` open files, by raising the soft limit as far as the hard one goes.
pub(crate) fn allow_open_files(needed: u64) -> Result<(), String> {
    // SAFETY: an all-zero rlimit is a value of that type; both calls get a valid pointer to one.
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return Err(format!("getrlimit: {}", io::Error::last_os_error()));
        }
        if limit.rlim_cur >= needed {
            return Ok(());
        }
        if limit.rlim_max < needed {
            return Err(format!(
                "{needed} open files are needed and the hard limit is {}; `ulimit -Hn` as root raises it",
                limit.rlim_max
            ));
        }
        limit.rlim_cur = needed;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
            return Err(format!("setrlimit: {}", io::Error::last_os_error()));
        }
        Ok(())
    }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|e| format!("cannot read {file}: {e}"))
}

/// The value of a line such as `VmRSS:     1234 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(value * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_in_bytes() {
        let text = "Name:\tcat\nVmRSS:\t    1612 kB\nThreads:\t1\n";
        assert_eq!(kib(text, "VmRSS:"), Some(1612 * 1024));
        assert_eq!(kib(text, "Threads:"), None, "a count is not an amount");
        assert_eq!(kib(text, "VmPTE:"), None);
    }

    #[test]
    fn this_process_has_a_footprint() {
        let footprint = Footprint::now().unwrap();
        assert!(footprint.resident > 100_000, "{footprint:?}");
        assert!(footprint.reserved > footprint.resident, "{footprint:?}");
        assert!(footprint.page_tables > 0, "{footprint:?}");
        assert!(kernel_memory().unwrap() > 0);
        assert!(available_memory().unwrap().0 > 0);
    }

    #[test]
    fn the_tightest_cgroup_on_the_way_up_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, text: &str| {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        // Version 2: the outer group is the tighter one.
        write("a/memory.max", "1000\n");
        write("a/memory.current", "400\n");
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "300\n");
        assert_eq!(cgroup_room("0::/a/b\n", root), Some(600));
        // Version 1, and the inner one.
        write("memory/c/memory.limit_in_bytes", "5000\n");
        write("memory/c/memory.usage_in_bytes", "4900\n");
        write("memory/memory.limit_in_bytes", "9000\n");
        write("memory/memory.usage_in_bytes", "5000\n");
        assert_eq!(
            cgroup_room("4:cpu:/x\n3:hugetlb,memory:/c\n", root),
            Some(100)
        );
        assert_eq!(cgroup_room("0::/nothing/here\n", root), None);
    }

    #[test]
    fn pinning_is_undone() {
        let cores = || std::thread::available_parallelism().unwrap().get();
        let before = cores();
        let pinned = Pinned::to_cores(1).unwrap();
        assert_eq!(cores(), 1);
        assert_eq!(std::thread::spawn(cores).join().unwrap(), 1, "inherited");
        let free = Pinned::undone().unwrap();
        assert_eq!(cores(), before);
        drop(free);
        assert_eq!(cores(), 1);
        drop(pinned);
        assert_eq!(cores(), before);
        let all = Pinned::to_cores(10_000).unwrap();
        assert_eq!(cores(), before, "there are no more than all");
        drop(all);
    }

    #[test]
    fn asking_for_what_is_there_is_granted_and_for_too_much_is_refused_by_name() {
        allow_open_files(16).unwrap();
        let refusal = allow_open_files(u64::MAX - 1);
        // An unlimited hard limit is `u64::MAX`, and then the kernel itself refuses.
        assert!(refusal.is_err());
    }
}
