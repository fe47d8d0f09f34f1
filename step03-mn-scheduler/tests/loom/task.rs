//! Stands in for `src/task.rs`: a word, a link, and a place where the stack would be.

use std::cell::Cell;

use loom::cell::UnsafeCell;
use step02::run_queue::Linked;

use crate::claim::Claimable;
use crate::task_word::TaskWord;

/// A task of a model.
#[derive(Debug)]
pub struct Task {
    pub(crate) word: TaskWord,
    /// Whoever runs the task is in here. What it holds is the number of turns that it has had.
    pub(crate) stack: UnsafeCell<u32>,
    next: Cell<Option<TaskRef>>,
    marked: Cell<bool>,
}

/// As in the library; leaked.
pub type TaskRef = &'static Task;

// SAFETY: the word is atomic, and loom watches the stack. The cells belong to whoever has the task, as in the library.
unsafe impl Sync for Task {}

impl Task {
    pub(crate) fn new() -> TaskRef {
        Box::leak(Box::new(Task {
            word: TaskWord::new(),
            stack: UnsafeCell::new(0),
            next: Cell::new(None),
            marked: Cell::new(false),
        }))
    }
}

impl Linked for Task {
    fn link(&self) -> &Cell<Option<TaskRef>> {
        &self.next
    }
}

impl Claimable for Task {
    fn word(&self) -> &TaskWord {
        &self.word
    }

    fn mark(&self) {
        self.marked.set(true);
    }

    fn is_marked(&self) -> bool {
        self.marked.get()
    }
}
