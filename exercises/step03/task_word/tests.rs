//! Judges a task's word, in every order of events, with a stack that two workers must not be on.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicUsize;

mod sync {
    pub(crate) use loom::sync::atomic;
}

#[path = "../../tests/with_loom.rs"]
mod with_loom;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::Word;
use with_loom::in_every_order;

/// A task that parks at the end of each turn. Who has it runs it at once: the queue is the way from `unpark` to `turn`.
struct Task {
    word: Word,
    /// Two workers on this at a time, or one that does not see what the other has left there, and loom says so.
    stack: UnsafeCell<Stack>,
    /// The task's link in a run queue. Who has the task writes it, before it is anybody else's.
    link: UnsafeCell<usize>,
    /// What each of two wakers has written before it unparked.
    written: [AtomicUsize; 2],
}

#[derive(Clone, Copy, Default)]
struct Stack {
    turns: usize,
    /// What the task saw in its last turn.
    seen: [usize; 2],
}

// SAFETY: loom checks each access to the two cells.
unsafe impl Sync for Task {}
// SAFETY: as above.
unsafe impl Send for Task {}

impl Task {
    fn new() -> Arc<Task> {
        Arc::new(Task {
            word: Word::new(),
            stack: UnsafeCell::new(Stack::default()),
            link: UnsafeCell::new(0),
            written: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    /// A worker has the task: it lets it run and park, and once more if there is a token.
    fn turn(&self) {
        // Each waker leaves one token at most, so there is an end to this.
        for _ in 0..4 {
            self.word.take_up();
            self.touch_the_link();
            self.stack.with_mut(|stack| {
                // SAFETY: loom panics if somebody else is there.
                let stack = unsafe { &mut *stack };
                stack.turns += 1;
                stack.seen = [0, 1].map(|waker: usize| self.written[waker].load(Relaxed));
            });
            if self.word.try_park() {
                return;
            }
        }
        panic!("the task goes on and on: a token is not taken");
    }

    /// A waker, which is a worker too.
    fn wake(&self, waker: usize) {
        self.written[waker].store(1, Relaxed);
        if self.word.unpark() {
            // It goes into a queue, and comes out of it.
            self.touch_the_link();
            self.turn();
        }
    }

    fn touch_the_link(&self) {
        self.link.with_mut(|link| {
            // SAFETY: loom panics if somebody else is there.
            unsafe { *link += 1 };
        });
    }

    fn stack(&self) -> Stack {
        // SAFETY: as above.
        self.stack.with(|stack| unsafe { *stack })
    }
}

#[test]
fn the_table_is_kept_on_one_thread() {
    in_every_order(0, 1, "a line of the table is not kept", || {
        let word = Word::new();
        assert!(word.try_park(), "RUNNING: a park without a token sleeps");
        assert!(
            word.unpark(),
            "PARKED: the first unpark has the task and must queue it"
        );
        assert!(!word.unpark(), "WOKEN: the task is in a queue already");
        word.take_up();
        assert!(
            word.try_park(),
            "WOKEN: an unpark of a task that is woken already must leave no token for its next park"
        );
        assert!(word.unpark());
        word.take_up();
        assert!(!word.unpark(), "RUNNING: an unpark leaves the token");
        assert!(!word.unpark(), "NOTIFIED: two tokens are one");
        // It yields, and gets its turn.
        word.take_up();
        assert!(
            !word.try_park(),
            "NOTIFIED: the token that came while the task ran or had yielded is lost"
        );
        assert!(word.try_park(), "a park takes the token");
    });
}

#[test]
fn a_task_is_on_one_worker_at_a_time() {
    in_every_order(
        3,
        3,
        "two workers have the task at a time, or the second does not see what the first has left",
        || {
            let task = Task::new();
            let waker = {
                let task = task.clone();
                loom::thread::spawn(move || task.wake(0))
            };
            task.turn();
            waker.join().unwrap();
            assert!(
                task.stack().turns <= 2,
                "one wake-up, and more than one turn"
            );
        },
    );
}

#[test]
fn no_wake_up_is_lost_and_what_a_waker_wrote_is_seen() {
    in_every_order(
        3,
        3,
        "a wake-up is lost, or what was written before it is not seen after it",
        || {
            let task = Task::new();
            let waker = {
                let task = task.clone();
                loom::thread::spawn(move || task.wake(1))
            };
            task.turn();
            waker.join().unwrap();
            let stack = task.stack();
            assert_eq!(
                stack.turns, 2,
                "one wake-up is one more turn, whenever it comes"
            );
            assert_eq!(stack.seen[1], 1, "the turn after the wake-up sees old data");
        },
    );
}

#[test]
fn of_two_wakers_neither_is_overlooked() {
    in_every_order(
        2,
        50,
        "with two wakers, what one of them wrote before its unpark is not seen in any turn after it",
        || {
            let task = Task::new();
            let wakers = [0, 1].map(|waker| {
                let task = task.clone();
                loom::thread::spawn(move || task.wake(waker))
            });
            task.turn();
            for waker in wakers {
                waker.join().unwrap();
            }
            let stack = task.stack();
            assert!(
                (2..=3).contains(&stack.turns),
                "two wake-ups are one or two more turns, not {}",
                stack.turns - 1
            );
            assert_eq!(stack.seen, [1, 1], "the last turn sees old data");
        },
    );
}

/// Where both find it parked, one of them queues it. Two would put it on two workers.
#[test]
fn one_of_two_wakers_has_the_task() {
    in_every_order(
        3,
        3,
        "two wakers have both got the task, or neither has",
        || {
            let word = Arc::new(Word::new());
            assert!(word.try_park());
            let other = {
                let word = word.clone();
                loom::thread::spawn(move || word.unpark())
            };
            let here = word.unpark();
            let there = other.join().unwrap();
            assert_eq!(
                u32::from(here) + u32::from(there),
                1,
                "so many wakers have been told to queue the task"
            );
        },
    );
}
