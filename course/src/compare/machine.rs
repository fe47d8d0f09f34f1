//! What the numbers were measured on: the machine, its kernel, the compiler, and how busy it was with other things.
//!
//! Everything is read from `/proc` and `/sys`, or asked of libc. A fact that cannot be had is left out or called
//! unknown; it never stops a run.
//!
//! The load average is reported, but it does not decide whether the machine is called noisy: right after a build it is
//! high, and says nothing about now. What decides is the processor time that went to *others* while we measured: all
//! of it, from `/proc/stat`, minus our own and our children's.

use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::yardsticks::{self, Crossing};

/// The machine and the program, as found before anything was measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    /// The processor's name, as the kernel tells it.
    pub(crate) cpu: String,
    /// `x86_64` or `aarch64`.
    pub(crate) architecture: String,
    /// How many cores this process may use.
    pub(crate) cores: usize,
    /// The kernel's name and release.
    pub(crate) kernel: String,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Bytes of memory that were available at the start.
    pub(crate) memory_available: u64,
    /// Bytes in a page.
    pub(crate) page_size: u64,
    /// Transparent huge pages: `always`, `madvise`, `never` or `unknown`.
    pub(crate) huge_pages: String,
    /// The load averages of 1, 5 and 15 minutes at the start.
    pub(crate) load_average: [f64; 3],
    /// The part of the processors' time that others used while this program did nothing, from 0 to 1.
    pub(crate) busy_before: f64,
    /// The commit that the sources were at when this was run, with `-dirty` for changed ones.
    pub(crate) commit: Option<String>,
    /// The compiler that built this program.
    pub(crate) rustc: String,
    /// `release` or `debug`.
    pub(crate) profile: String,
    /// How long a cache line takes from core to core.
    pub(crate) crossings: Vec<Crossing>,
    /// Nanoseconds of a function call.
    pub(crate) function_call_ns: f64,
    /// Nanoseconds of the cheapest system call.
    pub(crate) system_call_ns: f64,
    /// Why instructions and cycles were not counted; none if they were, or if the file is older than that.
    #[serde(default)]
    pub(crate) uncounted: Option<String>,
}

/// How long to watch what others do before a run.
const WATCH: Duration = Duration::from_millis(250);

impl Machine {
    /// Looks at the machine. Takes about half a second.
    pub(crate) fn look() -> Machine {
        let cores = yardsticks::allowed_cores().unwrap_or_default();
        let before = CpuTime::now();
        thread::sleep(WATCH);
        let busy_before = share_since(before).map_or(0.0, |share| share.others);
        let mut load_average = [0.0; 3];
        // SAFETY: the array has room for the three values asked for.
        unsafe { libc::getloadavg(load_average.as_mut_ptr(), 3) };
        Machine {
            cpu: cpu_name(&read("/proc/cpuinfo")),
            architecture: std::env::consts::ARCH.to_owned(),
            cores: cores.len().max(1),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            memory: meminfo("MemTotal"),
            memory_available: meminfo("MemAvailable"),
            page_size: sysconf(libc::_SC_PAGESIZE),
            huge_pages: chosen(&read("/sys/kernel/mm/transparent_hugepage/enabled")),
            load_average,
            busy_before,
            commit: commit(),
            rustc: env!("COURSE_RUSTC").to_owned(),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
            crossings: yardsticks::crossings(&cores).unwrap_or_default(),
            function_call_ns: yardsticks::function_call(),
            system_call_ns: yardsticks::system_call(),
            uncounted: workloads::costs::uncounted(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn sysconf(name: libc::c_int) -> u64 {
    // SAFETY: no argument but a number.
    unsafe { libc::sysconf(name) }.try_into().unwrap_or(0)
}

/// The processor's name: x86 has it in words; ARM kernels give the numbers of maker and part only.
fn cpu_name(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let of = |line: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        };
        cpuinfo.lines().find_map(of)
    };
    if let Some(name) = field("model name") {
        return name;
    }
    match (field("CPU implementer"), field("CPU part")) {
        (Some(maker), Some(part)) => {
            format!("{} (maker {maker}, part {part})", std::env::consts::ARCH)
        }
        _ => format!("unknown {}", std::env::consts::ARCH),
    }
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(name: &str) -> u64 {
    let of = |line: &str| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    read("/proc/meminfo").lines().find_map(of).unwrap_or(0) * 1024
}

/// The word in brackets of a setting such as `always [madvise] never`.
fn chosen(setting: &str) -> String {
    let word = setting
        .split('[')
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    word.unwrap_or("unknown").to_owned()
}

/// Asks git, if it is there and the sources still are where they were built.
fn commit() -> Option<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut git = Command::new("git");
    git.arg("-C").arg(sources);
    git.args(["describe", "--always", "--dirty", "--exclude=*"]);
    let output = git.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

/// Processor time since the machine started: everyone's and our own. Two of them make a [`Share`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime {
    /// In ticks, over all cores.
    all: f64,
    busy: f64,
    stolen: f64,
    own: f64,
}

/// Where the processors' time went between two moments: parts of all of it, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Share {
    /// To other programs on this machine.
    pub(crate) others: f64,
    /// To other virtual machines on the host, as the hypervisor tells it.
    pub(crate) stolen: f64,
}

impl CpuTime {
    /// What the clocks say now; none where `/proc/stat` cannot be read.
    pub(crate) fn now() -> Option<CpuTime> {
        CpuTime::parse(&read("/proc/stat"), own_ticks())
    }

