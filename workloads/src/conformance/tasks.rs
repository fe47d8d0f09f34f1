//! Tasks: what `run`, `spawn`, `join`, `yield_now` and `blocking` promise.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use step01::{JoinError, JoinHandle, Runtime, bounded, unbounded};

use super::let_others_run;

/// Panics without the hook's message on standard error: these panics are part of the test.
pub(super) fn panic_quietly(message: &'static str) -> ! {
    panic::resume_unwind(Box::new(message))
}

pub(super) fn message<T>(result: Result<T, JoinError>) -> String {
    match result {
        Ok(_) => "no panic".to_owned(),
        Err(error) => error.panic_message().unwrap_or("no message").to_owned(),
    }
}

pub(super) fn run_returns_what_its_closure_returns<R: Runtime>(rt: &R) {
    let text = String::from("of the caller");
    assert_eq!(rt.run(|| text.len()), 13, "and it may borrow");
}

pub(super) fn run_can_be_called_again<R: Runtime>(rt: &R) {
    for round in 0..3 {
        let sum = rt.run(|| {
            let tasks: Vec<_> = (0..10).map(|i| rt.spawn(move || i + round)).collect();
            tasks
                .into_iter()
                .map(|task| task.join().unwrap())
                .sum::<i32>()
        });
        assert_eq!(sum, 45 + 10 * round);
    }
}

pub(super) fn run_lets_the_panic_of_its_closure_out<R: Runtime>(rt: &R) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        rt.run::<(), _>(|| panic_quietly("out"))
    }));
    let payload = result.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"out"));
    assert_eq!(rt.run(|| 5), 5, "the runtime is as good as before");
}

pub(super) fn a_join_returns_what_the_task_returned<R: Runtime>(rt: &R) {
    rt.run(|| {
        let tasks: Vec<_> = (0..100_u64)
            .map(|i| rt.spawn(move || (i, vec![i; i as usize])))
            .collect();
        // In the opposite order, so that most have ended long before, and the first joins really wait.
        for (i, task) in tasks.into_iter().enumerate().rev() {
            let i = i as u64;
            assert_eq!(task.join().unwrap(), (i, vec![i; i as usize]));
        }
    });
}

pub(super) fn a_join_after_the_end_returns_at_once<R: Runtime>(rt: &R) {
    rt.run(|| {
        let task = rt.spawn(|| "done");
        while !task.is_finished() {
            rt.yield_now();
        }
        assert_eq!(task.join().unwrap(), "done");
    });
}

pub(super) fn a_join_with_a_deadline_gives_the_handle_back<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (go, wait) = bounded::<()>(0);
        let mut task = rt.spawn(move || wait.recv().is_ok());
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_millis(2);
            task = match task.join_deadline(deadline) {
                Ok(result) => panic!("it waits for us, and has ended with {result:?}"),
                Err(task) => task,
            };
            assert!(Instant::now() >= deadline);
            assert!(!task.is_finished());
        }
        go.send(()).unwrap();
        assert!(task.join().unwrap());
    });
}

pub(super) fn a_join_returns_the_panic<R: Runtime>(rt: &R) {
    rt.run(|| {
        let with_text = rt.spawn::<(), _>(|| panic_quietly("a text"));
        assert_eq!(message(with_text.join()), "a text");
        let with_value = rt.spawn::<(), _>(|| panic::resume_unwind(Box::new(7_u8)));
        match with_value.join() {
            Err(JoinError::Panicked(payload)) => assert_eq!(payload.downcast_ref::<u8>(), Some(&7)),
            other => panic!("{other:?}"),
        }
        // With the panic hook and its message, as users' panics are.
        let formatted = rt.spawn::<(), _>(|| panic!("number {}, which is part of this test", 8));
        assert_eq!(
            message(formatted.join()),
            "number 8, which is part of this test"
        );
    });
}

pub(super) fn a_panic_leaves_the_others_alone<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = unbounded();
        let tasks: Vec<_> = (0..30)
            .map(|i| {
                let (rt2, tx) = (rt.clone(), tx.clone());
                rt.spawn(move || {
                    rt2.yield_now();
                    if i % 3 == 0 {
                        panic_quietly("one in three");
                    }
                    rt2.yield_now();
                    tx.send(i).unwrap();
                    i
                })
            })
            .collect();
        drop(tx);
        for (i, task) in tasks.into_iter().enumerate() {
            match task.join() {
                Ok(result) => assert_eq!(result, i),
                Err(error) => assert!(i % 3 == 0, "task {i}: {error}"),
            }
        }
        assert_eq!(
            rx.iter().count(),
            20,
            "and the channel of those that panicked was closed"
        );
    });
}

