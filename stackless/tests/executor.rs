//! The executor: turns, wake-ups from here and from elsewhere, the end, and what is dropped when.

use std::cell::{Cell, RefCell};
use std::future::{self, Future};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use stackless::{Cancelled, as_async, by_hand, channel, yield_now};

#[path = "../../step01-threads/tests/common/watchdog.rs"]
mod watchdog;

/// Says so when it is dropped.
struct Tells(Rc<RefCell<Vec<&'static str>>>, &'static str);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn tasks_take_turns_in_the_order_in_which_they_were_spawned() {
    let log = Rc::new(RefCell::new(Vec::new()));
    stackless::run(async |spawner| {
        let tasks: Vec<_> = (0..3)
            .map(|task| {
                let log = log.clone();
                spawner.spawn(async move {
                    for turn in 0..2 {
                        log.borrow_mut().push((turn, task));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
    assert_eq!(*log.borrow(), expected);
}

/// A future whose waker is called in the middle of its own poll, before it says that it is pending.
#[test]
fn a_wake_up_during_the_poll_is_not_lost() {
    let mut polls = 0;
    let future = future::poll_fn(|cx| {
        polls += 1;
        if polls == 3 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    stackless::run(async |_| future.await).unwrap();
    assert_eq!(polls, 3);
}

/// A wake-up before the task is polled for the first time: it is in the queue already, and is polled once for both.
#[test]
fn two_wake_ups_before_a_poll_are_one() {
    let polls = Rc::new(Cell::new(0));
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    stackless::run(async |spawner| {
        let (count, keep) = (polls.clone(), kept.clone());
        spawner.spawn(future::poll_fn(move |cx| {
            count.set(count.get() + 1);
            *keep.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        yield_now().await;
        assert_eq!(polls.get(), 1);
        let waker = kept.borrow().clone().unwrap();
        waker.wake_by_ref();
        waker.wake();
        yield_now().await;
        assert_eq!(polls.get(), 2, "two wake-ups, one poll");
        yield_now().await;
        assert_eq!(polls.get(), 2, "and no poll without a wake-up");
    })
    .unwrap();
}

#[test]
fn a_late_wake_up_does_nothing() {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    stackless::run(async |spawner| {
        let keep = kept.clone();
        spawner
            .spawn(future::poll_fn(move |cx| {
                *keep.borrow_mut() = Some(cx.waker().clone());
                Poll::Ready(())
            }))
            .await
            .unwrap();
        // The place of the first task is free, and this one gets it.
        let polls = Rc::new(Cell::new(0));
        let count = polls.clone();
        spawner.spawn(future::poll_fn(move |_| {
            count.set(count.get() + 1);
            Poll::<()>::Pending
        }));
        yield_now().await;
        kept.borrow().as_ref().unwrap().wake_by_ref();
        yield_now().await;
        assert_eq!(
            polls.get(),
            1,
            "the waker of a task that is gone woke its successor"
        );
    })
    .unwrap();
    // And when the executor is gone, too.
    kept.take().unwrap().wake();
}

#[test]
fn tasks_that_are_left_are_dropped_with_what_they_hold() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut handle = None;
    stackless::run(async |spawner| {
        let tells = Tells(log.clone(), "in the middle");
        handle = Some(spawner.spawn(async move {
            let _tells = tells;
            future::pending::<()>().await;
        }));
        yield_now().await;
        let tells = Tells(log.clone(), "not begun");
        spawner.spawn(async move { drop(tells) });
        assert!(log.borrow().is_empty());
    })
    .unwrap();
    log.borrow_mut().sort_unstable();
    assert_eq!(*log.borrow(), ["in the middle", "not begun"]);
    // Awaited in another executor, which is as good as any.
    assert_eq!(
        stackless::run(async |_| handle.unwrap().await),
        Ok(Err(Cancelled))
    );
}

/// Polls a future once, with a waker that does nothing, and drops it.
fn poll_once_and_drop(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn a_half_finished_machine_drops_what_it_holds() {
    // At the first `await` of ping the number is on offer; dropping takes it back, and both ends with it.
    for by_compiler in [true, false] {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tells = Tells(log.clone(), "the closure");
        let next = move |_| {
            let _held = &tells;
            Some(7)
        };
        let (to, mut from) = channel();
        let (back_to, back_from) = channel::<u64>();
        if by_compiler {
            poll_once_and_drop(as_async::ping(next, to, back_from));
        } else {
            poll_once_and_drop(by_hand::ping(next, to, back_from));
        }
        assert_eq!(*log.borrow(), ["the closure"], "{by_compiler}");
        let heard = stackless::run(async |_| (from.recv().await, back_to.send(1).await.is_err()));
        assert_eq!(heard, Ok((None, true)), "{by_compiler}");
    }
}

#[test]
fn a_half_finished_machine_that_waits_for_an_answer_lets_go_of_the_channel() {
    for by_compiler in [true, false] {
        let (to, from) = channel();
        let (back_to, mut back_from) = channel();
        let answer = |n| Some(n + 1);
        if by_compiler {
            poll_once_and_drop(as_async::pong(answer, from, back_to));
        } else {
            poll_once_and_drop(by_hand::pong(answer, from, back_to));
        }
        let heard = stackless::run(async |_| (to.send(1).await.is_err(), back_from.recv().await));
        assert_eq!(heard, Ok((true, None)), "{by_compiler}");
    }
}

#[test]
fn a_deadlock_is_reported_with_the_places_of_those_who_wait() {
    let line = line!() + 4;
    let result = stackless::run(async |spawner| {
        let (to_first, mut first) = channel::<u64>();
        let (to_second, mut second) = channel::<u64>();
        spawner.spawn(async move {
            let heard = first.recv().await;
            to_second.send(heard.unwrap_or(0)).await.ok();
        });
        let heard = second.recv().await;
        to_first.send(heard.unwrap_or(0)).await.ok();
    });
    let deadlock = result.unwrap_err();
    let lines: Vec<u32> = deadlock.waiting.iter().map(|site| site.line()).collect();
    assert_eq!(lines, [line]);
    let text = deadlock.to_string();
    assert!(
        text.starts_with("deadlock: the first future waits, and so does 1 task\n"),
        "{text}"
    );
    assert!(text.contains("tests/executor.rs"), "{text}");
}

#[test]
fn a_wake_up_from_another_thread_reaches_a_sleeping_executor() {
    let _watch = watchdog::watch("a wake-up from another thread");
    let (to_thread, wakers) = mpsc::channel::<Waker>();
    let (answer, answers) = mpsc::channel();
    let count = 1_000;
    let thread = thread::spawn(move || {
        for (n, waker) in wakers.into_iter().enumerate() {
            answer.send(n).unwrap();
            waker.wake();
        }
    });
    let sum = stackless::run(async |spawner| {
        let _outside = spawner.outside();
        let mut sum = 0;
        for _ in 0..count {
            let mut asked = false;
            sum += future::poll_fn(|cx| {
                if !std::mem::replace(&mut asked, true) {
                    to_thread.send(cx.waker().clone()).unwrap();
                }
                match answers.try_recv() {
                    Ok(n) => Poll::Ready(n),
                    Err(_) => Poll::Pending,
                }
            })
            .await;
        }
        drop(to_thread);
        sum
    });
    thread.join().unwrap();
    assert_eq!(sum, Ok(count * (count - 1) / 2));
}

#[test]
fn the_executor_waits_as_long_as_somebody_is_outside_and_not_longer() {
    let _watch = watchdog::watch("the end of the one outside");
    let result = stackless::run(async |spawner| {
        let outside = spawner.outside();
        thread::spawn(move || drop(outside));
        future::pending::<()>().await;
    });
    assert!(result.is_err(), "nobody is outside any more");
}

#[test]
fn a_panic_of_a_task_comes_out_of_run_and_the_others_are_dropped() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let held = log.clone();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stackless::run(async |spawner| {
            let tells = Tells(held, "the other one");
            spawner.spawn(async move {
                let _tells = tells;
                future::pending::<()>().await;
            });
            spawner.spawn(async { panic!("boom") });
            future::pending::<()>().await;
        })
    }));
    assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(*log.borrow(), ["the other one"]);
    // And this thread can run the next one.
    assert_eq!(stackless::run(async |_| 1), Ok(1));
}

#[test]
#[should_panic(expected = "`run` was called by a future that it polls")]
fn an_executor_inside_of_an_executor_is_refused() {
    let _ = stackless::run(async |_| stackless::run(async |_| ()));
}

/// A future may be moved until it is polled; then it is pinned.
#[test]
fn a_machine_may_move_before_its_first_poll() {
    let (to, from) = channel();
    let (back_to, back_from) = channel();
    let ping = by_hand::ping(|answer| answer.is_none().then_some(1), to, back_from);
    let moved: Vec<Pin<Box<dyn Future<Output = ()>>>> = vec![Box::pin(ping)];
    stackless::run(async |spawner| {
        spawner.spawn(by_hand::pong(|n| Some(n + 1), from, back_to));
        for future in moved {
            future.await;
        }
    })
    .unwrap();
}
