//! Coroutines: values both ways, panics, drops at every place. What ends the process is in `subprocess/`.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use step02::{Coroutine, ForcedUnwind, Region, Resumed, SlotLayout, Stack};

fn region() -> Arc<Region> {
    Region::map(SlotLayout::default(), 64).unwrap()
}

fn stack() -> Stack {
    region().open().unwrap()
}

/// Counts how many of its kind are alive.
struct Alive(Rc<Cell<i32>>);

impl Alive {
    fn new(count: &Rc<Cell<i32>>) -> Alive {
        count.set(count.get() + 1);
        Alive(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn values_go_in_and_out_and_the_last_one_is_returned() {
    let mut echo = Coroutine::new(stack(), |suspender, first: String| {
        let second = suspender.suspend(format!("1: {first}"));
        let third = suspender.suspend(format!("2: {second}"));
        vec![first, second, third]
    });
    assert_eq!(echo.resume("a".into()), Resumed::Yielded("1: a".into()));
    assert_eq!(echo.resume("b".into()), Resumed::Yielded("2: b".into()));
    assert!(!echo.is_done());
    let Resumed::Returned(all) = echo.resume("c".into()) else {
        panic!("it has no more to yield");
    };
    assert_eq!(all, ["a", "b", "c"]);
    assert!(echo.is_done());
}

#[test]
fn values_of_every_size_and_alignment_arrive() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(128))]
    struct Wide([u64; 40]);
    let wide = Wide(std::array::from_fn(|n| n as u64 * 3));
    let mut bounce = Coroutine::new(stack(), move |suspender, first: Wide| {
        // The closure owns an aligned value too, which must be where the compiler thinks that it is.
        assert_eq!((&raw const wide).addr() % 128, 0);
        let second = suspender.suspend((first, 1u8));
        (second, wide)
    });
    assert_eq!(bounce.resume(wide), Resumed::Yielded((wide, 1)));
    assert_eq!(
        bounce.resume(Wide([9; 40])),
        Resumed::Returned((Wide([9; 40]), wide))
    );
    let mut nothing = Coroutine::new(stack(), |suspender, (): ()| suspender.suspend(()));
    assert_eq!(nothing.resume(()), Resumed::Yielded(()));
    assert_eq!(nothing.resume(()), Resumed::Returned(()));
}

#[test]
fn registers_and_floating_point_values_survive_a_switch() {
    // Enough live values of each kind that some are in registers that a call preserves, in both parties.
    fn mix(seed: u64, mut turn: impl FnMut()) -> (u64, f64) {
        let mut whole: [u64; 12] = std::array::from_fn(|n| seed.wrapping_mul(n as u64 + 1));
        let mut real: [f64; 12] = std::array::from_fn(|n| seed as f64 / (n as f64 + 1.5));
        for round in 0..50 {
            for n in 0..12 {
                whole[n] = whole[n].rotate_left(5) ^ whole[(n + 1) % 12].wrapping_add(round);
                real[n] = real[n] * 0.75 + real[(n + 5) % 12];
            }
            turn();
        }
        (whole.iter().fold(0, |a, b| a ^ b), real.iter().sum())
    }
    let alone = [mix(17, || ()), mix(23, || ())];
    let mut inside = Coroutine::new(stack(), |suspender, ()| mix(17, || suspender.suspend(())));
    let mut found = None;
    let outside = mix(23, || {
        if !inside.is_done()
            && let Resumed::Returned(value) = inside.resume(())
        {
            found = Some(value);
        }
    });
    assert_eq!(outside, alone[1]);
    assert_eq!(inside.resume(()), Resumed::Returned(alone[0]));
    assert_eq!(found, None);
}

