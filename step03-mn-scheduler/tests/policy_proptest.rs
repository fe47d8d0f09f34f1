//! The shared queue, driven by random schedules without a thread or a stack.

use std::collections::VecDeque;

use proptest::prelude::*;
use step03::GlobalQueue;

#[path = "common/schedules.rs"]
mod schedules;
#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

use schedules::{Schedule, each_is_found_once, schedule};

// ANCHOR: schedule
#[test]
fn each_task_that_is_ready_is_found_once() {
    let any = (1..6usize).prop_flat_map(|processors| (Just(processors), schedule(processors)));
    proptest!(seed::config(256), |((processors, acts) in any)| {
        each_is_found_once(processors, |_| GlobalQueue::new(), &acts);
    });
}

/// First come, first served, whoever asks.
#[test]
fn it_is_one_queue_whoever_asks() {
    let any = (1..6usize).prop_flat_map(|processors| (Just(processors), schedule(processors)));
    proptest!(seed::config(256), |((processors, acts) in any)| {
        let mut line = Schedule::new(processors, |_| GlobalQueue::new());
        let model = std::cell::RefCell::new(VecDeque::new());
        let next = || model.borrow_mut().pop_front();
        for act in &acts {
            line.act(
                act,
                |task| model.borrow_mut().push_back(task),
                |found| assert_eq!(found, next()),
            );
        }
        line.drain(|found| assert_eq!(Some(found), next()));
        prop_assert!(model.borrow().is_empty());
    });
}
// ANCHOR_END: schedule

/// The driver itself: a policy that forgets, doubles or invents is not believed.
mod broken {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::time::Instant;

    use step03::drive::Drive;
    use step03::{Policy, Processor, TaskRef, Why};

    use crate::schedules::{Act, each_is_found_once};

    /// Does to the second task what it is told.
    struct Broken {
        queue: Mutex<(usize, Vec<TaskRef>)>,
        copies: usize,
    }

    impl Broken {
        fn new(copies: usize) -> Self {
            Broken {
                queue: Mutex::default(),
                copies,
            }
        }
    }

    impl Policy for Broken {
        type Local = ();
        fn local(&self, _index: usize) {}
        fn ready(&self, task: TaskRef, _from: Option<&Processor<Self>>, _why: Why) {
            let mut queue = self.queue.lock().unwrap();
            queue.0 += 1;
            let copies = if queue.0 == 2 { self.copies } else { 1 };
            queue.1.extend(std::iter::repeat_n(task, copies));
        }
        fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
            self.queue.lock().unwrap().1.pop()
        }
        fn idle(&self, _on: &Processor<Self>, _until: Option<Instant>) {}
        fn wake_one(&self) {}
        fn wake_all(&self) {}
        fn open(&self) {}
        fn asleep(&self) -> usize {
            0
        }
    }

    fn said(f: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it was believed");
        let text = panic.downcast_ref::<String>().cloned();
        text.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
    }

    const THREE: &[Act] = &[Act::Ready {
        count: 3,
        from: None,
        why: Why::Inject,
    }];

    #[test]
    fn one_that_forgets_a_task_is_found_out() {
        let said = said(|| each_is_found_once(2, |_| Broken::new(0), THREE));
        assert!(said.contains("nobody finds the tasks [1]"), "{said}");
    }

    #[test]
    fn one_that_queues_a_task_twice_is_found_out() {
        let said = said(|| each_is_found_once(2, |_| Broken::new(2), THREE));
        assert!(said.contains("task 1 was found on processor"), "{said}");
    }

    #[test]
    fn a_task_of_another_driver_is_found_out() {
        struct Stray(TaskRef);
        impl Policy for Stray {
            type Local = ();
            fn local(&self, _index: usize) {}
            fn ready(&self, _task: TaskRef, _from: Option<&Processor<Self>>, _why: Why) {}
            fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
                Some(self.0)
            }
            fn idle(&self, _on: &Processor<Self>, _until: Option<Instant>) {}
            fn wake_one(&self) {}
            fn wake_all(&self) {}
            fn open(&self) {}
            fn asleep(&self) -> usize {
                0
            }
        }
        let mut other = Drive::new(1, |_| Broken::new(1));
        let task = other.add_task();
        other.ready(task, Some(0), Why::Spawn);
        let header = other.policy().queue.lock().unwrap().1[0];
        let mut drive = Drive::new(1, |_| Stray(header));
        let own = drive.add_task();
        drive.ready(own, None, Why::Inject);
        let said = said(|| _ = drive.try_next(0));
        assert!(said.contains("a task that nobody gave it"), "{said}");
    }
}
