//! The `select!` macro, and the few public names that its expansion needs.
//!
//! The macro turns its arms into values on the stack, one match inside the other. That is not for looks: what a `match`
//! looks at lives until the match is over, so `recv(after(timeout)) -> _` may make its channel on the spot. Then it calls
//! [`run`] with references to them, and a chain of ifs runs the body of the arm that was done. The bodies are no
//! closures, so `?`, `break` and `return` in them mean what they seem to mean.

use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, SendError};
use crate::channel::{Receiver, Sender};
use crate::select::{self, Arm, Limit, RecvArm, SendArm};
use crate::wait_queue::Outcome;

/// A reference to an arm.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct ArmRef<'a>(&'a dyn Arm);

/// Which arm was done, and how it ended.
#[doc(hidden)]
pub struct Fired {
    index: usize,
    outcome: Outcome,
}

impl Fired {
    #[doc(hidden)]
    pub fn is(&self, index: usize) -> bool {
        self.index == index
    }
}

impl<T> Receiver<T> {
    #[doc(hidden)]
    pub fn __select_recv(&self) -> RecvArm<'_, T> {
        RecvArm::new(self)
    }
}

impl<T> Sender<T> {
    #[doc(hidden)]
    pub fn __select_send(&self, value: T) -> SendArm<'_, T> {
        SendArm::new(self, value)
    }
}

impl<T> RecvArm<'_, T> {
    #[doc(hidden)]
    pub fn __arm(&self) -> ArmRef<'_> {
        ArmRef(self.arm())
    }

    #[doc(hidden)]
    pub fn __result(&self, fired: Fired) -> Result<T, RecvError> {
        self.result(fired.outcome)
    }
}

impl<T> SendArm<'_, T> {
    #[doc(hidden)]
    pub fn __arm(&self) -> ArmRef<'_> {
        ArmRef(self.arm())
    }

    #[doc(hidden)]
    pub fn __result(&self, fired: Fired) -> Result<(), SendError<T>> {
        self.result(fired.outcome)
    }
}

