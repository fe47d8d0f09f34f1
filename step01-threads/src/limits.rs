//! Which limit was it? What the kernel means when it refuses another thread or mapping.
//!
//! pthread_create(3) answers `EAGAIN`, "try again", for nine different reasons, and trying again helps with none of
//! them. Somewhere a number was reached: of processes, of mappings, of bytes. The kernel knows which and does not say,
//! so we look: read each limit and what is used of it, see which is full, and name it together with what raises it.
//!
//! The reading comes after the refusal, and other threads go on meanwhile; some counts are of the whole system, and the
//! kernel keeps some room back (300 process ids, for one). So the answer is the *likeliest* limit: one that the request
//! would have exceeded, else the one that is fullest, if it is nearly full. If none is, the message says that, and
//! gives all the numbers.
//!
//! It needs no thread and no mapping, opens one file at a time, and reads into a buffer on the stack, so it works where
//! the process is at its limits. Only the message at the end, and the list of processes where that must be counted, are
//! allocated. Mappings can only be counted one by one: all of it took 0.2 ms with 200 mappings, and 80 ms with 65,000.
//!
//! Rejected: guessing by experiment, that is to create a smaller stack or a bare mapping and see what is refused. It
//! takes from others at the worst moment, and cannot tell two limits on processes apart.

use std::fmt;
use std::io;

use crate::runtime::SpawnError;

mod proc_files;

/// What was asked of the kernel when it refused.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Threads: 1 or 0. Without a thread, limits on processes are not looked at.
    pub threads: u64,
    /// New mappings.
    pub mappings: u64,
    /// Bytes of addresses.
    pub bytes: u64,
    /// What the user writes to have each task ask for fewer bytes, such as `Threads::builder().stack_size(bytes)`.
    pub setting: &'static str,
}

/// A limit that can be behind a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// `RLIMIT_NPROC`: threads of this user. Does not bind root.
    UserThreads,
    /// `kernel.threads-max`: threads of the whole system.
    SystemThreads,
    /// `kernel.pid_max`: every thread takes a process id.
    ProcessIds,
    /// `pids.max` of the control group in this directory, or of one above it.
    ControlGroup(String),
    /// `vm.max_map_count`: mappings of this process.
    Mappings,
    /// `RLIMIT_AS`: bytes of addresses of this process.
    AddressSpace,
    /// `RLIMIT_DATA`: bytes of private writable memory of this process, reserved ones included.
    Data,
    /// `vm.overcommit_memory` 0: a single mapping larger than memory and swap is refused.
    SingleMapping,
    /// `vm.overcommit_memory` 2: bytes that all processes may reserve together.
    Commit,
}

/// A limit, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which limit.
    pub limit: Limit,
    /// In use when it was read: threads, mappings or bytes, as the limit has it.
    pub used: u64,
    /// What the limit allows, in the same unit.
    pub max: u64,
    /// What the request would have added.
    pub wanted: u64,
}

/// Makes the error for a refusal: which limit is behind it, and what helps.
pub fn explain(cause: io::Error, request: Request) -> SpawnError {
    if cause.raw_os_error() == Some(libc::EINVAL) {
        let remedy = format!("raise it with `{}`", request.setting);
        return SpawnError::new(
            cause,
            "the stack has no room for the thread's own data (thread-locals are on it)",
            remedy,
        );
    }
    let readings = readings(request);
    match likeliest(&readings) {
        Some(reading) => {
            let remedy = reading.remedy(request.setting);
            SpawnError::new(cause, reading.to_string(), remedy)
        }
        None => {
            let all: Vec<String> = readings.iter().map(Reading::to_string).collect();
            SpawnError::new(
                cause,
                format!("no limit that we know of is near ({})", all.join("; ")),
                "keep fewer tasks alive at a time",
            )
        }
    }
}

/// Every limit on what was requested that this system has and lets us see.
pub fn readings(request: Request) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(9);
    let mut add = |limit, wanted, used_max: Option<(u64, u64)>| {
        if let Some((used, max)) = used_max
            && wanted > 0
        {
            readings.push(Reading {
                limit,
                used,
                max,
                wanted,
            });
        }
    };
    let Request {
        threads,
        mappings,
        bytes,
        ..
    } = request;
    add(Limit::AddressSpace, bytes, proc_files::address_space());
    add(Limit::Data, bytes, proc_files::data());
    add(Limit::Mappings, mappings, proc_files::mappings());
    add(Limit::SingleMapping, bytes, proc_files::single_mapping());
    add(Limit::Commit, bytes, proc_files::commit());
    if threads > 0 {
        if let Some((directory, used, max)) = proc_files::control_group() {
            add(Limit::ControlGroup(directory), threads, Some((used, max)));
        }
        add(Limit::UserThreads, threads, proc_files::user_threads());
        add(Limit::ProcessIds, threads, proc_files::process_ids());
        add(Limit::SystemThreads, threads, proc_files::system_threads());
    }
    readings
}

