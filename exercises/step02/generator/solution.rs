//! A generator: an iterator whose values come from a function that stops in the middle.
//!
//! The function runs on a stack of its own. It hands a value over and stops there; the next call of `next` lets it go
//! on. Nothing runs ahead: between two calls of `next` the function stands still.

use step02::{Coroutine, Resumed, Stack, Suspender};

// ANCHOR: generator
/// The values that a function hands over, one after the other.
#[derive(Debug)]
pub struct Generator<T> {
    // ANCHOR: cut_fields | // What runs the function? And what is left when it has come to its end?
    // ANCHOR: cut_fields | values: std::marker::PhantomData<T>,
    /// `None` when the function has returned or panicked, so that its stack is free.
    coroutine: Option<Coroutine<(), T, ()>>,
    // ANCHOR_END: cut_fields
}

/// What the function hands its values over with.
#[derive(Debug)]
pub struct Giver<'a, T>(&'a Suspender<(), T>);

impl<T: 'static> Giver<'_, T> {
    /// Hands `value` over. Returns when the next one is wanted; unwinds if nobody will ever want one.
    pub fn give(&self, value: T) {
        // ANCHOR: cut_give | let _ = (value, &self.0);
        // ANCHOR: cut_give | todo!("hand the value over, and stop here")
        self.0.suspend(value);
        // ANCHOR_END: cut_give
    }
}

impl<T: 'static> Generator<T> {
    /// A generator of the values that `f` gives. `f` is called on `stack`, by the first `next`.
    pub fn new(stack: Stack, f: impl FnOnce(&Giver<'_, T>) + 'static) -> Self {
        // ANCHOR: cut_new | let _ = (stack, f);
        // ANCHOR: cut_new | todo!("put the function on the stack, and do not run it yet")
        Generator {
            coroutine: Some(Coroutine::new(stack, |suspender, ()| f(&Giver(suspender)))),
        }
        // ANCHOR_END: cut_new
    }
}

impl<T> Iterator for Generator<T> {
    type Item = T;

    /// Lets the function go on to its next value. `None` when it has returned, then and ever after. A panic of the
    /// function comes out here, once; after that it is `None`.
    fn next(&mut self) -> Option<T> {
        // ANCHOR: cut_next | todo!("let the function go on to its next value")
        // Out of its place: if the function panics, the unwinding drops the coroutine here, and the next call finds
        // nothing. The stack of one that is done goes back to its region in the same way.
        let mut coroutine = self.coroutine.take()?;
        match coroutine.resume(()) {
            Resumed::Yielded(value) => {
                self.coroutine = Some(coroutine);
                Some(value)
            }
            Resumed::Returned(()) => None,
        }
        // ANCHOR_END: cut_next
    }
}
// ANCHOR_END: generator
// No `Drop`: dropping the coroutine unwinds the function where it stands.
