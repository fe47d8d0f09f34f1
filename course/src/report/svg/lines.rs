//! How something grows with something else: a line for each stage, with a point for each measurement.
//!
//! The name of a line stands at its right, level with its end, and not in a legend: the eye need not travel. Where two
//! names would lie on each other they are moved apart, and a thin dotted line leads from each to where it belongs. A
//! line that ends early, because a stage could not go further, ends in a bar across it and says where.

use maud::{Markup, html};

use super::scale::{Scale, mark};
use super::{Tone, WIDTH, at, drawing, line_break, stroke, text, width_of};
use crate::compare::stats::Summary;
use crate::compare::units;

/// One measurement on a line.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Where along the axis.
    pub(crate) x: f64,
    /// What was measured there.
    pub(crate) y: Summary,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Whose it is.
    pub(crate) name: String,
    /// Its colour.
    pub(crate) tone: Tone,
    /// From left to right.
    pub(crate) points: Vec<Point>,
    /// Whether it could not go on where it ends.
    pub(crate) stopped: bool,
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// What stands below the axis.
    pub(crate) x_title: String,
    /// The unit along the axis.
    pub(crate) x_unit: String,
    /// What stands above the scale.
    pub(crate) y_title: String,
    /// The unit of what was measured.
    pub(crate) y_unit: String,
    /// The lines.
    pub(crate) lines: Vec<Line>,
    /// Whether to draw where something that grows in proportion would lie, such as a speed-up by each worker.
    pub(crate) proportion: bool,
}

const TOP: f64 = 34.0;
const BOTTOM: f64 = 262.0;
const HEIGHT: f64 = 304.0;
/// How far the names of two lines are apart at least: two rows of text.
const APART: f64 = 16.5;

/// The drawing; none if there is no point.
pub(crate) fn lines(chart: &Lines) -> Option<Markup> {
    let points: Vec<&Point> = chart.lines.iter().flat_map(|line| &line.points).collect();
    let (first, last) = points
        .iter()
        .fold((f64::INFINITY, 0.0f64), |(low, high), point| {
            (low.min(point.x), high.max(point.x))
        });
    if points.is_empty() {
        return None;
    }
    let mut values: Vec<f64> = points
        .iter()
        .flat_map(|point| [point.y.min, point.y.max])
        .collect();
    if chart.proportion {
        values.push(last);
    }
    let y = Scale::of(&values, &chart.y_unit, (BOTTOM, TOP + 8.0));
    let y_marks = y.marks(5);
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
    let left = 8.0 + widest(&mut y_marks.iter().map(|(_, name)| width_of(name, 12.0)));
    let right = WIDTH - 22.0 - widest(&mut chart.lines.iter().map(label_width));
    let x = Scale::between(first, last, &chart.x_unit, (left + 8.0, right));

    let mut labels: Vec<Label<'_>> = chart
        .lines
        .iter()
        .filter_map(|line| label(line, &x, &y))
        .collect();
    move_apart(&mut labels);
    let marks = html! {
        (text("small quiet", 2.0, 14.0, &chart.y_title))
        (axes(&x, &y, &y_marks, left, right, &chart.x_title))
        @if chart.proportion {
            (stroke("ideal", (x.place(first), y.place(first)), (x.place(last), y.place(last))))
        }
        @for line in &chart.lines { (curve(line, &x, &y)) }
        @for label in &labels { (named(label, right)) }
    };
    Some(drawing(HEIGHT, &chart.title, &describe(chart, &y), &marks))
}

