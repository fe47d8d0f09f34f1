//! The inbox: what arrives is found, and a worker that sleeps is woken.

use loom::sync::Arc;
use loom::thread;

use crate::inbox::Inbox;
use crate::model::{Bound, explore};

/// Two threads bring something while the worker is on its way to sleep. It gets both.
#[test]
fn arrive_against_sleep() {
    explore("arrive against sleep", Bound::Complete, 20_000, || {
        let inbox = Arc::new(Inbox::<u32, u32>::new());
        let senders = [1, 2].map(|n| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.arrive(|mail| mail.jobs.push(n)))
        });
        let mut sum = 0;
        while sum < 3 {
            let jobs = inbox.empty().jobs;
            if jobs.is_empty() {
                inbox.sleep(None, None);
            }
            sum += jobs.iter().sum::<u32>();
        }
        assert_eq!(sum, 3);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    });
}

/// A busy worker looks at the hint alone. It is never behind for good: what has arrived, and was not taken out, shows.
#[test]
fn the_hint_is_not_lost() {
    explore("the hint is not lost", Bound::Complete, 1_000, || {
        let inbox = Arc::new(Inbox::<u32, u32>::new());
        let senders = [1, 2].map(|n| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.arrive(|mail| mail.ready.push(n)))
        });
        let mut got = 0;
        if inbox.has_mail() {
            let ready = inbox.empty().ready;
            assert!(!ready.is_empty(), "the hint said that there was mail");
            got += ready.len();
        }
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        assert_eq!(inbox.has_mail(), got < 2);
        got += inbox.empty().ready.len();
        assert_eq!(got, 2);
        assert!(!inbox.has_mail());
    });
}