// ANCHOR: likeliest
/// The limit that is behind a refusal: the first that the request would exceed, else the fullest if it is at least 95 %
/// full, else none.
///
/// The order of the readings matters when several are full: what is exact and this process's own comes first.
pub fn likeliest(readings: &[Reading]) -> Option<&Reading> {
    let exceeded = readings.iter().find(|reading| reading.is_exceeded());
    exceeded.or_else(|| {
        let fullest = readings
            .iter()
            .max_by(|a, b| a.fullness().total_cmp(&b.fullness()))?;
        (fullest.fullness() >= 0.95).then_some(fullest)
    })
}
// ANCHOR_END: likeliest

impl Reading {
    /// True if the request does not fit under the limit.
    pub fn is_exceeded(&self) -> bool {
        self.used.saturating_add(self.wanted) > self.max
    }

    /// How much of the limit is used: 1 if all of it is.
    fn fullness(&self) -> f64 {
        self.used as f64 / self.max.max(1) as f64
    }

    /// What the user can do. `setting` is what makes each task smaller.
    pub fn remedy(&self, setting: &str) -> String {
        let more = self.max.saturating_mul(2);
        let fewer = "keep fewer tasks alive at a time";
        match &self.limit {
            Limit::UserThreads => format!("raise it with `ulimit -u {more}`, or {fewer}"),
            Limit::SystemThreads => {
                format!("raise it with `sysctl -w kernel.threads-max={more}`, or {fewer}")
            }
            Limit::ProcessIds => {
                // What the kernel accepts at most on a 64-bit machine.
                let more = more.min(4 << 20);
                format!("raise it with `sysctl -w kernel.pid_max={more}`, or {fewer}")
            }
            Limit::ControlGroup(directory) => format!(
                "raise it with `echo {more} > {directory}/pids.max` (TasksMax= of a systemd unit, --pids-limit of a \
                 container), or {fewer}"
            ),
            Limit::Mappings => {
                format!("raise it with `sysctl -w vm.max_map_count={more}`, or {fewer}")
            }
            Limit::AddressSpace => {
                let kib = more / 1024;
                format!(
                    "raise it with `ulimit -v {kib}`, ask for smaller stacks with `{setting}`, or {fewer}"
                )
            }
            Limit::Data => {
                let kib = more / 1024;
                format!(
                    "raise it with `ulimit -d {kib}`, ask for smaller stacks with `{setting}`, or {fewer}"
                )
            }
            Limit::SingleMapping => {
                format!(
                    "ask for smaller stacks with `{setting}`, or set `sysctl -w vm.overcommit_memory=1`"
                )
            }
            Limit::Commit => format!(
                "raise it with `sysctl -w vm.overcommit_ratio=...`, ask for smaller stacks with `{setting}`, or {fewer}"
            ),
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading {
            limit,
            used,
            max,
            wanted,
        } = self;
        match limit {
            Limit::UserThreads => {
                write!(f, "RLIMIT_NPROC is {max} and this user has {used} threads")
            }
            Limit::SystemThreads => write!(
                f,
                "kernel.threads-max is {max} and the system has {used} threads"
            ),
            Limit::ProcessIds => write!(
                f,
                "kernel.pid_max is {max} and {used} process ids are taken, one by each thread"
            ),
            Limit::ControlGroup(directory) => write!(
                f,
                "pids.max of the control group {directory} is {max} and it holds {used} threads"
            ),
            Limit::Mappings => write!(
                f,
                "vm.max_map_count is {max} and this process has {used} mappings"
            ),
            Limit::AddressSpace => write!(
                f,
                "RLIMIT_AS is {max} bytes, this process has reserved {used}, and a task takes {wanted} more"
            ),
            Limit::Data => write!(
                f,
                "RLIMIT_DATA is {max} bytes, this process has reserved {used}, and a task takes {wanted} more"
            ),
            Limit::SingleMapping => write!(
                f,
                "vm.overcommit_memory is 0, memory and swap are {max} bytes, and a task reserves {wanted}"
            ),
            Limit::Commit => write!(
                f,
                "vm.overcommit_memory is 2, all processes together may reserve {max} bytes, {used} are reserved, and a \
                 task takes {wanted} more"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE_TASK: Request = Request {
        threads: 1,
        mappings: 2,
        bytes: 1 << 20,
        setting: "smaller(bytes)",
    };

    fn reading(limit: Limit, used: u64, max: u64, wanted: u64) -> Reading {
        Reading {
            limit,
            used,
            max,
            wanted,
        }
    }

    #[test]
    fn the_limit_that_the_request_exceeds_is_named_before_a_fuller_one() {
        let readings = [
            reading(Limit::SystemThreads, 999, 1000, 1),
            reading(Limit::AddressSpace, 50, 100, 51),
        ];
        assert_eq!(likeliest(&readings).unwrap().limit, Limit::AddressSpace);
    }

    #[test]
    fn room_that_the_kernel_keeps_back_is_allowed_for() {
        // Of 32,768 process ids the kernel keeps 300 for itself.
        let readings = [
            reading(Limit::Mappings, 64_900, 130_000, 2),
            reading(Limit::ProcessIds, 32_468, 32_768, 1),
        ];
        assert_eq!(likeliest(&readings).unwrap().limit, Limit::ProcessIds);
    }

    #[test]
    fn nothing_is_named_when_nothing_is_nearly_full() {
        assert_eq!(likeliest(&[reading(Limit::Mappings, 94, 100, 2)]), None);
        assert_eq!(likeliest(&[]), None);
    }

    proptest! {
        #[test]
        fn what_is_named_is_exceeded_or_else_fullest(
            numbers in proptest::collection::vec((0..2000u64, 0..2000u64, 0..100u64), 0..6)
        ) {
            let readings: Vec<_> = numbers
                .into_iter()
                .map(|(used, max, wanted)| reading(Limit::Mappings, used, max, wanted))
                .collect();
            match likeliest(&readings) {
                Some(named) if !named.is_exceeded() => {
                    prop_assert!(readings.iter().all(|other| !other.is_exceeded()));
                    prop_assert!(readings.iter().all(|other| other.fullness() <= named.fullness()));
                    prop_assert!(named.used * 100 >= named.max * 95);
                }
                Some(_) => {}
                None => prop_assert!(readings.iter().all(|other| other.used * 100 < other.max * 95)),
            }
        }
    }

    #[test]
    fn every_limit_says_its_name_its_value_and_what_raises_it() {
        for (limit, name, remedy) in [
            (Limit::UserThreads, "RLIMIT_NPROC", "ulimit -u 2468"),
            (
                Limit::SystemThreads,
                "kernel.threads-max",
                "kernel.threads-max=2468",
            ),
            (Limit::ProcessIds, "kernel.pid_max", "kernel.pid_max=2468"),
            (
                Limit::ControlGroup("/g".into()),
                "pids.max",
                "echo 2468 > /g/pids.max",
            ),
            (Limit::Mappings, "vm.max_map_count", "vm.max_map_count=2468"),
            (Limit::AddressSpace, "RLIMIT_AS", "smaller(bytes)"),
            (Limit::Data, "RLIMIT_DATA", "smaller(bytes)"),
            (
                Limit::SingleMapping,
                "vm.overcommit_memory",
                "smaller(bytes)",
            ),
            (Limit::Commit, "vm.overcommit_memory", "smaller(bytes)"),
        ] {
            let reading = reading(limit, 1200, 1234, 56);
            let text = reading.to_string();
            assert!(text.contains(name) && text.contains("1234"), "{text}");
            let text = reading.remedy(ONE_TASK.setting);
            assert!(text.contains(remedy), "{text}");
        }
    }

    #[test]
    fn this_system_shows_its_limits_and_is_below_them() {
        let readings = readings(ONE_TASK);
        let mappings = readings
            .iter()
            .find(|reading| reading.limit == Limit::Mappings)
            .unwrap();
        assert!(mappings.used > 10 && mappings.used < mappings.max);
        assert!(
            readings
                .iter()
                .any(|reading| reading.limit == Limit::ProcessIds)
        );
        assert!(
            readings
                .iter()
                .any(|reading| reading.limit == Limit::SystemThreads)
        );
    }

    #[test]
    fn a_stack_too_small_for_the_threads_own_data_is_named_as_that() {
        let error = explain(io::Error::from_raw_os_error(libc::EINVAL), ONE_TASK);
        assert!(error.limit().contains("thread-locals"), "{error}");
        assert!(error.remedy().contains("smaller(bytes)"), "{error}");
    }
}
