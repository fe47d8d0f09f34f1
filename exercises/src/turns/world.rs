//! One run: its tasks, whose turn it is, and what they have done.

use std::cell::Cell;
use std::fmt::{self, Display, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

use step01::park::{self, ParkVTable, Parker};
use step01::{Job, UnparkVTable, Unparker};

use super::plan::{Candidate, Plan};

/// A task that keeps its turn for so long does not come to a point any more.
const WATCHDOG: Duration = Duration::from_secs(60);
/// More turns than that in one run, and the tasks go round in circles.
const TURNS_AT_MOST: usize = 20_000;
/// As much of the order as a report shows.
const LINES_SHOWN: usize = 60;

/// How a run ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With everybody at the end; the turns, line by line.
    Finished(String),
    /// With this to be reported.
    Failed(String),
}

/// One run.
#[derive(Debug)]
pub(super) struct World {
    state: Mutex<State>,
    /// Told when the run has ended.
    over: Condvar,
}

#[derive(Debug)]
struct State {
    tasks: Vec<Task>,
    running: usize,
    plan: Option<Plan>,
    log: Vec<String>,
    turns: usize,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Task {
    name: String,
    status: Status,
    token: bool,
    at_point: bool,
    /// Told when it is this task's turn.
    turn: Arc<Condvar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    /// Has yielded: goes on when nobody is ready.
    Yielded,
    /// Waits until nobody else can move.
    Settling,
    Parked(park::Wait, Option<Instant>),
    Ended,
}

/// What an `Unparker` of this runtime points at. Cells are recycled and never freed.
#[derive(Debug)]
struct TaskCell(Mutex<Option<(Arc<World>, usize)>>);

static FREE_CELLS: Mutex<Vec<&'static TaskCell>> = Mutex::new(Vec::new());

thread_local! {
    /// The task that this thread is. A task never changes its thread here.
    static CURRENT: Cell<Option<&'static TaskCell>> = const { Cell::new(None) };
}

static UNPARK: UnparkVTable = UnparkVTable {
    unpark: |data| {
        // SAFETY: `data` is a `TaskCell`, and those are never freed.
        let cell = unsafe { &*data.cast::<TaskCell>() };
        if let Some((world, task)) = locked(&cell.0).clone() {
            world.unpark(task);
        }
    },
};

static PARK: ParkVTable = ParkVTable {
    park: |data, wait, deadline| {
        // SAFETY: `data` is the cell of this thread's task.
        let cell = unsafe { &*data.cast::<TaskCell>() };
        let task = locked(&cell.0).clone();
        let (world, task) = task.expect("a task that parks has not ended");
        world.park(task, wait, deadline);
    },
    // SAFETY: `data` is a `TaskCell`, and those are never freed.
    current: |data| unsafe { Unparker::new(data, &UNPARK) },
};

/// The mutexes here guard plain data, which is whole even if a holder has panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current() -> Option<(Arc<World>, usize)> {
    let cell = CURRENT.get()?;
    locked(&cell.0).clone()
}

/// Says that the calling task is about to do something that other tasks can see, and lets the run choose who goes on.
/// On a thread that is no task of a run it does nothing.
pub fn point(what: impl Display) {
    if let Some((world, task)) = current() {
        world.point(task, what.to_string());
    }
}

/// Adds to the running order what came of a step.
pub(crate) fn note(what: fmt::Arguments<'_>) {
    if let Some((world, _)) = current()
        && let Some(line) = locked(&world.state).log.last_mut()
    {
        let _ = write!(line, "{what}");
    }
}

impl World {
    pub(super) fn new(plan: Plan) -> Arc<World> {
        Arc::new(World {
            state: Mutex::new(State {
                tasks: Vec::new(),
                running: 0,
                plan: Some(plan),
                log: Vec::new(),
                turns: 0,
                outcome: None,
            }),
            over: Condvar::new(),
        })
    }

    /// Runs `main` as the first task, and the run to its end.
    pub(super) fn run_main(
        self: &Arc<Self>,
        main: impl FnOnce() + Send + 'static,
    ) -> (Outcome, Plan) {
        let (job, handle) = Job::new(main, panic::Location::caller());
        let world = self.clone();
        self.spawn("main".into(), move || {
            job.run();
            if let Err(error) = handle.join() {
                let message = error
                    .panic_message()
                    .unwrap_or("a panic without a message")
                    .to_owned();
                world.fail(
                    &mut locked(&world.state),
                    &format!("and then main panicked: {message}"),
                );
            }
        });
        let mut state = locked(&self.state);
        let mut turns = usize::MAX;
        while state.outcome.is_none() {
            // The clock starts again with every turn.
            let silent = turns == state.turns;
            turns = state.turns;
            let (after, timeout) = self
                .over
                .wait_timeout(state, WATCHDOG)
                .unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() && silent && state.turns == turns && state.outcome.is_none() {
                let name = state.tasks[state.running].name.clone();
                let seconds = WATCHDOG.as_secs();
                self.fail(
                    &mut state,
                    &format!(
                        "and then `{name}` kept its turn for {seconds} s: it goes round in a loop, or blocks its thread \
                         with something that is not step01's"
                    ),
                );
            }
        }
        let outcome = state.outcome.take().expect("the loop has waited for it");
        // Whoever still waits for a turn in a failed run waits for ever; the process ends soon.
        (outcome, state.plan.take().expect("it is taken once"))
    }

