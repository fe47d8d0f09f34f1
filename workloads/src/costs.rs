//! What a repetition costs the machine, whatever it measures: memory, processor time, context switches, instructions.
//!
//! The process that runs the repetition counts itself, from right before the runtime is built until the workload has
//! returned. So load clients and slow services, which are other processes, are not in it. It counts the warm-up and the
//! checking of answers as well: these figures are for comparing stages with each other, not for dividing by anything.
//!
//! Instructions and cycles come from the processor's own counters, by way of `perf_event_open`. Most virtual machines
//! have none, and a kernel may keep them to itself; then they are absent, and [`uncounted`] says why. They include what
//! the kernel does for the process: a stage that leaves its work to the kernel must not look cheap. Where the kernel
//! does not let itself be counted they are absent too, rather than half. Counting them slows down switches between
//! threads, so they come from a repetition of their own whose times are thrown away.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::catalog::{Better, MetricInfo, Outcome, Sample, detail};

/// What is counted, in the order in which it is reported.
pub const METRICS: &[MetricInfo] = &[
    detail(
        "process_cpu",
        "processor time of the process",
        "s",
        Better::Lower,
    ),
    detail(
        "process_peak_memory",
        "most memory that the process had at once",
        "bytes",
        Better::Lower,
    ),
    detail(
        "process_page_tables",
        "page tables of the process at its end",
        "bytes",
        Better::Lower,
    ),
    detail(
        "process_switches_voluntary",
        "times that a thread gave its core up to wait",
        "switches",
        Better::Lower,
    ),
    detail(
        "process_switches_involuntary",
        "times that the kernel took a thread's core",
        "switches",
        Better::Lower,
    ),
    detail(
        "process_instructions",
        "instructions, the kernel's for it included",
        "instructions",
        Better::Lower,
    ),
    detail(
        "process_cycles",
        "cycles, the kernel's for it included",
        "cycles",
        Better::Lower,
    ),
];

/// A count that has begun.
#[derive(Debug)]
pub struct Costs {
    before: Usage,
    instructions: Option<OwnedFd>,
    cycles: Option<OwnedFd>,
}

impl Costs {
    /// Begins to count this process: the calling thread and all that it starts from now on. Nothing is slowed down by
    /// it: the kernel keeps these counts anyway.
    pub fn begin() -> Costs {
        Costs {
            before: Usage::now(),
            instructions: None,
            cycles: None,
        }
    }

    /// Counts instructions and cycles as well, where they can be counted. A kernel that counts for each thread has more
    /// to do when it starts one and at each switch, so the times of such a repetition are not to be used.
    pub fn begin_with_instructions() -> Costs {
        Costs {
            instructions: counter(INSTRUCTIONS).ok(),
            cycles: counter(CYCLES).ok(),
            ..Costs::begin()
        }
    }

    /// Adds what was counted to an outcome with numbers; leaves any other as it is.
    pub fn add_to(&self, outcome: &mut Outcome) {
        let Outcome::Measured(samples) = outcome else {
            return;
        };
        let now = Usage::now();
        let counted = |counter: &Option<OwnedFd>| counter.as_ref().and_then(count);
        let values = [
            Some(now.cpu - self.before.cpu),
            status("VmHWM:"),
            status("VmPTE:"),
            Some(now.voluntary - self.before.voluntary),
            Some(now.involuntary - self.before.involuntary),
            counted(&self.instructions),
            counted(&self.cycles),
        ];
        let sample =
            |(metric, value): (&MetricInfo, Option<f64>)| Some(Sample::new(metric, value?));
        samples.extend(METRICS.iter().zip(values).filter_map(sample));
    }
}

/// Whether a sample is one of those that only [`Costs::begin_with_instructions`] brings.
pub fn is_instructions_or_cycles(sample: &Sample) -> bool {
    matches!(
        sample.metric.as_str(),
        "process_instructions" | "process_cycles"
    )
}

/// Why instructions and cycles cannot be counted here; none if they can.
pub fn uncounted() -> Option<String> {
    let error = counter(INSTRUCTIONS).err()?;
    Some(match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => {
            "this machine shows no such counters, as most virtual machines do not".to_owned()
        }
        Some(libc::EACCES | libc::EPERM) => {
            "the kernel does not allow it: see the setting kernel.perf_event_paranoid".to_owned()
        }
        _ => format!("perf_event_open: {error}"),
    })
}

/// What the kernel has counted of this process.
#[derive(Clone, Copy, Debug)]
struct Usage {
    cpu: f64,
    voluntary: f64,
    involuntary: f64,
}

