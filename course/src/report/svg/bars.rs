//! A bar for each stage, one below the other, with a whisker from the smallest repetition to the largest.
//!
//! The name and the value stand above each bar and not beside it: so the bars have the whole width, on a phone too, and
//! no label can run into another, however long a bar is.

use maud::{Markup, html};

use super::scale::Scale;
use super::{Tone, WIDTH, at, drawing, line_break, stroke, text, width_of};
use crate::compare::stats::Summary;
use crate::compare::units;

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Whose it is.
    pub(crate) name: String,
    /// What that is, in a few words; left out where there is no room.
    pub(crate) title: String,
    /// Its colour.
    pub(crate) tone: Tone,
    /// What was measured, or why there is nothing: `skipped` or `failed`.
    pub(crate) value: Result<Summary, String>,
    /// Whether the repetitions differ too widely.
    pub(crate) noisy: bool,
}

const LEFT: f64 = 6.0;
const RIGHT: f64 = WIDTH - 10.0;
/// From one bar to the next.
const ROW: f64 = 46.0;
/// How thick a bar is, and the radius of its end.
const THICK: f64 = 14.0;
const ROUND: f64 = 4.0;

/// The chart of some bars; none if nothing was measured.
pub(crate) fn bars(title: &str, bars: &[Bar], unit: &str) -> Option<Markup> {
    let measured = bars.iter().filter_map(|bar| bar.value.as_ref().ok());
    let values: Vec<f64> = measured
        .flat_map(|value| [value.min, value.median, value.max])
        .collect();
    if values.is_empty() {
        return None;
    }
    let scale = Scale::of(&values, unit, (LEFT, RIGHT - 8.0));
    let bottom = 6.0 + ROW * bars.len() as f64;
    let marks = html! {
        (axis(&scale, bottom))
        @for (i, bar) in bars.iter().enumerate() {
            (row(bar, 6.0 + ROW * i as f64, &scale, unit))
        }
    };
    Some(drawing(
        bottom + 40.0,
        title,
        &describe(title, bars, unit, &scale),
        &marks,
    ))
}

/// The marks below the bars, each with a thin line up.
fn axis(scale: &Scale, bottom: f64) -> Markup {
    let mut free = LEFT - 1.0;
    let mut marks = Vec::new();
    for (value, name) in scale.marks(5) {
        let x = scale.place(value);
        let half = width_of(&name, 12.0) / 2.0;
        // The first and the last stay within the drawing, and a mark that has no room has its line alone.
        let middle = x.max(LEFT + half).min(WIDTH - half - 1.0);
        let fits = middle - half > free;
        if fits {
            free = middle + half + 6.0;
        }
        marks.push((x, middle, fits.then_some(name)));
    }
    let kind = match scale.is_logarithmic() {
        true => "logarithmic: equal steps are equal factors",
        false => "from zero",
    };
    html! {
        @for (x, middle, name) in &marks {
            (stroke("grid", (*x, 6.0), (*x, bottom)))
            @if let Some(name) = name {
                (text("small quiet mid", *middle, bottom + 15.0, name))
            }
        }
        (text("small quiet", LEFT, bottom + 33.0, kind))
    }
}

fn row(bar: &Bar, top: f64, scale: &Scale, unit: &str) -> Markup {
    let tone = bar.tone.class();
    let base = top + 15.0;
    let says = match &bar.value {
        Ok(value) => units::quantity(value.median, unit),
        Err(what) => what.clone(),
    };
    let spread = bar
        .value
        .as_ref()
        .ok()
        .and_then(|value| units::spread(value, unit));
    let noise = if bar.noisy { " noisy" } else { "" };
    let tail = format!(
        "{}{noise}",
        spread.map_or(String::new(), |spread| format!(" ({spread})"))
    );
    let taken = width_of(&bar.name, 14.0) + 8.0 + width_of(&says, 14.0) + width_of(&tail, 12.0);
    let room = RIGHT - LEFT - taken - 12.0;
    let with_title = width_of(&bar.title, 12.0) <= room;
    html! {
        text.strong x=(at(LEFT)) y=(at(base)) {
            (bar.name)
            @if with_title && !bar.title.is_empty() {
                tspan.small.quiet dx="7" { (bar.title) }
            }
        }
        (line_break())
        @match &bar.value {
            Ok(value) => {
                text.end.strong x=(at(RIGHT)) y=(at(base)) { (says) tspan.small.quiet { (tail) } }
                (line_break())
                path class={ "bar " (tone) } data-stage=(bar.name) data-value=(value.median)
                    d=(rounded(LEFT, top + 21.0, scale.place(value.median))) {}
                (line_break())
                (whisker(value, top + 21.0 + THICK / 2.0, scale))
            }
            Err(_) => (text("end small quiet", RIGHT, base, &says))
        }
    }
}

