//! The injector: its length is read without the lock, and may be late, but never leads astray.

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::injector::Injector;
use crate::model::{Bound, explore};

/// A task is nothing but a number here.
static TASKS: [usize; 3] = [1, 2, 3];

fn injector() -> Arc<Injector<usize>> {
    Arc::new(Injector::new())
}

/// One consumer: if there seems to be something, there is. When the producer is done, the length is right.
#[test]
fn the_length_is_a_promise() {
    explore("the length is a promise", Bound::Complete, 20, || {
        let injector = injector();
        let producer = {
            let injector = injector.clone();
            thread::spawn(move || {
                injector.push([&TASKS[0]]);
                injector.push([&TASKS[1], &TASKS[2]]);
            })
        };
        let mut got = Vec::new();
        if !injector.is_empty() {
            let first = injector.pop(1, |task| got.push(*task));
            got.insert(0, *first.expect("the length said that there was one"));
        }
        producer.join().unwrap();
        assert_eq!(injector.len(), 3 - got.len());
        while let Some(task) = injector.pop(0, |_| ()) {
            got.push(*task);
        }
        assert!(injector.is_empty());
        assert_eq!(got, [1, 2, 3], "in the order in which they came");
    });
}

/// Two consumers that take several at once, and a producer.
#[test]
fn two_consumers() {
    explore("two consumers", Bound::Preemptions(2), 200, || {
        let injector = injector();
        injector.push([&TASKS[0]]);
        let consumers = [(); 2].map(|()| {
            let injector = injector.clone();
            thread::spawn(move || {
                let mut got = Vec::new();
                let first = injector.pop(1, |task| got.push(*task));
                got.extend(first);
                got
            })
        });
        injector.push([&TASKS[1], &TASKS[2]]);
        let mut all = Vec::new();
        for consumer in consumers {
            all.extend(consumer.join().unwrap());
        }
        assert_eq!(injector.len(), 3 - all.len());
        while let Some(task) = injector.pop(0, |_| ()) {
            all.push(*task);
        }
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3], "each task comes out once");
    });
}

/// A worker takes one task to run, and one for its own queue. Somebody who looks at both, the injector first, does not
/// see both empty while the second task waits: it leaves the injector after it is in the queue.
#[test]
fn on_its_way_it_is_seen() {
    explore("on its way it is seen", Bound::Complete, 2, || {
        let injector = injector();
        injector.push([&TASKS[0], &TASKS[1]]);
        let queue = Arc::new(AtomicUsize::new(0));
        let observer = {
            let (injector, queue) = (injector.clone(), queue.clone());
            thread::spawn(move || {
                if injector.is_empty() {
                    assert_eq!(queue.load(Relaxed), 2, "a task that nobody sees");
                }
            })
        };
        // Relaxed: it is the length that publishes it, and this is what the model is about.
        let first = injector.pop(1, |task| queue.store(*task, Relaxed));
        assert_eq!(first, Some(&1));
        observer.join().unwrap();
    });
}
