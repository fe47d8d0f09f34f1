//! Trees of scoped tasks, some of which panic: everyone ends exactly once, and every panic comes out where it must.

use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use step01::{Runtime, Scope, Threads, scope};

use crate::seed;
use crate::watchdog::watch;

/// A task, and what it starts.
#[derive(Clone, Debug)]
struct Node {
    panics: bool,
    /// Whether whoever starts it joins it too.
    joined: bool,
    /// Whether it opens a scope of its own for its children.
    own_scope: bool,
    children: Vec<Node>,
}

fn trees() -> impl Strategy<Value = Node> {
    let node = |children| {
        (
            prop::bool::weighted(0.2),
            any::<bool>(),
            any::<bool>(),
            children,
        )
            .prop_map(|(panics, joined, own_scope, children)| Node {
                panics,
                joined,
                own_scope,
                children,
            })
    };
    let leaf = node(Just(Vec::new()).boxed());
    leaf.prop_recursive(4, 24, 4, move |inner| node(vec(inner, 0..4).boxed()))
}

impl Node {
    fn size(&self) -> usize {
        1 + self.children.iter().map(Node::size).sum::<usize>()
    }

    /// Whether it panics, and whether there is a panic among its descendants, in the scope it was started in, that
    /// nobody joins.
    fn expected(&self) -> (bool, bool) {
        let mut unjoined = false;
        for child in &self.children {
            let (panics, below) = child.expected();
            unjoined |= below || (panics && !child.joined);
        }
        if self.own_scope {
            (self.panics || unjoined, false)
        } else {
            (self.panics, unjoined)
        }
    }

    /// Does what the node says, as task number `number` of those counted in `ended`.
    fn run<'scope, R: Runtime>(
        &'scope self,
        s: &'scope Scope<'scope, '_, R>,
        rt: &'scope R,
        number: usize,
        ended: &'scope [AtomicUsize],
    ) {
        let _end = End(&ended[number]);
        if self.own_scope {
            scope(rt, |s| self.start_children(s, rt, number, ended));
        } else {
            self.start_children(s, rt, number, ended);
        }
    }

    fn start_children<'scope, R: Runtime>(
        &'scope self,
        s: &'scope Scope<'scope, '_, R>,
        rt: &'scope R,
        number: usize,
        ended: &'scope [AtomicUsize],
    ) {
        let mut next = number + 1;
        let mut handles = Vec::new();
        for child in &self.children {
            let number = next;
            next += child.size();
            handles.push((child, s.spawn(move || child.run(s, rt, number, ended))));
        }
        for (child, handle) in handles {
            if child.joined {
                assert_eq!(handle.join().is_err(), child.expected().0);
            }
        }
        if self.panics {
            // Without the hook, which would print.
            resume_unwind(Box::new("quiet"));
        }
    }
}

/// Counts that a task has ended, however it did.
struct End<'a>(&'a AtomicUsize);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Keeps the panics that are the point of the test out of its output.
fn quieten() {
    static QUIETENED: Once = Once::new();
    QUIETENED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&"a scoped task panicked") {
                earlier(info);
            }
        }));
    });
}

fn ends_exactly_once(tree: &Node) -> Result<(), TestCaseError> {
    let _watchdog = watch(format!("{tree:?}"));
    let rt = Threads::new();
    let ended: Vec<_> = (0..tree.size()).map(|_| AtomicUsize::new(0)).collect();
    let result = catch_unwind(AssertUnwindSafe(|| {
        scope(&rt, |s| tree.run(s, &rt, 0, &ended));
    }));
    let counts: Vec<_> = ended.iter().map(|count| count.load(SeqCst)).collect();
    prop_assert!(counts.iter().all(|&count| count == 1), "{counts:?}");
    let (panics, unjoined) = tree.expected();
    let message = result.map_err(|payload| *payload.downcast::<&str>().unwrap());
    prop_assert_eq!(message.is_err(), panics || unjoined);
    // The closure's own panic counts for more than those of tasks.
    if tree.panics {
        prop_assert_eq!(message, Err("quiet"));
    } else if panics || unjoined {
        prop_assert_eq!(message, Err("a scoped task panicked"));
    }
    Ok(())
}

#[test]
fn scope_trees_end_exactly_once() {
    quieten();
    TestRunner::new(seed::config(200))
        .run(&trees(), |tree| ends_exactly_once(&tree))
        .unwrap();
}