/// A bar from the left edge to `x`, with a round end.
fn rounded(from: f64, top: f64, x: f64) -> String {
    let end = x.max(from + 1.0);
    let round = ROUND.min(end - from);
    let (left, right) = (at(from), at(end - round));
    format!(
        "M{left} {top}H{right}q{r} 0 {r} {r}v{v}q0 {r} -{r} {r}H{left}z",
        top = at(top),
        r = at(round),
        v = at(THICK - 2.0 * round),
    )
}

/// From the smallest repetition to the largest; nothing where they are the same to the eye.
fn whisker(value: &Summary, middle: f64, scale: &Scale) -> Markup {
    let (a, b) = (scale.place(value.min), scale.place(value.max));
    let cap = 3.5;
    let path = format!(
        "M{a} {m}H{b}M{a} {low}v{h}M{b} {low}v{h}",
        a = at(a),
        b = at(b),
        m = at(middle),
        low = at(middle - cap),
        h = at(2.0 * cap),
    );
    html! {
        @if b - a >= 1.5 {
            // A rim of the background keeps it apart from the bar, whatever the two colours are.
            path.rim d=(path) {}
            (line_break())
            path.whisker d=(path) {}
            (line_break())
        }
    }
}

/// The chart in words, for those who do not see it.
fn describe(title: &str, bars: &[Bar], unit: &str, scale: &Scale) -> String {
    let of = |bar: &Bar| match &bar.value {
        Ok(value) => format!("{} {}", bar.name, units::quantity(value.median, unit)),
        Err(what) => format!("{} {what}", bar.name),
    };
    let all: Vec<String> = bars.iter().map(of).collect();
    let scale = match scale.is_logarithmic() {
        true => "on a logarithmic scale",
        false => "on a scale from zero",
    };
    format!("Bars {scale}. {title}: {}.", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, median: f64) -> Bar {
        Bar {
            name: name.to_owned(),
            title: "what it is".to_owned(),
            tone: Tone::Stage(0),
            value: Ok(Summary {
                median,
                min: median * 0.9,
                max: median * 1.2,
            }),
            noisy: false,
        }
    }

    #[test]
    fn every_bar_says_its_value_and_is_as_long_as_that() {
        let drawn = bars("t", &[bar("a", 10.0), bar("b", 20.0)], "ns")
            .unwrap()
            .into_string();
        assert_eq!(drawn.matches("class=\"bar s0\"").count(), 2);
        assert_eq!(drawn.matches("class=\"whisker\"").count(), 2);
        assert!(drawn.contains("data-value=\"20\""), "{drawn}");
        assert!(
            drawn.contains("20.0 ns") && drawn.contains("(18.0–24.0)"),
            "{drawn}"
        );
        assert!(drawn.contains("from zero"), "{drawn}");
        assert!(!drawn.contains("logarithmic"), "{drawn}");
    }

    #[test]
    fn a_scale_that_is_logarithmic_says_so() {
        let drawn = bars("t", &[bar("a", 10.0), bar("b", 20_000.0)], "ns")
            .unwrap()
            .into_string();
        assert!(drawn.contains("logarithmic: equal steps"), "{drawn}");
    }

    #[test]
    fn what_was_not_measured_has_no_bar_and_says_so() {
        let absent = Bar {
            value: Err("skipped".to_owned()),
            ..bar("b", 1.0)
        };
        assert!(bars("t", std::slice::from_ref(&absent), "ns").is_none());
        let drawn = bars("t", &[bar("a", 10.0), absent], "ns")
            .unwrap()
            .into_string();
        assert_eq!(drawn.matches("class=\"bar ").count(), 1);
        assert!(drawn.contains(">skipped</text>"), "{drawn}");
    }
}