fn axes(
    x: &Scale,
    y: &Scale,
    y_marks: &[(f64, String)],
    left: f64,
    right: f64,
    x_title: &str,
) -> Markup {
    let mut free = left - 14.0;
    let mut x_marks = Vec::new();
    for (value, name) in x.marks(5) {
        let half = width_of(&name, 12.0) / 2.0;
        let place = x.place(value);
        if place - half > free {
            free = place + half + 6.0;
            x_marks.push((place, name));
        }
    }
    let kind = |scale: &Scale| match scale.is_logarithmic() {
        true => "logarithmic",
        false => "linear",
    };
    let scales = match (x.is_logarithmic(), y.is_logarithmic()) {
        (true, true) => "both scales logarithmic".to_owned(),
        (false, false) => "both scales linear".to_owned(),
        _ => format!("{} across, {} upwards", kind(x), kind(y)),
    };
    html! {
        @for (value, name) in y_marks {
            (stroke("grid", (left, y.place(*value)), (right, y.place(*value))))
            (text("small quiet end", left - 5.0, y.place(*value) + 4.0, name))
        }
        (stroke("axis", (left, BOTTOM), (right, BOTTOM)))
        @for (place, name) in &x_marks {
            (stroke("axis", (*place, BOTTOM), (*place, BOTTOM + 4.0)))
            (text("small quiet mid", *place, BOTTOM + 17.0, name))
        }
        (text("small quiet", 2.0, BOTTOM + 36.0, &format!("{x_title}; {scales}")))
    }
}

/// A line, its points, and the whiskers of those that have a spread.
fn curve(line: &Line, x: &Scale, y: &Scale) -> Markup {
    let tone = line.tone.class();
    let place = |point: &Point| (x.place(point.x), y.place(point.y.median));
    let mut path = String::new();
    for (i, point) in line.points.iter().enumerate() {
        let (px, py) = place(point);
        path.push_str(&format!(
            "{}{} {}",
            if i == 0 { "M" } else { "L" },
            at(px),
            at(py)
        ));
    }
    html! {
        path class={ "curve " (tone) } d=(path) {}
        (line_break())
        @for point in &line.points {
            @let (px, py) = place(point);
            @let (low, high) = (y.place(point.y.min), y.place(point.y.max));
            @if low - high >= 9.0 { (stroke("whisker", (px, low), (px, high))) }
            circle class={ "point " (tone) } cx=(at(px)) cy=(at(py)) r="3.6"
                data-stage=(line.name) data-x=(point.x) data-value=(point.y.median) {}
            (line_break())
        }
        @if let (true, Some(end)) = (line.stopped, line.points.last()) {
            @let (px, py) = place(end);
            (stroke("stop", (px + 6.0, py - 7.0), (px + 6.0, py + 7.0)))
        }
    }
}

/// Where a name stands.
struct Label<'a> {
    line: &'a Line,
    /// The end of the line.
    end: (f64, f64),
    /// The middle of the text.
    y: f64,
    /// Where it stopped, in words.
    stop: Option<String>,
}

impl Label<'_> {
    fn height(&self) -> f64 {
        APART * if self.stop.is_some() { 2.0 } else { 1.0 }
    }
}

fn stop_words(line: &Line) -> Option<String> {
    let end = line.points.last().filter(|_| line.stopped)?;
    Some(format!("ends at {}", units::count(end.x)))
}

fn label_width(line: &Line) -> f64 {
    let below = stop_words(line).map_or(0.0, |words| width_of(&words, 12.0));
    width_of(&line.name, 13.5).max(below)
}

fn label<'a>(line: &'a Line, x: &Scale, y: &Scale) -> Option<Label<'a>> {
    let end = line.points.last()?;
    let end = (x.place(end.x), y.place(end.y.median));
    Some(Label {
        line,
        end,
        y: end.1,
        stop: stop_words(line),
    })
}

