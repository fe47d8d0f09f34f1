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

/// Times on a ruler that is logarithmic: each mark is ten times the one before.
pub(super) fn times(times: &[(&str, f64)]) -> String {
    const LEFT: f64 = 30.0;
    const RIGHT: f64 = 380.0;
    const ROW: f64 = 40.0;
    let longest = times.iter().map(|(_, ns)| *ns).fold(1.0, f64::max);
    let decades = longest.log10().ceil().max(1.0);
    let at = |ns: f64| LEFT + (RIGHT - LEFT) * (ns.max(1.0).log10() / decades).clamp(0.0, 1.0);
    let all: Vec<String> = times
        .iter()
        .map(|(what, ns)| format!("{what}, {}", quantity(*ns, "ns")))
        .collect();
    let description = format!(
        "A ruler on which each mark is ten times the one before it. From left to right: {}.",
        all.join("; ")
    );
    let bottom = 16.0 + ROW * times.len() as f64;
    let mut svg = Svg::new(
        bottom + 34.0,
        "How long things take, on a logarithmic ruler",
        &description,
    );
    for decade in 0..=decades as i32 {
        let x = at(10f64.powi(decade));
        svg.line("thin", (x, 10.0), (x, bottom));
        svg.text(
            "small quiet mid",
            x,
            bottom + 18.0,
            &quantity(10f64.powi(decade), "ns"),
        );
    }
    for (i, (what, ns)) in times.iter().enumerate() {
        let y = 16.0 + ROW * (i as f64 + 0.5);
        svg.line("task-line", (LEFT, y + 6.0), (at(*ns), y + 6.0));
        svg.dot("used", at(*ns), y + 6.0);
        let label = format!("{what}: {}", quantity(*ns, "ns"));
        svg.text("small", LEFT + 4.0, y - 3.0, &label);
    }
    svg.end()
}
