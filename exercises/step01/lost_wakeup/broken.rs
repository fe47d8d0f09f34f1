//! The parker as it was found, for the schedule to be tried on. Do not mend this one: yours is in `exercise.rs`.

use exercises::sync::Word;

#[derive(Debug)]
pub(crate) struct Parker {
    token: Word,
    asleep: Word,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker {
            token: Word::new("token", 0),
            asleep: Word::new("asleep", 0),
        }
    }

    pub(crate) fn park(&self) {
        // BROKEN park
        // If the token is there already, there is nothing to wait for.
        if self.token.swap(0) == 1 {
            return;
        }
        // Say so before falling asleep, or the waker would not know that it has to wake somebody.
        self.asleep.store(1);
        self.asleep.wait(1);
        self.asleep.store(0);
        self.token.swap(0);
        // BROKEN end
    }

    pub(crate) fn unpark(&self) {
        // BROKEN unpark
        self.token.store(1);
        // Waking is a system call. Most of the time nobody sleeps, so look first.
        if self.asleep.load() == 1 {
            self.asleep.store(0);
            self.asleep.wake_one();
        }
        // BROKEN end
    }
}
