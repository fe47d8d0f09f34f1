//! Judges a scheduler by every play for two tasks with up to three acts each, against a model that is one page long.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use step02::{Region, SlotLayout, StackPool};

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, dead_code)]
mod exercise;

#[path = "broken.rs"]
#[allow(unused, unreachable_pub, dead_code)]
mod broken;

use exercise::{Act, FIRST, SECOND};

/// How a play went: which act each task came to, in order, and who sleeps in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ending {
    acts: Vec<(usize, Act)>,
    asleep: Vec<usize>,
}

/// What must happen. A task that is awake has its place in the queue or is running; the token is a bit.
fn model(plays: [&[Act]; 2]) -> Ending {
    let mut ending = Ending::default();
    let (mut at, mut token, mut parked) = ([0; 2], [false; 2], [false; 2]);
    let mut queue = VecDeque::from([0, 1]);
    while let Some(me) = queue.pop_front() {
        let other = 1 - me;
        while let Some(&act) = plays[me].get(at[me]) {
            at[me] += 1;
            ending.acts.push((me, act));
            match act {
                Act::Yield => {
                    queue.push_back(me);
                    break;
                }
                Act::Park if token[me] => token[me] = false,
                Act::Park => {
                    parked[me] = true;
                    break;
                }
                Act::Unpark if parked[other] => {
                    parked[other] = false;
                    queue.push_back(other);
                }
                Act::Unpark => token[other] = true,
            }
        }
    }
    ending.asleep = (0..2).filter(|task| parked[*task]).collect();
    ending
}

/// Plays it on the scheduler of one of the two files.
macro_rules! play_on {
    ($name:ident, $module:ident) => {
        fn $name(pool: StackPool, plays: [&[Act]; 2]) -> Ending {
            use $module::Scheduler;
            let scheduler = Scheduler::new(pool);
            let acts = Rc::new(RefCell::new(Vec::new()));
            for (me, play) in plays.into_iter().enumerate() {
                let (play, acts) = (play.to_vec(), acts.clone());
                scheduler.spawn(move |task| {
                    for act in play {
                        acts.borrow_mut().push((me, act));
                        match act {
                            Act::Yield => task.yield_now(),
                            Act::Park => task.park(),
                            Act::Unpark => task.unpark(1 - me),
                        }
                    }
                });
            }
            let asleep = scheduler.run();
            let acts = acts.borrow().clone();
            Ending { acts, asleep }
        }
    };
}

play_on!(on_the_exercise, exercise);
play_on!(on_the_broken_one, broken);

fn pool() -> StackPool {
    StackPool::new(Region::map(SlotLayout::new(64 << 10).unwrap(), 2).unwrap())
}

#[test]
fn the_play_shows_a_lost_wake_up() {
    assert!(
        !FIRST.is_empty() || !SECOND.is_empty(),
        "the play is empty: who does what, so that a wake-up is lost?"
    );
    let right = model([FIRST, SECOND]);
    assert!(
        right.asleep.is_empty(),
        "with tokens, too, task {:?} sleeps in the end: nobody unparks it often enough, and that is no lost wake-up",
        right.asleep
    );
    let found = on_the_broken_one(pool(), [FIRST, SECOND]);
    assert!(
        !found.asleep.is_empty(),
        "on the broken scheduler this play comes to its end: no wake-up is lost in it.\n{found:?}"
    );
}

/// All plays of one task with up to `most` acts.
fn plays(most: usize) -> Vec<Vec<Act>> {
    let mut all = vec![Vec::new()];
    let mut longest = vec![Vec::new()];
    for _ in 0..most {
        let longer = longest.iter().flat_map(|play: &Vec<Act>| {
            [Act::Yield, Act::Park, Act::Unpark].map(|act| {
                let mut play = play.clone();
                play.push(act);
                play
            })
        });
        longest = longer.collect();
        all.extend(longest.iter().cloned());
    }
    all
}

#[test]
fn every_play_goes_as_it_must() {
    let plays = plays(3);
    let mut tried = 0;
    // The shortest first, so that what is printed is short.
    for length in 0..=6 {
        for first in &plays {
            for second in plays
                .iter()
                .filter(|second| first.len() + second.len() == length)
            {
                tried += 1;
                judge([first, second]);
            }
        }
    }
    assert_eq!(tried, 40 * 40);
    println!("{tried} plays");
}

fn judge(plays: [&[Act]; 2]) {
    let expected = model(plays);
    let story = format!(
        "\nthe first task:  {:?}\nthe second task: {:?}\nright is: {expected:?}",
        plays[0], plays[1]
    );
    let found = match catch_unwind(AssertUnwindSafe(|| on_the_exercise(pool(), plays))) {
        Ok(found) => found,
        Err(_) => panic!("the scheduler panicked, see above, in this play:{story}"),
    };
    if found == expected {
        return;
    }
    let lost = found
        .asleep
        .iter()
        .find(|task| !expected.asleep.contains(task));
    let went_on = expected
        .asleep
        .iter()
        .find(|task| !found.asleep.contains(task));
    match (lost, went_on) {
        (Some(task), _) => {
            panic!("task {task} sleeps on, though it was unparked:{story}\nfound:    {found:?}")
        }
        (_, Some(task)) => panic!(
            "task {task} goes on, though nobody has unparked it:{story}\nfound:    {found:?}"
        ),
        _ => panic!("the acts come in another order:{story}\nfound:    {found:?}"),
    }
}

/// The model itself: a token is one, however many unparks it comes from, and is gone when it was taken.
#[test]
fn the_model_keeps_the_contract() {
    use Act::{Park, Unpark, Yield};
    let asleep = |first: &[Act], second: &[Act]| model([first, second]).asleep;
    assert_eq!(asleep(&[Yield, Park], &[Unpark]), [0; 0]);
    assert_eq!(asleep(&[Park], &[Unpark]), [0; 0]);
    assert_eq!(asleep(&[Park], &[]), [0]);
    assert_eq!(asleep(&[Yield, Park, Park], &[Unpark, Unpark]), [0]);
    assert_eq!(asleep(&[Park, Park], &[Unpark, Yield, Unpark]), [0; 0]);
}