#[test]
fn a_panic_goes_on_in_the_resumer_with_the_same_payload() {
    let count = Rc::new(Cell::new(0));
    let owned = Alive::new(&count);
    let mut panics = Coroutine::<(), (), ()>::new(stack(), move |suspender, ()| {
        let _owned = owned;
        suspender.suspend(());
        panic::panic_any(77u16);
    });
    panics.resume(());
    let payload = panic::catch_unwind(AssertUnwindSafe(|| panics.resume(()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&77u16));
    assert!(panics.is_done());
    assert_eq!(count.get(), 0);
    assert!(!std::thread::panicking());
}

#[test]
fn one_that_is_done_cannot_be_resumed() {
    let mut done = Coroutine::<(), (), ()>::new(stack(), |_, ()| ());
    done.resume(());
    let refused = panic::catch_unwind(AssertUnwindSafe(|| done.resume(()))).unwrap_err();
    let text = refused.downcast_ref::<&str>().unwrap();
    assert_eq!(*text, "a coroutine was resumed that is done");
}

// ANCHOR: drop_at_every_yield
/// Bug 17: what a suspended coroutine holds must be dropped, wherever it was suspended.
#[test]
fn dropped_at_every_yield_it_leaves_nothing_behind() {
    const YIELDS: usize = 8;
    for resumes in 0..=YIELDS + 1 {
        let count = Rc::new(Cell::new(0));
        let owned = Alive::new(&count);
        let region = Region::map(SlotLayout::default(), 1).unwrap();
        let mut coroutine = Coroutine::<Alive, Alive, Alive>::new(region.open().unwrap(), {
            let count = Rc::clone(&count);
            move |suspender, mut given| {
                let mut kept = vec![owned];
                for _ in 0..YIELDS {
                    kept.push(given);
                    given = suspender.suspend(Alive::new(&count));
                }
                given
            }
        });
        for _ in 0..resumes {
            coroutine.resume(Alive::new(&count));
        }
        assert_eq!(coroutine.is_done(), resumes == YIELDS + 1);
        drop(coroutine);
        assert_eq!(count.get(), 0, "dropped after {resumes} resumes");
        assert!(!std::thread::panicking());
        // The only stack is back as well.
        assert!(region.open().is_ok());
    }
}
// ANCHOR_END: drop_at_every_yield

#[test]
fn nested_frames_are_dropped_from_the_inside_out() {
    let order = Rc::new(RefCell::new(Vec::new()));
    struct Says(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Says {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let mut coroutine = Coroutine::<(), (), ()>::new(stack(), {
        let order = Rc::clone(&order);
        move |suspender, ()| {
            let _outer = Says("outer", Rc::clone(&order));
            let inner = || {
                let _inner = Says("inner", Rc::clone(&order));
                suspender.suspend(());
            };
            inner();
        }
    });
    coroutine.resume(());
    drop(coroutine);
    assert_eq!(*order.borrow(), ["inner", "outer"]);
}

#[test]
fn the_unwinding_of_a_drop_may_be_caught_if_it_then_comes_to_an_end() {
    let seen = Rc::new(Cell::new(false));
    let mut catches = Coroutine::<(), (), u8>::new(stack(), {
        let seen = Rc::clone(&seen);
        move |suspender, ()| {
            let caught = panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(())));
            seen.set(caught.unwrap_err().is::<ForcedUnwind>());
            7
        }
    });
    catches.resume(());
    drop(catches);
    assert!(seen.get());
}

#[test]
fn coroutines_inside_coroutines_are_dropped_with_the_outer_one() {
    let count = Rc::new(Cell::new(0));
    let region = region();
    let mut outer = Coroutine::<(), (), ()>::new(region.open().unwrap(), {
        let (count, region) = (Rc::clone(&count), Arc::clone(&region));
        move |suspender, ()| {
            let _held = Alive::new(&count);
            let mut inner = Coroutine::<(), (), ()>::new(region.open().unwrap(), {
                let count = Rc::clone(&count);
                move |suspender, ()| {
                    let _held = Alive::new(&count);
                    suspender.suspend(());
                }
            });
            inner.resume(());
            suspender.suspend(());
        }
    });
    outer.resume(());
    assert_eq!(count.get(), 2);
    drop(outer);
    assert_eq!(count.get(), 0);
}

#[test]
fn a_destructor_may_resume_and_drop_coroutines_while_its_thread_panics() {
    struct Finishes(Option<Coroutine<(), u32, ()>>, Rc<Cell<u32>>);
    impl Drop for Finishes {
        fn drop(&mut self) {
            if let Some(mut coroutine) = self.0.take()
                && let Resumed::Yielded(n) = coroutine.resume(())
            {
                self.1.set(n);
            }
        }
    }
    let count = Rc::new(Cell::new(0));
    let yielded = Rc::new(Cell::new(0));
    let mut coroutine = Coroutine::<(), u32, ()>::new(stack(), {
        let count = Rc::clone(&count);
        move |suspender, ()| {
            let _held = Alive::new(&count);
            (1..100).for_each(|n| suspender.suspend(n));
        }
    });
    coroutine.resume(());
    let finishes = Finishes(Some(coroutine), Rc::clone(&yielded));
    let payload = panic::catch_unwind(AssertUnwindSafe(move || {
        let _finishes = finishes;
        panic::resume_unwind(Box::new(5u8));
    }));
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&5u8));
    assert_eq!((yielded.get(), count.get()), (2, 0));
    assert!(!std::thread::panicking());
}