    pub(super) fn start(self: &Arc<Self>, name: Option<&str>, job: Job) {
        let name = name.map_or_else(
            || format!("task {}", locked(&self.state).tasks.len()),
            str::to_owned,
        );
        self.spawn(name, move || {
            job.run();
        });
    }

    fn spawn(self: &Arc<Self>, name: String, body: impl FnOnce() + Send + 'static) {
        let mut state = locked(&self.state);
        let id = state.tasks.len();
        let turn = Arc::new(Condvar::new());
        state.tasks.push(Task {
            name: name.clone(),
            status: Status::Ready,
            token: false,
            at_point: false,
            turn,
        });
        drop(state);
        let world = self.clone();
        let cell = locked(&FREE_CELLS).pop();
        let cell: &'static TaskCell =
            cell.unwrap_or_else(|| Box::leak(Box::new(TaskCell(Mutex::new(None)))));
        *locked(&cell.0) = Some((world.clone(), id));
        let thread = thread::Builder::new().name(name);
        let started = thread.spawn(move || {
            CURRENT.set(Some(cell));
            // SAFETY: both functions take a `TaskCell`, this one is this thread's, and none is ever freed.
            unsafe { park::install(Some(Parker::new((cell as *const TaskCell).cast(), &PARK))) };
            drop(world.wait_for_turn(locked(&world.state), id));
            // A panic was caught and stored by the job. What could still come is dropped with the thread.
            let _ = panic::catch_unwind(AssertUnwindSafe(body));
            CURRENT.set(None);
            // SAFETY: a plain thread's parker fits every thread.
            unsafe { park::install(None) };
            *locked(&cell.0) = None;
            locked(&FREE_CELLS).push(cell);
            let mut state = locked(&world.state);
            state.tasks[id].status = Status::Ended;
            state.log(id, "ends".into());
            drop(world.give_turn(state, id, false));
        });
        started.expect("the kernel gives one more thread");
    }

    pub(super) fn yield_now(&self) {
        let (_, me) = current().expect("only a task of this run can yield");
        let mut state = locked(&self.state);
        state.log(me, "yields".into());
        state.tasks[me].status = Status::Yielded;
        drop(self.wait_for_turn(self.give_turn(state, me, false), me));
    }

    pub(super) fn settle(&self) {
        let (_, me) = current().expect("only a task of this run can wait for the others");
        let mut state = locked(&self.state);
        state.log(me, "waits until nobody else can move".into());
        state.tasks[me].status = Status::Settling;
        drop(self.wait_for_turn(self.give_turn(state, me, false), me));
    }

    fn point(&self, me: usize, what: String) {
        let mut state = locked(&self.state);
        state.tasks[me].at_point = true;
        let mut state = self.wait_for_turn(self.give_turn(state, me, true), me);
        state.tasks[me].at_point = false;
        state.log(me, what);
    }

    fn park(&self, me: usize, wait: park::Wait, deadline: Option<Instant>) {
        let mut state = locked(&self.state);
        if mem::take(&mut state.tasks[me].token) {
            state.log(me, format!("does not park ({wait}): its token is there"));
            return;
        }
        state.log(me, format!("parks ({wait})"));
        state.tasks[me].status = Status::Parked(wait, deadline);
        let mut state = self.wait_for_turn(self.give_turn(state, me, false), me);
        state.tasks[me].token = false;
    }

    fn unpark(&self, task: usize) {
        let mut state = locked(&self.state);
        state.tasks[task].token = true;
        if let Status::Parked(..) = state.tasks[task].status {
            state.tasks[task].status = Status::Ready;
        }
        let name = state.tasks[task].name.clone();
        let unparked = format!("unparks `{name}`");
        match current() {
            Some((_, me)) => state.log(me, unparked),
            None => state.log.push(format!("a thread from outside {unparked}")),
        }
    }

