//! Channels that are clocks: `after`, `tick`, `never`.

use std::time::{Duration, Instant};

use step01::{Runtime, TryRecvError, after, bounded, never, select, tick};

const SHORT: Duration = Duration::from_millis(3);

pub(super) fn after_comes_once_and_not_too_early<R: Runtime>(rt: &R) {
    rt.run(|| {
        let start = Instant::now();
        let clock = after(SHORT);
        let due = clock.recv().unwrap();
        assert!(due >= start + SHORT && Instant::now() >= due);
        assert_eq!(clock.try_recv(), Err(TryRecvError::Empty), "once only");
        assert!(
            clock
                .recv_timeout(SHORT)
                .is_err_and(|error| error.is_timeout())
        );

        // Of several that wait, no more than one gets it.
        let clock = after(SHORT);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let clock = clock.clone();
                rt.spawn(move || clock.recv_timeout(4 * SHORT).is_ok())
            })
            .collect();
        let got: Vec<bool> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert!(got.iter().filter(|got| **got).count() <= 1, "{got:?}");
    });
}

pub(super) fn after_is_a_timeout_of_a_select<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (_tx, rx) = bounded::<u8>(0);
        let start = Instant::now();
        let timed_out = select! {
            recv(rx) -> _ => false,
            recv(after(SHORT)) -> _ => true,
        };
        assert!(timed_out && start.elapsed() >= SHORT);
        // What is there wins over a clock that is far away.
        let (tx, rx) = bounded(1);
        tx.send(1).unwrap();
        let value = select! {
            recv(rx) -> value => value.ok(),
            recv(after(Duration::from_secs(3_600))) -> _ => None,
        };
        assert_eq!(value, Some(1));
    });
}

pub(super) fn ticks_come_again_and_not_too_early<R: Runtime>(rt: &R) {
    rt.run(|| {
        let start = Instant::now();
        let clock = tick(SHORT);
        for n in 1..=4 {
            clock.recv().unwrap();
            assert!(start.elapsed() >= n * SHORT, "tick {n}");
        }
        // Ticks that nobody took are not made up for.
        rt.sleep(5 * SHORT);
        clock.recv().unwrap();
        let before = Instant::now();
        let missed = clock.try_iter().count();
        assert!(missed <= 1 + (before.elapsed().as_micros() / SHORT.as_micros()) as usize);
    });
}

pub(super) fn never_never_comes<R: Runtime>(rt: &R) {
    rt.run(|| {
        let clock = never::<u8>();
        assert_eq!(clock.try_recv(), Err(TryRecvError::Empty));
        assert!(
            clock
                .recv_timeout(SHORT)
                .is_err_and(|error| error.is_timeout())
        );
        let chosen = select! {
            recv(clock) -> _ => "never",
            default(SHORT) => "nothing",
        };
        assert_eq!(chosen, "nothing");
    });
}