    fn parse(stat: &str, own: f64) -> Option<CpuTime> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<f64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; the guest times after them are part of user and nice.
        let [user, nice, system, _idle, _iowait, _irq, _softirq, steal] =
            *ticks.first_chunk::<8>()?;
        Some(CpuTime {
            all: ticks[..8].iter().sum(),
            busy: user + nice + system,
            stolen: steal,
            own,
        })
    }

    fn until(&self, later: &CpuTime) -> Option<Share> {
        let all = later.all - self.all;
        let others = (later.busy - self.busy) - (later.own - self.own);
        (all > 0.0).then(|| Share {
            others: (others / all).clamp(0.0, 1.0),
            stolen: ((later.stolen - self.stolen) / all).clamp(0.0, 1.0),
        })
    }
}

/// Where the processors' time went since then; none if it cannot be known, or no tick has passed.
pub(crate) fn share_since(before: Option<CpuTime>) -> Option<Share> {
    before?.until(&CpuTime::now()?)
}

/// This process's and its ended children's processor time, in ticks.
fn own_ticks() -> f64 {
    let per_second = sysconf(libc::_SC_CLK_TCK) as f64;
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]
        .map(cpu_seconds)
        .iter()
        .sum::<f64>()
        * per_second
}

fn cpu_seconds(who: libc::c_int) -> f64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes a whole `rusage` at most, and all zeros is one too.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_named_as_the_kernel_names_them() {
        let x86 = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(cpu_name(x86), "Some CPU @ 2 GHz");
        let arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        assert!(cpu_name(arm).ends_with("(maker 0x41, part 0xd0c)"));
        assert!(cpu_name("").starts_with("unknown"));
    }

    #[test]
    fn settings_in_brackets_are_the_chosen_ones() {
        assert_eq!(chosen("always [madvise] never\n"), "madvise");
        assert_eq!(chosen(""), "unknown");
    }

    #[test]
    fn what_others_used_is_the_rest() {
        let at = |stat: &str, own| CpuTime::parse(stat, own).unwrap();
        let before = at("cpu  100 0 100 1000 0 0 0 0 0 0\ncpu0 1 2 3", 50.0);
        // 400 ticks passed: 200 idle, 180 busy of which 100 were ours, 20 stolen.
        let after = at("cpu  200 30 150 1200 0 0 0 20 0 0\n", 150.0);
        let share = before.until(&after).unwrap();
        assert_eq!(
            share,
            Share {
                others: 0.2,
                stolen: 0.05
            }
        );
        assert_eq!(before.until(&before), None);
        assert!(CpuTime::parse("cpu 1 2 3", 0.0).is_none());
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let machine = Machine::look();
        assert!(machine.cores >= 1 && machine.memory > 0 && machine.page_size >= 4096);
        assert!(
            machine.function_call_ns > 0.0 && machine.system_call_ns > machine.function_call_ns
        );
        assert_eq!(machine.crossings.is_empty(), machine.cores == 1);
    }
}