    /// Chooses who goes on after `me` has changed its status, and tells it.
    fn give_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        me: usize,
        preempts: bool,
    ) -> MutexGuard<'a, State> {
        state.turns += 1;
        if state.outcome.is_some() {
            return state;
        }
        if state.turns > TURNS_AT_MOST {
            self.fail(
                &mut state,
                &format!("and so on: after {TURNS_AT_MOST} turns there is no end in sight"),
            );
            return state;
        }
        loop {
            let candidates = state.candidates(me);
            if !candidates.is_empty() {
                let mut plan = state.plan.take().expect("a run has its plan until it ends");
                let chosen = candidates[plan.choose(&candidates, preempts)].clone();
                state.plan = Some(plan);
                let task = &mut state.tasks[chosen.task];
                if chosen.for_no_reason {
                    task.status = Status::Ready;
                    state.log(chosen.task, "is woken for no reason".into());
                }
                let task = &mut state.tasks[chosen.task];
                task.status = Status::Ready;
                task.turn.notify_one();
                state.running = chosen.task;
                return state;
            }
            // Nobody can move; but somebody may only be waiting for the time to pass.
            let deadlines =
                state
                    .tasks
                    .iter()
                    .enumerate()
                    .filter_map(|(id, task)| match task.status {
                        Status::Parked(_, Some(deadline)) => Some((deadline, id)),
                        _ => None,
                    });
            if let Some((deadline, id)) = deadlines.min() {
                drop(state);
                thread::sleep(deadline.saturating_duration_since(Instant::now()));
                state = locked(&self.state);
                if let Status::Parked(..) = state.tasks[id].status {
                    state.tasks[id].status = Status::Ready;
                    state.log(id, "has waited until its deadline".into());
                }
                continue;
            }
            if state.tasks.iter().all(|task| task.status == Status::Ended) {
                let log = state.lines();
                state.outcome = Some(Outcome::Finished(log));
                self.over.notify_one();
            } else {
                let stuck = state.stuck();
                self.fail(&mut state, &stuck);
            }
            return state;
        }
    }

    fn wait_for_turn<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        me: usize,
    ) -> MutexGuard<'a, State> {
        let turn = state.tasks[me].turn.clone();
        // The first task has the first turn; in a failed run nobody gets one any more.
        while state.running != me || state.outcome.is_some() {
            state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn fail(&self, state: &mut State, how: &str) {
        if state.outcome.is_none() {
            let lines = state.lines();
            state.outcome = Some(Outcome::Failed(format!(
                "it goes wrong in this order:\n{lines}{how}"
            )));
            self.over.notify_one();
        }
    }
}

impl State {
    fn log(&mut self, task: usize, what: String) {
        let name = &self.tasks[task].name;
        self.log.push(format!("{name}: {what}"));
    }

    fn lines(&self) -> String {
        let skipped = self.log.len().saturating_sub(LINES_SHOWN);
        let mut text = String::new();
        if skipped > 0 {
            let _ = writeln!(text, "       … {skipped} steps before …");
        }
        for (number, line) in self.log.iter().enumerate().skip(skipped) {
            let _ = writeln!(text, "  {:>4}. {line}", number + 1);
        }
        text
    }

    /// Who could have the next turn: `me` first, then the others in the order in which they were spawned.
    fn candidates(&self, me: usize) -> Vec<Candidate> {
        let candidate = |id: usize, for_no_reason| Candidate {
            task: id,
            name: self.tasks[id].name.clone(),
            at_point: self.tasks[id].at_point,
            for_no_reason,
        };
        let order = || (me..me + 1).chain((0..self.tasks.len()).filter(move |id| *id != me));
        let with = |status: Status| order().filter(move |id| self.tasks[*id].status == status);
        let mut all: Vec<Candidate> = with(Status::Ready).map(|id| candidate(id, false)).collect();
        if all.is_empty() {
            all = with(Status::Yielded)
                .map(|id| candidate(id, false))
                .collect();
            // Whoever has just yielded goes behind the others, or two could leave a third without a turn for ever.
            if all.len() > 1 {
                all.retain(|candidate| candidate.task != me);
            }
        }
        if all.is_empty() {
            return with(Status::Settling)
                .map(|id| candidate(id, false))
                .collect();
        }
        if self.plan.as_ref().is_some_and(Plan::may_wake) {
            let parked = order().filter(|id| matches!(self.tasks[*id].status, Status::Parked(..)));
            all.extend(parked.map(|id| candidate(id, true)));
        }
        all
    }

    fn stuck(&self) -> String {
        let mut text = String::from("and then nobody can move any more, and nobody ever will:\n");
        for task in &self.tasks {
            if let Status::Parked(wait, _) = task.status {
                let _ = writeln!(text, "  `{}` is parked ({wait})", task.name);
            }
        }
        text
    }
}