pub(super) fn a_task_that_is_not_joined_runs_all_the_same<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = unbounded();
        for i in 0..20 {
            let tx = tx.clone();
            drop(rt.spawn(move || tx.send(i).unwrap()));
        }
        drop(tx);
        let mut arrived: Vec<i32> = rx.iter().collect();
        arrived.sort_unstable();
        assert_eq!(arrived, (0..20).collect::<Vec<_>>());
    });
}

pub(super) fn what_an_unjoined_task_returns_is_dropped<R: Runtime>(rt: &R) {
    struct Tell(step01::Sender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    rt.run(|| {
        let (tx, rx) = unbounded();
        drop(rt.spawn(move || Tell(tx)));
        assert_eq!(rx.recv(), Ok(()));
        assert!(
            rx.recv().is_err(),
            "dropped once, and then the sender is gone"
        );
    });
}

fn tree<R: Runtime>(rt: &R, depth: u32) -> usize {
    if depth == 0 {
        return 1;
    }
    let below: Vec<_> = (0..3)
        .map(|_| {
            let rt2 = rt.clone();
            rt.spawn(move || tree(&rt2, depth - 1))
        })
        .collect();
    1 + below
        .into_iter()
        .map(|task| task.join().unwrap())
        .sum::<usize>()
}

pub(super) fn tasks_spawn_tasks<R: Runtime>(rt: &R) {
    assert_eq!(rt.run(|| tree(rt, 4)), 1 + 3 + 9 + 27 + 81);
}

pub(super) fn a_thread_outside_can_spawn_and_join<R: Runtime>(rt: &R) {
    // From a thread beside the runtime, while `run` is running.
    rt.run(|| {
        let (tx, rx) = bounded(0);
        let rt2 = rt.clone();
        let outside = thread::spawn(move || {
            let task = rt2.spawn(move || tx.send("from a task").is_ok());
            task.join().unwrap()
        });
        assert_eq!(rx.recv(), Ok("from a task"));
        // The thread may need this runtime to finish its join, so do not block a worker on it.
        while !outside.is_finished() {
            rt.yield_now();
        }
        assert!(outside.join().unwrap());
    });
}

pub(super) fn many_tasks_yield_until_all_have_come<R: Runtime>(rt: &R) {
    const TASKS: usize = 50;
    rt.run(|| {
        // More than there are cores or workers, and none goes on before all are there: yielding must let the others
        // run.
        let arrived = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (rt2, arrived) = (rt.clone(), arrived.clone());
                rt.spawn(move || {
                    arrived.fetch_add(1, SeqCst);
                    while arrived.load(SeqCst) < TASKS {
                        rt2.yield_now();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

pub(super) fn a_handle_can_be_joined_by_another_task<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (go, wait) = bounded::<i32>(0);
        let mut last: JoinHandle<i32> = rt.spawn(move || wait.recv().unwrap());
        for _ in 0..20 {
            last = rt.spawn(move || last.join().unwrap() + 1);
        }
        let_others_run(rt);
        go.send(100).unwrap();
        assert_eq!(last.join().unwrap(), 120);
    });
}

pub(super) fn blocking_returns_what_its_closure_returns<R: Runtime>(rt: &R) {
    rt.run(|| {
        let text = String::from("borrowed");
        assert_eq!(rt.blocking(|| text.len()), 8);
        let task = {
            let rt2 = rt.clone();
            rt.spawn(move || {
                let start = Instant::now();
                rt2.blocking(|| thread::sleep(Duration::from_millis(5)));
                start.elapsed()
            })
        };
        assert!(task.join().unwrap() >= Duration::from_millis(5));
        // One inside the other, and runtime calls right behind.
        let nested = rt.blocking(|| rt.blocking(|| 6) + 1);
        rt.yield_now();
        assert_eq!(nested, 7);
    });
}

pub(super) fn blocking_lets_a_panic_out<R: Runtime>(rt: &R) {
    rt.run(|| {
        let rt2 = rt.clone();
        let task = rt.spawn::<(), _>(move || rt2.blocking(|| panic_quietly("inside")));
        assert_eq!(message(task.join()), "inside");
        assert_eq!(rt.blocking(|| 1), 1, "and the next call is as good as any");
    });
}
