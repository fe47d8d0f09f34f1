//! The bar on stderr: what is running, and about how long the rest will take.
//!
//! There is none when stderr is not a terminal. It moves with the estimated time and not with the number of
//! repetitions, since one row takes ten times as long as another.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::units;

/// Steps of the bar from empty to full.
const STEPS: u64 = 1_000;

/// The bar.
pub(crate) struct Progress {
    bar: ProgressBar,
    begin: Instant,
    what: String,
    /// When the present repetition began, and how long everything from then on should take.
    present: (Instant, Duration),
}

impl Progress {
    /// A bar for something that will take about so long.
    pub(crate) fn new(estimate: Duration) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template("  {bar:30} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Progress {
            bar,
            begin: Instant::now(),
            what: String::new(),
            present: (Instant::now(), estimate),
        }
    }

    /// Says what runs now, and how long all that is left should take from here. No time: as said before.
    pub(crate) fn begin(&mut self, what: String, rest: Duration) {
        self.what = what;
        if !rest.is_zero() {
            self.present = (Instant::now(), rest);
        }
        self.tick();
    }

    /// Moves the bar.
    pub(crate) fn tick(&mut self) {
        let (since, rest) = self.present;
        let left = rest.saturating_sub(since.elapsed());
        let done = self.begin.elapsed().as_secs_f64();
        let part = done / (done + left.as_secs_f64()).max(1e-3);
        // It never runs back: an estimate that grows makes it stand still.
        let step = ((part * STEPS as f64) as u64).max(self.bar.position());
        self.bar.set_position(step.min(STEPS - 1));
        let left = units::wait(left.as_secs_f64());
        self.bar.set_message(format!("{left} left · {}", self.what));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
