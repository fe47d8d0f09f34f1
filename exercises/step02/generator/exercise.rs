//! A generator: an iterator whose values come from a function that stops in the middle.
//!
//! The function runs on a stack of its own. It hands a value over and stops there; the next call of `next` lets it go
//! on. Nothing runs ahead: between two calls of `next` the function stands still.

use step02::{Coroutine, Resumed, Stack, Suspender};

/// The values that a function hands over, one after the other.
#[derive(Debug)]
pub struct Generator<T> {
    // What runs the function? And what is left when it has come to its end?
    values: std::marker::PhantomData<T>,
}

/// What the function hands its values over with.
#[derive(Debug)]
pub struct Giver<'a, T>(&'a Suspender<(), T>);

impl<T: 'static> Giver<'_, T> {
    /// Hands `value` over. Returns when the next one is wanted; unwinds if nobody will ever want one.
    pub fn give(&self, value: T) {
        let _ = (value, &self.0);
        todo!("hand the value over, and stop here")
    }
}

impl<T: 'static> Generator<T> {
    /// A generator of the values that `f` gives. `f` is called on `stack`, by the first `next`.
    pub fn new(stack: Stack, f: impl FnOnce(&Giver<'_, T>) + 'static) -> Self {
        let _ = (stack, f);
        todo!("put the function on the stack, and do not run it yet")
    }
}

impl<T> Iterator for Generator<T> {
    type Item = T;

    /// Lets the function go on to its next value. `None` when it has returned, then and ever after. A panic of the
    /// function comes out here, once; after that it is `None`.
    fn next(&mut self) -> Option<T> {
        todo!("let the function go on to its next value")
    }
}
// No `Drop`: dropping the coroutine unwinds the function where it stands.
