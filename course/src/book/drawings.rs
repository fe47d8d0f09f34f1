//! Drawings whose sizes are measured. Their language is that of `book/css/course.css`, like that of the drawn ones.

use std::fmt::Write as _;

use super::recorded::Weight;
use super::rounded::quantity;

/// A drawing that is being written.
struct Svg(String);

impl Svg {
    fn new(height: f64, title: &str, description: &str) -> Svg {
        Svg(format!(
            "<svg role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 {height:.0}\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n"
        ))
    }

    // Writing to a String cannot fail, so the results are dropped.

    fn square(&mut self, class: &str, x: f64, y: f64, side: f64) {
        let _ = writeln!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\"/>"
        );
    }

    fn bar(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = writeln!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>"
        );
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((a, b), (c, d)) = (from, to);
        let _ = writeln!(
            self.0,
            "<path class=\"{class}\" d=\"M{a:.1} {b:.1}L{c:.1} {d:.1}\"/>"
        );
    }

    fn dot(&mut self, class: &str, x: f64, y: f64) {
        let _ = writeln!(
            self.0,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"
        );
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// One parked thread: squares whose areas are numbers of bytes, all to the same scale.
pub(super) fn cost(weight: &Weight) -> String {
    const RESERVED_SIDE: f64 = 250.0;
    let side = |bytes: f64| RESERVED_SIDE * (bytes / weight.reserved).sqrt();
    let bytes = |bytes: f64| quantity(bytes, "bytes");
    let description = format!(
        "A large outlined square is what is reserved for the thread, {} of addresses. A small filled square in its corner \
         is the memory in use, {}. Below, on the floor that is the kernel, two more filled squares: page tables, {}, and \
         what the kernel keeps for the thread, {}. Areas are to scale.",
        bytes(weight.reserved),
        bytes(weight.resident),
        bytes(weight.page_tables),
        bytes(weight.kernel),
    );
    let mut svg = Svg::new(
        372.0,
        "What one parked thread takes, to scale",
        &description,
    );
    svg.bar("lane", 10.0, 10.0, 380.0, RESERVED_SIDE + 20.0);
    svg.square("memory", 20.0, 20.0, RESERVED_SIDE);
    svg.square("used", 20.0, 20.0, side(weight.resident));
    let right = 20.0 + RESERVED_SIDE + 10.0;
    svg.text("small strong", right, 130.0, "reserved");
    svg.text(
        "small",
        right,
        147.0,
        &format!("{} of", bytes(weight.reserved)),
    );
    svg.text("small", right, 162.0, "addresses");
    let beside = 20.0 + side(weight.resident) + 8.0;
    svg.text(
        "small strong task-ink",
        beside,
        33.0,
        &format!("in use: {}", bytes(weight.resident)),
    );

    let floor = RESERVED_SIDE + 36.0;
    svg.bar("floor", 10.0, floor, 380.0, 76.0);
    svg.text("strong", 22.0, floor + 20.0, "the kernel");
    let mut x = 22.0;
    for (bytes_, name) in [
        (weight.page_tables, "page tables"),
        (weight.kernel, "its own half"),
    ] {
        let side = side(bytes_);
        svg.square("used", x, floor + 60.0 - side, side);
        svg.text("small", x + side + 7.0, floor + 45.0, name);
        svg.text("small", x + side + 7.0, floor + 60.0, &bytes(bytes_));
        x += 170.0;
    }
    svg.end()
}

/// Parked tasks of several kinds, below each other: squares whose areas are numbers of bytes, all to the same scale.
pub(super) fn costs(tasks: &[(&str, Weight)]) -> String {
    const WIDEST: f64 = 150.0;
    const LOWEST: f64 = 56.0;
    let largest = tasks.iter().map(|(_, weight)| weight.reserved);
    let largest = largest.fold(1.0, f64::max);
    let side = |bytes: f64| WIDEST * (bytes / largest).sqrt();
    let bytes = |bytes: f64| quantity(bytes, "bytes");
    let kernel = |weight: &Weight| match weight.kernel {
        0.0 => String::new(),
        kernel => format!(", in the kernel {}", bytes(kernel)),
    };
    let all: Vec<String> = tasks
        .iter()
        .map(|(name, weight)| {
            format!(
                "{name}: reserved {}, in use {}, page tables {}{}",
                bytes(weight.reserved),
                bytes(weight.resident),
                bytes(weight.page_tables),
                kernel(weight),
            )
        })
        .collect();
    let description = format!(
        "Outlined squares are reserved addresses, filled squares are memory in use; below each, on the floor that is the \
         kernel, what that holds. {}. Areas are to scale.",
        all.join(". ")
    );
    let lane = |weight: &Weight| side(weight.reserved).max(LOWEST) + 28.0;
    let block = |weight: &Weight| lane(weight) + 56.0;
    let height: f64 = 10.0 + tasks.iter().map(|(_, weight)| block(weight)).sum::<f64>();
    let mut svg = Svg::new(
        height,
        "What a parked task of each kind takes, to one scale",
        &description,
    );
    let mut y = 10.0;
    for (name, weight) in tasks {
        svg.bar("lane", 10.0, y, 380.0, lane(weight));
        svg.square("memory", 20.0, y + 14.0, side(weight.reserved));
        svg.square("used", 20.0, y + 14.0, side(weight.resident));
        let right = 20.0 + WIDEST + 16.0;
        svg.text("strong", right, y + 26.0, name);
        let reserved = format!("reserved: {} of addresses", bytes(weight.reserved));
        svg.text("small", right, y + 46.0, &reserved);
        let used = format!("in use: {}", bytes(weight.resident));
        svg.text("small strong task-ink", right, y + 64.0, &used);
        y += lane(weight);
        svg.bar("floor", 10.0, y, 380.0, 44.0);
        let mut x = 20.0;
        for (bytes_, what) in [
            (weight.page_tables, "page tables"),
            (weight.kernel, "its own half"),
        ] {
            if bytes_ > 0.0 {
                let side = side(bytes_);
                svg.square("used", x, y + 34.0 - side, side);
                svg.text("small", x + side + 7.0, y + 18.0, what);
                svg.text("small", x + side + 7.0, y + 34.0, &bytes(bytes_));
                x += 166.0;
            }
        }
        y += 56.0;
    }
    svg.end()
}

/// A ruler on which each mark is ten times the one before it, from a nanosecond up.
struct Ruler {
    decades: f64,
}

impl Ruler {
    const LEFT: f64 = 30.0;
    const RIGHT: f64 = 380.0;
    const ROW: f64 = 40.0;
    const TOP: f64 = 16.0;

    /// One that the longest of some times fits on.
    fn until(longest: f64) -> Ruler {
        Ruler {
            decades: longest.log10().ceil().max(1.0),
        }
    }

    fn at(&self, ns: f64) -> f64 {
        let part = ns.max(1.0).log10() / self.decades;
        Ruler::LEFT + (Ruler::RIGHT - Ruler::LEFT) * part.clamp(0.0, 1.0)
    }

    fn bottom(rows: usize) -> f64 {
        Ruler::TOP + Ruler::ROW * rows as f64
    }

    /// The marks behind so many rows, and what they mean below. Where there are many, only every third has room for that,
    /// and those between are short.
    fn draw(&self, svg: &mut Svg, rows: usize) {
        let bottom = Ruler::bottom(rows);
        let every = if self.decades > 6.0 { 3 } else { 1 };
        for decade in 0..=self.decades as i32 {
            let ns = 10f64.powi(decade);
            let x = self.at(ns);
            if decade % every == 0 {
                svg.line("thin", (x, 10.0), (x, bottom));
                svg.text("small quiet mid", x, bottom + 18.0, &quantity(ns, "ns"));
            } else {
                svg.line("thin", (x, bottom - 7.0), (x, bottom));
            }
        }
    }
}

/// Times on a ruler that is logarithmic: each mark is ten times the one before.
pub(super) fn times(times: &[(String, f64)]) -> String {
    let longest = times.iter().map(|(_, ns)| *ns).fold(1.0, f64::max);
    let ruler = Ruler::until(longest);
    let all: Vec<String> = times
        .iter()
        .map(|(what, ns)| format!("{what}, {}", quantity(*ns, "ns")))
        .collect();
    let description = format!(
        "A ruler on which each mark is ten times the one before it. From left to right: {}.",
        all.join("; ")
    );
    let mut svg = Svg::new(
        Ruler::bottom(times.len()) + 34.0,
        "How long things take, on a logarithmic ruler",
        &description,
    );
    ruler.draw(&mut svg, times.len());
    for (i, (what, ns)) in times.iter().enumerate() {
        let y = Ruler::TOP + Ruler::ROW * (i as f64 + 0.5);
        svg.line(
            "task-line",
            (Ruler::LEFT, y + 6.0),
            (ruler.at(*ns), y + 6.0),
        );
        svg.dot("used", ruler.at(*ns), y + 6.0);
        let label = format!("{what}: {}", quantity(*ns, "ns"));
        svg.text("small", Ruler::LEFT + 4.0, y - 3.0, &label);
    }
    svg.end()
}

/// What became of some times from one step to the next, on a logarithmic ruler: an outlined dot where each was, a filled
/// one where it is.
pub(super) fn gains(before: &str, after: &str, gains: &[(&str, f64, f64)]) -> String {
    let longest = gains.iter().map(|(_, old, new)| old.max(*new));
    let ruler = Ruler::until(longest.fold(1.0, f64::max));
    let said = |(what, old, new): &(&str, f64, f64)| {
        format!(
            "{what}: {} → {}",
            quantity(*old, "ns"),
            quantity(*new, "ns")
        )
    };
    let all: Vec<String> = gains.iter().map(said).collect();
    let description = format!(
        "A ruler on which each mark is ten times the one before it. For each row an outlined dot for {before}, a filled \
         dot for {after}, and a line between them. {}.",
        all.join("; ")
    );
    let mut svg = Svg::new(
        Ruler::bottom(gains.len()) + 34.0,
        &format!("From {before} to {after}, on a logarithmic ruler"),
        &description,
    );
    ruler.draw(&mut svg, gains.len());
    for (i, gain) in gains.iter().enumerate() {
        let (_, old, new) = gain;
        let y = Ruler::TOP + Ruler::ROW * (i as f64 + 0.5);
        svg.line(
            "task-line",
            (ruler.at(*old), y + 6.0),
            (ruler.at(*new), y + 6.0),
        );
        svg.dot("memory", ruler.at(*old), y + 6.0);
        svg.dot("used", ruler.at(*new), y + 6.0);
        svg.text("small", Ruler::LEFT + 4.0, y - 3.0, &said(gain));
    }
    svg.end()
}