fn run<const N: usize>(arms: [ArmRef<'_>; N], limit: Limit) -> Option<Fired> {
    let arms = arms.map(|arm| arm.0);
    let mut order: [usize; N] = std::array::from_fn(|index| index);
    let mut locks = order;
    let (index, outcome) = select::run(&arms, &mut order, &mut locks, limit)?;
    Some(Fired { index, outcome })
}

/// Waits for an arm, for ever.
#[doc(hidden)]
pub fn wait<const N: usize>(arms: [ArmRef<'_>; N]) -> Fired {
    match run(arms, Limit::Until(None)) {
        Some(fired) => fired,
        None => unreachable!("a select without a deadline ends with an arm"),
    }
}

/// Does an arm that is ready now.
#[doc(hidden)]
pub fn poll<const N: usize>(arms: [ArmRef<'_>; N]) -> Option<Fired> {
    run(arms, Limit::Poll)
}

/// Waits for an arm for no longer than `timeout`.
#[doc(hidden)]
pub fn wait_timeout<const N: usize>(arms: [ArmRef<'_>; N], timeout: Duration) -> Option<Fired> {
    // A timeout past the end of time is none.
    run(arms, Limit::Until(Instant::now().checked_add(timeout)))
}

/// Waits for any of several channel operations, does one that can be done, and runs its body.
///
/// ```text
/// select! {
///     recv(receiver) -> result => body,          // result: Result<T, RecvError>
///     send(sender, value) -> result => body,     // result: Result<(), SendError<T>>
///     default => body,                           // at most one of these two, as the last arm:
///     default(timeout) => body,                  // nothing is ready now; or not within this Duration
/// }
/// ```
///
/// If several arms are ready, one of them is chosen at random, each with the same chance. An arm whose channel is closed
/// is ready: its result is the error. All expressions are evaluated once, before anything is tried; a value whose arm
/// was not chosen is dropped. A task that has to wait is parked. The whole is an expression, and all bodies have its type.
///
/// For a number of arms that is known only at run time there is [`Select`](crate::Select).
///
/// ```
/// use std::time::Duration;
/// use step01::{after, bounded, select, unbounded};
///
/// let (tx, rx) = unbounded();
/// let (_idle, quiet) = bounded::<()>(0);
/// tx.send(42).unwrap();
/// let got = select! {
///     recv(rx) -> value => value.unwrap(),
///     recv(quiet) -> _ => unreachable!(),
///     recv(after(Duration::from_secs(60))) -> _ => panic!("a minute has passed"),
/// };
/// assert_eq!(got, 42);
///
/// let nothing = select! {
///     recv(quiet) -> _ => false,
///     default => true,
/// };
/// assert!(nothing);
/// ```
#[macro_export]
macro_rules! select {
    ($($arms:tt)+) => {
        $crate::__select! { @parse [] $($arms)+ }
    };
}

/// The workings of [`select!`]: parse the arms into a list, bind each to a variable, run, pick.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Parse: a body in braces needs no comma behind it; any other expression does, unless it is the last.
    (@parse [$($done:tt)*] recv($channel:expr) -> $result:pat => $body:block $(, $($rest:tt)*)?) => {
        $crate::__select! { @parse [$($done)* (recv ($channel) ($result) ($body))] $($($rest)*)? }
    };
    (@parse [$($done:tt)*] recv($channel:expr) -> $result:pat => $body:block $($rest:tt)+) => {
        $crate::__select! { @parse [$($done)* (recv ($channel) ($result) ($body))] $($rest)+ }
    };
    (@parse [$($done:tt)*] recv($channel:expr) -> $result:pat => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select! { @parse [$($done)* (recv ($channel) ($result) ($body))] $($($rest)*)? }
    };
    (@parse [$($done:tt)*] send($channel:expr, $value:expr $(,)?) -> $result:pat => $body:block $(, $($rest:tt)*)?) => {
        $crate::__select! { @parse [$($done)* (send ($channel, $value) ($result) ($body))] $($($rest)*)? }
    };
    (@parse [$($done:tt)*] send($channel:expr, $value:expr $(,)?) -> $result:pat => $body:block $($rest:tt)+) => {
        $crate::__select! { @parse [$($done)* (send ($channel, $value) ($result) ($body))] $($rest)+ }
    };
    (@parse [$($done:tt)*] send($channel:expr, $value:expr $(,)?) -> $result:pat => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select! { @parse [$($done)* (send ($channel, $value) ($result) ($body))] $($($rest)*)? }
    };
    (@parse [$($done:tt)*] default => $body:expr $(,)?) => {
        $crate::__select! { @bind [] (0usize) [$($done)*] (poll ($body)) }
    };
    (@parse [$($done:tt)*] default($timeout:expr) => $body:expr $(,)?) => {
        $crate::__select! { @bind [] (0usize) [$($done)*] (timeout ($timeout) ($body)) }
    };
    (@parse [$($done:tt)+]) => {
        $crate::__select! { @bind [] (0usize) [$($done)+] (wait) }
    };
    (@parse [$($done:tt)*] $($wrong:tt)*) => {
        ::std::compile_error!(::std::concat!(
            "select!: expected `recv(receiver) -> result => body`, `send(sender, value) -> result => body`, or, last, \
             `default => body` or `default(timeout) => body`; found: ",
            ::std::stringify!($($wrong)*)
        ))
    };

    // Bind: one variable for each arm. All are called `arm`; macro hygiene keeps them apart.
    (@bind [$($bound:tt)*] ($index:expr) [(recv ($channel:expr) $result:tt $body:tt) $($rest:tt)*] $limit:tt) => {
        match $channel.__select_recv() {
            arm => $crate::__select! { @bind [$($bound)* (arm ($index) $result $body)] ($index + 1usize) [$($rest)*] $limit }
        }
    };
    (@bind [$($bound:tt)*] ($index:expr) [(send ($channel:expr, $value:expr) $result:tt $body:tt) $($rest:tt)*] $limit:tt) => {
        match $channel.__select_send($value) {
            arm => $crate::__select! { @bind [$($bound)* (arm ($index) $result $body)] ($index + 1usize) [$($rest)*] $limit }
        }
    };

    // Run.
    (@bind [$(($arm:ident $index:tt $result:tt $body:tt))*] $count:tt [] (wait)) => {{
        let fired = $crate::__private::wait([$($arm.__arm()),*]);
        $crate::__select! { @pick fired [$(($arm $index $result $body))*] }
    }};
    (@bind [$(($arm:ident $index:tt $result:tt $body:tt))*] $count:tt [] (poll ($default:expr))) => {
        match $crate::__private::poll([$($arm.__arm()),*]) {
            ::std::option::Option::None => $default,
            ::std::option::Option::Some(fired) => {
                $crate::__select! { @pick fired [$(($arm $index $result $body))*] }
            }
        }
    };
    (@bind [$(($arm:ident $index:tt $result:tt $body:tt))*] $count:tt [] (timeout ($timeout:expr) ($default:expr))) => {
        match $crate::__private::wait_timeout([$($arm.__arm()),*], $timeout) {
            ::std::option::Option::None => $default,
            ::std::option::Option::Some(fired) => {
                $crate::__select! { @pick fired [$(($arm $index $result $body))*] }
            }
        }
    };

    // Pick: the last arm needs no question.
    (@pick $fired:ident []) => {{
        let _ = $fired;
        ::std::unreachable!("only an arm can fire")
    }};
    (@pick $fired:ident [($arm:ident ($index:expr) ($result:pat) ($body:expr)) $($rest:tt)*]) => {
        if $fired.is($index) {
            let $result = $arm.__result($fired);
            $body
        } else {
            $crate::__select! { @pick $fired [$($rest)*] }
        }
    };
}
