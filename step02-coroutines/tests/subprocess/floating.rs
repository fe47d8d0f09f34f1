//! Bug 16: rounding modes. The control words belong to the thread, so a coroutine that changes them changes them for its
//! resumer, too; with debug assertions that is found out.

use std::panic::{self, AssertUnwindSafe};

use step02::arch::FloatControl;
use step02::{Coroutine, Suspender};

use crate::child::{self, Case};
use crate::stack;

pub(crate) const CASES: &[Case] = &[
    ("rounding_leaks", rounding_leaks),
    ("rounding_kept", rounding_kept),
];

/// Has floating-point numbers rounded upwards from now on.
fn round_up() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut mxcsr = 0u32;
        // SAFETY: this process does no arithmetic that would mind, and ends soon.
        unsafe {
            std::arch::asm!(
                "stmxcsr [{0}]",
                "or dword ptr [{0}], 0x4000",
                "ldmxcsr [{0}]",
                in(reg) &mut mxcsr,
            );
        }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "mrs {0}, fpcr",
            "orr {0}, {0}, #0x400000",
            "msr fpcr, {0}",
            out(reg) _,
        );
    }
}

fn rounding_leaks() {
    let before = FloatControl::read();
    let mut rude = Coroutine::<(), (), ()>::new(stack(), |suspender, ()| {
        round_up();
        suspender.suspend(());
    });
    let resumed = panic::catch_unwind(AssertUnwindSafe(|| rude.resume(())));
    assert_ne!(FloatControl::read(), before);
    before.write();
    assert_eq!(FloatControl::read(), before);
    println!("found out {}", resumed.is_err());
}

#[test]
fn a_coroutine_that_leaves_another_rounding_mode_is_found_out_with_debug_assertions() {
    let ended = child::run("rounding_leaks");
    ended.is_done();
    assert_eq!(ended.value("found out"), cfg!(debug_assertions).to_string());
    if cfg!(debug_assertions) {
        ended.said("has changed the floating-point control words");
    }
}

fn suspend_with_default(suspender: &Suspender<(), ()>, default: FloatControl) {
    FloatControl::keep(|| {
        default.write();
        suspender.suspend(());
    });
}

fn rounding_kept() {
    let default = FloatControl::read();
    let mut polite = Coroutine::<(), (), bool>::new(stack(), move |suspender, ()| {
        FloatControl::keep(|| {
            round_up();
            let own = FloatControl::read();
            suspend_with_default(suspender, default);
            own == FloatControl::read() && own != default
        })
    });
    polite.resume(());
    assert_eq!(FloatControl::read(), default);
    assert_eq!(polite.resume(()), step02::Resumed::Returned(true));
    assert_eq!(FloatControl::read(), default);
}

#[test]
fn a_coroutine_that_keeps_the_words_has_its_own_mode_and_its_resumer_has_another() {
    child::run("rounding_kept").is_done();
}
