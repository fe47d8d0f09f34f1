//! Charts as SVG: made here, without a plotting library.
//!
//! A chart is drawn once and shown in two places, in the page that `compare` leaves and in the book. So it has no
//! colours of its own: it uses the classes of `book/css/charts.css`, which both of them load and which know light and
//! dark. Text is text, so that it can be searched, read aloud and copied; each drawing has a title and a description;
//! and each mark carries what it stands for in `data-` attributes, so that a test can count marks against numbers.
//!
//! A drawing is 400 units wide. On the narrowest phone that is a little less than one unit for one pixel, so the text,
//! of 12 and 13 units, stays readable.
//!
//! Rejected: plotting crates. Those that write SVG put colours and font sizes into every element and measure text for a
//! fixed width, so that neither a dark theme nor a phone gets a drawing made for it; and they would be built before the
//! first number is measured.

mod bars;
mod lines;
mod scale;

pub(crate) use bars::{Bar, bars};
pub(crate) use lines::{Line, Lines, Point, lines};

use maud::{Markup, PreEscaped, html};

/// How wide a drawing is, in its own units.
const WIDTH: f64 = 400.0;

/// From this ratio of the largest value to the smallest on a scale is logarithmic.
const ORDERS: f64 = 20.0;

/// Which colour something has: by its place among the stages, or among the peers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    /// The n-th stage.
    Stage(usize),
    /// The n-th peer.
    Peer(usize),
}

impl Tone {
    /// The class in `charts.css`.
    pub(crate) fn class(self) -> String {
        match self {
            Tone::Stage(n) => format!("s{}", n % 6),
            Tone::Peer(n) => format!("p{}", n % 6),
        }
    }
}

/// A whole drawing around its marks.
fn drawing(height: f64, title: &str, description: &str, marks: &Markup) -> Markup {
    let view = format!("0 0 {WIDTH:.0} {height:.0}");
    html! {
        svg.chart role="img" xmlns="http://www.w3.org/2000/svg" viewBox=(view) {
            (line_break()) title { (title) } (line_break()) desc { (description) } (line_break())
            (marks)
        }
    }
}

/// Marks stand on lines of their own, so that two versions of a drawing can be compared.
fn line_break() -> PreEscaped<&'static str> {
    PreEscaped("\n")
}

/// A coordinate: a tenth of a unit is finer than any screen.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn text(class: &str, x: f64, y: f64, says: &str) -> Markup {
    html! { text class=(class) x=(at(x)) y=(at(y)) { (says) } (line_break()) }
}

fn stroke(class: &str, from: (f64, f64), to: (f64, f64)) -> Markup {
    let path = format!("M{} {}L{} {}", at(from.0), at(from.1), at(to.0), at(to.1));
    html! { path class=(class) d=(path) {} (line_break()) }
}

/// About how wide a text is, at a size in units. No font is known here, so it is a guess on the safe side, from a
/// wide one of the usual fonts.
fn width_of(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.34,
        '(' | ')' | 'f' | 'r' | 't' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' => 0.98,
        '×' => 0.84,
        c if c.is_uppercase() => 0.72,
        _ => 0.64,
    };
    text.chars().map(of).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!(at(12.0), "12");
        assert_eq!(at(12.345), "12.3");
        assert_eq!(at(-0.04), "-0");
    }

    #[test]
    fn what_is_written_is_escaped() {
        let drawn = drawing(9.0, "a<b", "\"&\"", &text("x", 1.0, 2.0, "</svg>")).into_string();
        assert!(drawn.contains("<title>a&lt;b</title>"), "{drawn}");
        assert!(drawn.contains("&lt;/svg&gt;</text>"), "{drawn}");
        assert_eq!(drawn.matches("</svg>").count(), 1);
    }
}
