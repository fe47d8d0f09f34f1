//! Who is to be woken when: a heap of deadlines.
//!
//! Most deadlines are never met: a receive with a time-out gets its value first. Taking an entry out of the middle of a
//! heap means to know where it is, and that changes with every other entry. So an entry is *cancelled* where it stands:
//! each has a number, a task knows the number of the one that is for it, and an entry whose number is another is passed
//! over when its time comes. If more than half of the entries are of that kind, they are swept out together; so a
//! program that sets and cancels a million time-outs of an hour keeps no million entries.
//!
//! Rejected: *a wheel of slots*, as Linux and tokio have: faster with very many timers, and it rounds. *A thread that
//! sleeps for the others*, as may has: two switches of the kernel for each timer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What is due, when, and under which number. The number also keeps the order among equals.
#[derive(Debug)]
struct Entry<T> {
    deadline: Instant,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.deadline, self.number).cmp(&(other.deadline, other.number))
    }
}

// ANCHOR: timers
/// A heap of deadlines.
#[derive(Debug)]
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    /// The number of the latest entry; entries begin with 1, so that 0 can mean "none".
    latest: u64,
    cancelled: usize,
}

impl<T> Timers<T> {
    /// No deadlines.
    pub const fn new() -> Self {
        Timers {
            heap: BinaryHeap::new(),
            latest: 0,
            cancelled: 0,
        }
    }

    /// Adds a deadline and returns its number, which is never 0.
    pub fn add(&mut self, deadline: Instant, what: T) -> u64 {
        self.latest += 1;
        self.heap.push(Reverse(Entry {
            deadline,
            number: self.latest,
            what,
        }));
        self.latest
    }

    /// Says that an entry that has not come up is of no use any more. From now on `is_current` must say no to it.
    pub fn cancel(&mut self, is_current: impl Fn(u64, &T) -> bool) {
        self.cancelled += 1;
        if self.cancelled > 32 && self.cancelled > self.heap.len() / 2 {
            self.heap
                .retain(|Reverse(entry)| is_current(entry.number, &entry.what));
            self.cancelled = 0;
        }
    }

    /// Takes the earliest entry out, if it is due at `now`: its number, and what it is. It may have been cancelled.
    pub fn pop_due(&mut self, now: Instant) -> Option<(u64, T)> {
        let Reverse(first) = self.heap.peek()?;
        if first.deadline > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some((entry.number, entry.what))
    }

    /// Says that the entry that `pop_due` has returned had been cancelled.
    pub fn was_cancelled(&mut self) {
        self.cancelled = self.cancelled.saturating_sub(1);
    }

    /// The earliest deadline. Cancelled ones before it are taken out.
    pub fn earliest(&mut self, is_current: impl Fn(u64, &T) -> bool) -> Option<Instant> {
        loop {
            let Reverse(first) = self.heap.peek()?;
            if is_current(first.number, &first.what) {
                return Some(first.deadline);
            }
            self.heap.pop();
            self.was_cancelled();
        }
    }

    /// True if there is no entry at all, cancelled ones included.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The number of entries, cancelled ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }
}
// ANCHOR_END: timers

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    proptest! {
        #[test]
        fn it_answers_as_a_sorted_map_does(acts in proptest::collection::vec((0..3u8, 0..50u64), 0..300)) {
            let start = Instant::now();
            let at = |ms| start + Duration::from_millis(ms);
            let mut timers = Timers::new();
            // By deadline and number, as the heap should have it: what is not cancelled.
            let mut model: BTreeMap<(u64, u64), u64> = BTreeMap::new();
            for (act, n) in acts {
                match act {
                    0 => {
                        let number = timers.add(at(n), n);
                        model.insert((n, number), n);
                    }
                    1 => {
                        let Some(key) = model.keys().nth(n as usize % model.len().max(1)).copied() else { continue };
                        model.remove(&key);
                        timers.cancel(|number, what| model.contains_key(&(*what, number)));
                    }
                    _ => {
                        while let Some((number, what)) = timers.pop_due(at(n)) {
                            if model.contains_key(&(what, number)) {
                                prop_assert_eq!(model.pop_first(), Some(((what, number), what)));
                            } else {
                                timers.was_cancelled();
                            }
                        }
                        prop_assert!(model.keys().all(|(due, _)| *due > n));
                    }
                }
                prop_assert!(timers.len() <= 2 * model.len() + 64);
            }
            let earliest = timers.earliest(|number, what| model.contains_key(&(*what, number)));
            prop_assert_eq!(earliest, model.keys().next().map(|(due, _)| at(*due)));
        }
    }
}