/// Moves names that lie on each other apart, from the top down and then back up from the bottom.
fn move_apart(labels: &mut [Label<'_>]) {
    labels.sort_by(|a, b| a.end.1.total_cmp(&b.end.1));
    let mut free = TOP - 4.0;
    for label in labels.iter_mut() {
        let half = label.height() / 2.0;
        label.y = label.y.max(free + half);
        free = label.y + half;
    }
    let mut free = BOTTOM + 4.0;
    for label in labels.iter_mut().rev() {
        let half = label.height() / 2.0;
        label.y = label.y.min(free - half);
        free = label.y - half;
    }
}

fn named(label: &Label<'_>, right: f64) -> Markup {
    let tone = label.line.tone.class();
    let x = right + 18.0;
    let first = match label.stop {
        Some(_) => label.y - 3.0,
        None => label.y + 4.5,
    };
    let from = label.end.0 + if label.line.stopped { 10.0 } else { 6.0 };
    let far = x - 4.0 - from > 12.0 || (label.y - label.end.1).abs() > 5.0;
    html! {
        @if far { (stroke("leader", (from, label.end.1), (x - 4.0, label.y))) }
        text class={ "name strong ink " (tone) } x=(at(x)) y=(at(first)) { (label.line.name) }
        (line_break())
        @if let Some(stop) = &label.stop { (text("small quiet", x, first + 14.5, stop)) }
    }
}

fn describe(chart: &Lines, y: &Scale) -> String {
    let of = |line: &Line| {
        let (Some(a), Some(b)) = (line.points.first(), line.points.last()) else {
            return format!("{} has no points", line.name);
        };
        let value = |point: &Point| {
            let x = mark(point.x, &chart.x_unit);
            format!("{} at {x}", units::quantity(point.y.median, &chart.y_unit))
        };
        let stop = if line.stopped {
            ", where it ends early"
        } else {
            ""
        };
        match line.points.len() {
            1 => format!("{} is {}{stop}", line.name, value(a)),
            _ => format!("{} goes from {} to {}{stop}", line.name, value(a), value(b)),
        }
    };
    let all: Vec<String> = chart.lines.iter().map(of).collect();
    let scale = match y.is_logarithmic() {
        true => "on a logarithmic scale",
        false => "on a linear scale",
    };
    format!(
        "Lines {scale}, along: {}. {}.",
        chart.x_title,
        all.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(name: &str, stage: usize, points: &[(f64, f64)]) -> Line {
        let point = |&(x, y): &(f64, f64)| Point {
            x,
            y: Summary {
                median: y,
                min: y,
                max: y,
            },
        };
        Line {
            name: name.to_owned(),
            tone: Tone::Stage(stage),
            points: points.iter().map(point).collect(),
            stopped: false,
        }
    }

    fn chart(lines: Vec<Line>) -> Lines {
        Lines {
            title: "tasks and memory".to_owned(),
            x_title: "tasks alive".to_owned(),
            x_unit: "tasks".to_owned(),
            y_title: "memory".to_owned(),
            y_unit: "bytes".to_owned(),
            lines,
            proportion: false,
        }
    }

    #[test]
    fn every_measurement_has_its_point() {
        let a = line("step01", 0, &[(100.0, 1e6), (1_000.0, 1e7)]);
        let b = line(
            "step02",
            1,
            &[(100.0, 1e5), (1_000.0, 1e6), (100_000.0, 1e8)],
        );
        let drawn = lines(&chart(vec![a, b])).unwrap().into_string();
        assert_eq!(drawn.matches("class=\"point s0\"").count(), 2);
        assert_eq!(drawn.matches("class=\"point s1\"").count(), 3);
        assert!(
            drawn.contains("tasks alive; both scales logarithmic"),
            "{drawn}"
        );
        assert!(lines(&chart(Vec::new())).is_none());
    }

    #[test]
    fn a_line_that_ends_early_says_where() {
        let stopped = Line {
            stopped: true,
            ..line("step01", 0, &[(100.0, 1e6), (32_407.0, 1e9)])
        };
        let drawn = lines(&chart(vec![stopped])).unwrap().into_string();
        assert!(drawn.contains("ends at 32,407"), "{drawn}");
        assert!(drawn.contains("class=\"stop\""), "{drawn}");
    }

    proptest! {
        /// However many lines end at the same place, their names do not lie on each other.
        #[test]
        fn names_are_apart(ends in prop::collection::vec(1e3f64..1e9, 1..9)) {
            let drawn: Vec<Line> = ends.iter().map(|end| line("x", 0, &[(1.0, *end)])).collect();
            let x = Scale::between(1.0, 2.0, "tasks", (50.0, 300.0));
            let y = Scale::of(&ends, "bytes", (BOTTOM, TOP + 8.0));
            let mut labels: Vec<Label<'_>> = drawn.iter().filter_map(|line| label(line, &x, &y)).collect();
            move_apart(&mut labels);
            for pair in labels.windows(2) {
                prop_assert!(pair[1].y - pair[0].y >= APART - 1e-6);
            }
            for label in &labels {
                prop_assert!((TOP - 4.0..=BOTTOM + 4.0).contains(&label.y), "{}", label.y);
            }
        }
    }
}
