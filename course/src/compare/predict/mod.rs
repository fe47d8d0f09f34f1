//! x
use super::measure::Plan;
use super::results::Report;
use super::screen::Screen;
use std::io::{BufRead, Write};
pub(crate) struct Guesses;
pub(crate) fn ask(
    _p: &Plan,
    _i: &mut impl BufRead,
    _o: &mut impl Write,
    _s: &Screen,
) -> anyhow::Result<Guesses> {
    Ok(Guesses)
}
impl Guesses {
    pub(crate) fn compare(&mut self, _r: &Report, _s: &Screen) -> String {
        String::new()
    }
}