impl Usage {
    fn now() -> Usage {
        // SAFETY: an all-zero rusage is a value of that type, and the call fills it; it cannot fail with RUSAGE_SELF.
        let usage = unsafe {
            let mut usage: libc::rusage = mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &mut usage);
            usage
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Usage {
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            voluntary: usage.ru_nvcsw as f64,
            involuntary: usage.ru_nivcsw as f64,
        }
    }
}

/// What the kernel says of this process's memory, in bytes. Not `ru_maxrss`, which a process inherits from the one that
/// started it.
fn status(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// `PERF_COUNT_HW_INSTRUCTIONS` and `PERF_COUNT_HW_CPU_CYCLES`, of the type `PERF_TYPE_HARDWARE`.
const INSTRUCTIONS: u64 = 1;
const CYCLES: u64 = 0;
const HARDWARE: u32 = 0;

/// The first fields of the kernel's `perf_event_attr`, up to its first published size, and then the reserved rest of that
/// size. The kernel takes what is not there for zero.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

/// The bits of `flags`: threads that this one starts are counted too, other processes that it starts are not
/// (`inherit_thread`, since Linux 5.13), and a hypervisor is not.
const INHERIT: u64 = 1 << 1;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const INHERIT_THREAD: u64 = 1 << 35;

/// Opens a counter of this process, which counts from now on.
fn counter(config: u64) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: HARDWARE,
        size: size_of::<Attributes>() as u32,
        config,
        flags: INHERIT | EXCLUDE_HYPERVISOR | INHERIT_THREAD,
        ..Attributes::default()
    };
    const CLOSE_ON_EXEC: libc::c_ulong = 8;
    let (this_process, any_core, no_group) = (0, -1, -1);
    // SAFETY: the attributes are as large as their `size` says and live through the call, which only reads them.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            this_process,
            any_core,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel has just made, and that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// What a counter has counted so far, with the threads that have ended.
fn count(counter: &OwnedFd) -> Option<f64> {
    let mut value = 0_u64;
    // SAFETY: eight bytes, as the read format of zero promises, into a place of that size.
    let n = unsafe { libc::read(counter.as_raw_fd(), (&raw mut value).cast(), 8) };
    (n == 8).then_some(value as f64)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Duration;

    use super::*;

    fn value(outcome: &Outcome, name: &str) -> Option<f64> {
        let Outcome::Measured(samples) = outcome else {
            return None;
        };
        let sample = samples.iter().find(|sample| sample.metric == name);
        sample.map(|sample| sample.value)
    }

    #[test]
    fn what_a_process_does_is_counted() {
        let costs = Costs::begin_with_instructions();
        // A little more than a tick of the clock by which processor time is counted, in another thread; and a wait.
        std::thread::spawn(|| {
            let start = Usage::now().cpu;
            let mut x = 1_u64;
            while Usage::now().cpu < start + 0.02 {
                for i in 0..10_000 {
                    x = black_box(x.wrapping_mul(31).wrapping_add(i));
                }
            }
        })
        .join()
        .expect("it only computes");
        std::thread::sleep(Duration::from_millis(1));
        let mut outcome = Outcome::Measured(Vec::new());
        costs.add_to(&mut outcome);
        assert!(
            value(&outcome, "process_cpu").is_some_and(|cpu| cpu >= 0.02),
            "{outcome:?}"
        );
        assert!(
            value(&outcome, "process_switches_voluntary").is_some_and(|n| n >= 1.0),
            "{outcome:?}"
        );
        for at_least_a_page in ["process_peak_memory", "process_page_tables"] {
            assert!(
                value(&outcome, at_least_a_page).is_some_and(|bytes| bytes >= 4096.0),
                "{outcome:?}"
            );
        }
        // Instructions are counted, or it is said why not.
        let instructions = value(&outcome, "process_instructions");
        assert_eq!(
            instructions.is_none(),
            uncounted().is_some(),
            "{outcome:?}, {:?}",
            uncounted()
        );
        assert!(
            instructions.is_none_or(|n| n > 10_000.0),
            "{instructions:?}"
        );
    }

    #[test]
    fn what_was_not_measured_gets_no_costs() {
        let reason = "none".to_owned();
        let mut outcome = Outcome::Skipped {
            reason: reason.clone(),
        };
        Costs::begin().add_to(&mut outcome);
        assert_eq!(outcome, Outcome::Skipped { reason });
    }
}
