//! The injector: its length is read without the lock, and may be late, but never leads astray.

use std::cell::Cell;

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;
use step02::run_queue::Linked;

use crate::injector::Injector;
use crate::model::{Bound, explore};

/// A task that is nothing but a number and a link.
struct Item {
    number: usize,
    next: Cell<Option<&'static Item>>,
}

impl Linked for Item {
    fn link(&self) -> &Cell<Option<&'static Item>> {
        &self.next
    }
}

// SAFETY: the link belongs to the queue that the item is in, which is reached under the injector's lock.
unsafe impl Sync for Item {}

static ITEMS: [Item; 3] = [item(1), item(2), item(3)];

const fn item(number: usize) -> Item {
    Item {
        number,
        next: Cell::new(None),
    }
}

fn injector() -> Arc<Injector<Item>> {
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
                injector.push([&ITEMS[0]]);
                injector.push([&ITEMS[1], &ITEMS[2]]);
            })
        };
        let mut got = Vec::new();
        if !injector.is_empty() {
            let first = injector.pop(1, |item| got.push(item.number));
            got.insert(0, first.expect("the length said that there was one").number);
        }
        producer.join().unwrap();
        assert_eq!(injector.len(), 3 - got.len());
        while let Some(item) = injector.pop(0, |_| ()) {
            got.push(item.number);
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
        injector.push([&ITEMS[0]]);
        let consumers = [(); 2].map(|()| {
            let injector = injector.clone();
            thread::spawn(move || {
                let mut got = Vec::new();
                let first = injector.pop(1, |item| got.push(item.number));
                got.extend(first.map(|item| item.number));
                got
            })
        });
        injector.push([&ITEMS[1], &ITEMS[2]]);
        let mut all = Vec::new();
        for consumer in consumers {
            all.extend(consumer.join().unwrap());
        }
        assert_eq!(injector.len(), 3 - all.len());
        while let Some(item) = injector.pop(0, |_| ()) {
            all.push(item.number);
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
        injector.push([&ITEMS[0], &ITEMS[1]]);
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
        let first = injector.pop(1, |item| queue.store(item.number, Relaxed));
        assert_eq!(first.map(|item| item.number), Some(1));
        observer.join().unwrap();
    });
}