#[test]
fn a_forgotten_coroutine_keeps_its_stack() {
    let region = region();
    let mut forgotten = Coroutine::<(), usize, ()>::new(region.open().unwrap(), |suspender, ()| {
        let local = 42usize;
        suspender.suspend((&raw const local).addr());
    });
    let Resumed::Yielded(address) = forgotten.resume(()) else {
        panic!("it yields")
    };
    std::mem::forget(forgotten);
    drop(region);
    // SAFETY: the local is in a frame that never ends, on a stack that is never unmapped.
    assert_eq!(unsafe { *(address as *const usize) }, 42);
}

#[test]
fn a_stack_is_taken_back_and_used_again() {
    let region = region();
    let mut stack = region.open().unwrap();
    let base = stack.base();
    for n in 0..100 {
        let mut coroutine = Coroutine::<u32, (), u32>::new(stack, |_, n| n + 1);
        if n % 2 == 0 {
            assert_eq!(coroutine.resume(n), Resumed::Returned(n + 1));
        }
        stack = coroutine.into_stack();
        assert_eq!(stack.base(), base);
    }
}

#[test]
fn a_closure_that_is_too_large_for_its_stack_is_refused() {
    let region = Region::map(SlotLayout::new(SlotLayout::smallest()).unwrap(), 1).unwrap();
    let large = [1u8; 8 << 10];
    let stack = region.open().unwrap();
    let refused = panic::catch_unwind(AssertUnwindSafe(|| {
        Coroutine::<(), (), usize>::new(stack, move |_, ()| large.len())
    }));
    let payload = refused.map(|_| ()).unwrap_err();
    assert!(
        payload
            .downcast_ref::<&str>()
            .unwrap()
            .contains("a quarter")
    );
}

#[test]
fn inside_the_slot_is_found_from_the_stack_pointer_and_outside_there_is_none() {
    let region = region();
    let stacks: Vec<Stack> = (0..5).map(|_| region.open().unwrap()).collect();
    for stack in stacks {
        let base = stack.base();
        let here = Arc::clone(&region);
        let mut coroutine = Coroutine::<(), (), Option<usize>>::new(stack, move |_, ()| {
            here.slot_of(step02::arch::stack_pointer().addr())
        });
        assert_eq!(coroutine.resume(()), Resumed::Returned(Some(base)));
    }
    assert_eq!(region.slot_of(step02::arch::stack_pointer().addr()), None);
}

#[inline(never)]
fn captured_inside() -> String {
    std::backtrace::Backtrace::force_capture().to_string()
}

/// What a closure owns lies directly above the first frame, where a caller would have left the address to return to.
/// This closure owns nothing but addresses of a function.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Bait(#[allow(dead_code)] [usize; 8]);

#[inline(never)]
fn bitten() -> usize {
    std::hint::black_box(captured_inside()).len()
}

#[test]
fn a_backtrace_from_inside_ends_at_the_coroutines_root() {
    let inside_of_it = bitten as *const () as usize + 8;
    let bait = Bait([inside_of_it; 8]);
    let mut coroutine = Coroutine::<(), (), String>::new(stack(), move |_, ()| {
        std::hint::black_box(bait);
        std::hint::black_box(captured_inside())
    });
    let Resumed::Returned(text) = coroutine.resume(()) else {
        panic!("it returns")
    };
    let frames: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("at "))
        .collect();
    assert!(
        frames.iter().any(|frame| frame.contains("captured_inside")),
        "{text}"
    );
    assert!(
        frames.last().unwrap().contains("coroutine_root"),
        "it goes on above the root:\n{text}"
    );
}
