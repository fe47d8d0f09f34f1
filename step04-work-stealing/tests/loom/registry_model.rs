//! The registry: a thief finds finished places, whoever is making more of them.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::model::{Bound, explore};
use crate::registry::Registry;

/// A place that was made by writing to it.
struct Place(UnsafeCell<u32>);

// SAFETY: loom checks that it is not read while it is written.
unsafe impl Sync for Place {}
// SAFETY: it is a number.
unsafe impl Send for Place {}

fn make() -> Place {
    let place = Place(UnsafeCell::new(0));
    // SAFETY: it is new.
    place.0.with_mut(|place| unsafe { *place = 1 });
    place
}

fn look(registry: &Registry<Place>) -> usize {
    let all = registry.all();
    for place in all {
        // SAFETY: places live as long as the registry; loom checks that it is written already.
        let written = unsafe { place.as_ref() }.0.with(|place| unsafe { *place });
        assert_eq!(written, 1);
    }
    all.len()
}

/// A thief looks at all places while the first ones are made, and then more.
#[test]
fn look_against_lend() {
    explore("look against lend", Bound::Complete, 5, || {
        let registry = Arc::new(Registry::new());
        let thief = {
            let registry = registry.clone();
            thread::spawn(move || {
                let first = look(&registry);
                assert!(first <= look(&registry), "a table became smaller");
            })
        };
        for _ in 0..5 {
            registry.lend(make);
        }
        thief.join().unwrap();
        assert_eq!(look(&registry), 8);
    });
}

/// Two borrow and give back: never the same place at the same time.
#[test]
fn lend_against_lend() {
    explore("lend against lend", Bound::Complete, 2, || {
        let registry = Arc::new(Registry::new());
        let borrow = |registry: &Registry<Place>| {
            let place = registry.lend(make);
            // SAFETY: it is ours; loom checks it.
            place.0.with_mut(|place| unsafe { *place = 1 });
            registry.give_back(place);
        };
        let other = {
            let registry = registry.clone();
            thread::spawn(move || borrow(&registry))
        };
        borrow(&registry);
        other.join().unwrap();
        assert_eq!(registry.lent(), 0);
        assert_eq!(look(&registry), 4);
    });
}
