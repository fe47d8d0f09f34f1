//! The promises of the contract, one case each. Every stage must pass them all.
//!
//! A case is a function over the runtime. It is deterministic: it never sleeps in order to be "surely" later than
//! something else, and it never demands that something be quick, so a busy machine cannot make it fail. Where a case
//! wants the other side to be parked already, it gives way a few times and goes on; it must come out right in either
//! order, and over many runs both are met. Times are checked from below only: a sleep may take longer, never shorter.
//! What hangs is ended by a watchdog, with the name of the case.
//!
//! A stage runs them all, as one `#[test]` each, by a line in its `tests/conformance.rs`:
//!
//! ```
//! workloads::conformance!(step01::Threads::new());
//! # fn main() {}
//! ```
//!
//! A new case is a function in one of the files here and its name in the list at the end of this one.

mod channels;
mod clocks;
mod closing;
mod groups;
mod locks;
mod parking;
mod selects;
mod sockets;
mod tasks;

use std::fmt;

use step01::Runtime;

use crate::testing::Watchdog;

/// One promise.
pub struct Case<R> {
    /// What is promised, as the name of a test: `"tasks::a_join_returns_what_the_task_returned"`.
    pub name: &'static str,
    /// Panics if the runtime breaks the promise. To be called from a plain OS thread.
    pub run: fn(&R),
}

impl<R> fmt::Debug for Case<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Runs the case of this name under the watchdog.
///
/// # Panics
///
/// If the runtime breaks the promise, or there is no such case.
pub fn check<R: Runtime>(rt: &R, name: &str) {
    let _watchdog = Watchdog::new(name);
    match suite::<R>().iter().find(|case| case.name == name) {
        Some(case) => (case.run)(rt),
        None => panic!("no case is named {name}"),
    }
}

/// Gives the others some turns, so that they are likely to have come to where they wait. Nothing may depend on it.
fn let_others_run<R: Runtime>(rt: &R) {
    for _ in 0..20 {
        rt.yield_now();
    }
}

/// One `#[test]` for each case, on the given runtime: a line in each stage's `tests/conformance.rs`. The expression is
/// evaluated once in each test.
#[macro_export]
macro_rules! conformance {
    ($runtime:expr) => {
        $crate::__conformance_cases! { __conformance_tests [$runtime] }
    };
}

/// The tests of [`conformance!`](crate::conformance), from the list of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$runtime:expr] $($module:ident { $($case:ident)* })*) => {
        $crate::__conformance_tests! { @modules [$runtime] $($module [$($case)*])* }
    };
    (@modules [$runtime:expr] $($module:ident $cases:tt)*) => {
        $($crate::__conformance_tests! { @module [$runtime] $module $cases })*
    };
    (@module [$runtime:expr] $module:ident [$($case:ident)*]) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $case() {
                    let name = concat!(stringify!($module), "::", stringify!($case));
                    $crate::conformance::check(&$runtime, name);
                }
            )*
        }
    };
}

/// [`suite`], from the list of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_suite {
    ([] $($module:ident { $($case:ident)* })*) => {
        /// Every case, in the order in which a reader would want to meet them.
        pub fn suite<R: Runtime>() -> Vec<Case<R>> {
            vec![$($(
                Case {
                    name: concat!(stringify!($module), "::", stringify!($case)),
                    run: $module::$case::<R>,
                },
            )*)*]
        }
    };
}

/// The list: which file, and which of its functions. Given to the macro named first, behind what it was given.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:ident $arguments:tt) => {
        $crate::$then! { $arguments
            tasks {
                run_returns_what_its_closure_returns
                run_can_be_called_again
                run_lets_the_panic_of_its_closure_out
                a_join_returns_what_the_task_returned
                a_join_after_the_end_returns_at_once
                a_join_with_a_deadline_gives_the_handle_back
                a_join_returns_the_panic
                a_panic_leaves_the_others_alone
                a_task_that_is_not_joined_runs_all_the_same
                what_an_unjoined_task_returns_is_dropped
                tasks_spawn_tasks
                a_thread_outside_can_spawn_and_join
                many_tasks_yield_until_all_have_come
                a_handle_can_be_joined_by_another_task
                blocking_returns_what_its_closure_returns
                blocking_lets_a_panic_out
            }
            parking {
                an_unpark_before_the_park_is_not_lost
                a_task_is_unparked_by_another_task
                a_task_is_unparked_by_a_plain_thread
                a_plain_thread_is_unparked_by_a_task
                a_park_with_a_deadline_ends_there
                stray_unparks_shorten_no_other_wait
                an_unpark_after_the_end_harms_nobody
                a_sleep_lasts_at_least_as_long_as_it_should
                many_sleep_at_once
            }
            channels {
                values_of_one_sender_keep_their_order
                every_value_arrives_exactly_once
                a_rendezvous_is_a_meeting
                a_rendezvous_is_tried_only_with_a_partner
                a_bounded_channel_holds_so_many
                an_unbounded_channel_never_makes_a_sender_wait
                a_task_and_a_plain_thread_share_a_channel
                a_value_may_own_things
                iterators_end_with_the_channel
                handles_say_what_they_belong_to
            }
            closing {
                the_last_sender_wakes_all_receivers
                the_last_receiver_wakes_all_senders
                what_was_sent_is_received_after_the_last_sender
                a_clone_keeps_the_channel_open
                a_value_that_cannot_be_sent_comes_back
                receiving_says_why_there_is_nothing
                no_value_is_lost_or_dropped_twice
                a_timeout_leaves_nothing_behind
            }
            selects {
                the_arm_that_is_ready_is_done
                a_parked_select_is_woken_by_any_arm
                exactly_one_arm_is_done
                sends_and_receives_mix
                ready_arms_are_chosen_fairly
                default_is_for_when_nothing_is_ready
                a_default_with_a_timeout_waits_that_long
                a_closed_channel_is_ready
                two_selects_meet_at_a_rendezvous
                a_list_of_arms_made_at_run_time
                a_list_of_arms_is_fair
                a_list_of_arms_gives_up_in_time
            }
            clocks {
                after_comes_once_and_not_too_early
                after_is_a_timeout_of_a_select
                ticks_come_again_and_not_too_early
                never_never_comes
            }
            locks {
                a_mutex_excludes
                a_mutex_is_held_across_waits
                a_mutex_is_tried_without_waiting
                a_panic_unlocks_a_mutex
                a_condition_is_waited_for
                notify_all_wakes_all
                a_wait_for_a_condition_ends_in_time
                tasks_and_plain_threads_share_locks
            }
            groups {
                a_wait_group_waits_for_all
                a_wait_group_wakes_all_who_wait
                a_semaphore_lets_so_many_in
                a_semaphore_gives_up_in_time
                once_runs_once
                once_tries_again_after_a_panic
                a_scope_lends_its_stack
                a_scope_ends_after_its_tasks
                a_panic_in_a_scope_comes_out_at_its_end
            }
            sockets {
                what_is_sent_comes_back
                many_connections_at_once
                large_transfers_arrive_whole
                a_plain_client_is_served
                the_end_arrives_with_the_last_data
                one_task_reads_while_another_writes
                nobody_listening_is_an_error
            }
        }
    };
}

__conformance_cases! { __conformance_suite [] }

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let suite = suite::<step01::Threads>();
        let names: HashSet<_> = suite.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), suite.len());
        assert!(suite.len() > 70, "{}", suite.len());
    }
}
