//! The stages beside what others have made: a list, since with a column for each there would soon be no room for a number.
//!
//! For each row that some peer can do: everyone who was measured, a line each, and what the last stage that was measured
//! there is to them, pair by pair.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table};
use workloads::catalog::Info;

use super::ratios::Ratio;
use super::results::{Column, Direction, Kind, Measurement, Report, Status};
use super::screen::Screen;
use super::table::{NOISY, label, places, superscript};
use super::units;

/// The list and its footnotes.
pub(crate) fn render(report: &Report, shared: &[&'static Info], screen: &Screen) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED.with_rounded_corners());
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(screen.width as u16);
    match screen.colour {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    let bold = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
    let heads = ["", "median (range)", "n", "beside the last stage"];
    table.set_header(heads.map(bold));
    let mut footnotes = Vec::new();
    for info in shared {
        for place in places(report, info) {
            table.add_row(Row::from(vec![bold(&label(info, place))]));
            block(report, info, place, &mut table, &mut footnotes);
        }
    }
    if let Some(n) = table.column_mut(2) {
        n.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    for (i, footnote) in footnotes.iter().enumerate() {
        text.push_str(&screen.wrap(&format!("  {} ", superscript(i + 1)), footnote));
    }
    text
}

/// The lines of one row.
fn block(
    report: &Report,
    info: &Info,
    place: Option<f64>,
    table: &mut Table,
    footnotes: &mut Vec<String>,
) {
    let of = |column: &Column| report.headline_at(&column.name, info.name, place);
    let stages = report
        .stages
        .iter()
        .filter(|column| column.kind == Kind::Stage);
    let last = stages.filter_map(of).rfind(|figure| figure.value.is_some());
    let mut absent: Vec<Absent<'_>> = Vec::new();
    for column in &report.stages {
        let Some(figure) = of(column) else { continue };
        let version = column
            .version
            .as_deref()
            .map_or(String::new(), |version| format!(" {version}"));
        let Some(summary) = figure.summary() else {
            absent.push(Absent::of(figure));
            continue;
        };
        let mut value = units::quantity(summary.median, &figure.unit);
        if let Some(spread) = units::spread(&summary, &figure.unit) {
            value.push_str(&format!("  ({spread})"));
        }
        if figure.is_noisy() {
            value.push_str(NOISY);
        }
        table.add_row(Row::from(vec![
            Cell::new(format!("  {}{version}, {}", column.name, column.title)),
            Cell::new(value),
            Cell::new(figure.n),
            Cell::new(last.map_or(String::new(), |last| against(figure, last))),
        ]));
    }
    // Those who give the same reason share a line.
    while let Some(first) = absent.first() {
        let (what, reason) = (first.what, first.reason.clone());
        let same = |other: &Absent<'_>| other.what == what && other.reason == reason;
        let (alike, others): (Vec<_>, Vec<_>) = absent.into_iter().partition(same);
        absent = others;
        let names: Vec<&str> = alike.iter().map(|absent| absent.name).collect();
        let reason = match names[..] {
            [one] => reason.replace(ITSELF, one),
            _ => reason.replace(ITSELF, "it"),
        };
        let names = names.join(", ");
        footnotes.push(format!("{names}, {}: {what}: {reason}", info.name));
        let mark = superscript(footnotes.len());
        table.add_row(Row::from(vec![
            Cell::new(format!("  {names}")),
            Cell::new(format!("{what} {mark}")),
        ]));
    }
}

/// Someone without a number.
struct Absent<'a> {
    name: &'a str,
    what: &'static str,
    /// Why, with [`ITSELF`] in the place of the name.
    reason: String,
}

/// Stands for whoever it is in a reason.
const ITSELF: &str = "{itself}";

impl<'a> Absent<'a> {
    fn of(figure: &'a Measurement) -> Self {
        let reason = figure.reason.as_deref().unwrap_or("no reason was given");
        Absent {
            name: &figure.stage,
            what: match figure.status {
                Status::Failed => "failed",
                _ => "skipped",
            },
            reason: reason.replace(&figure.stage, ITSELF),
        }
    }
}

/// What a figure is beside the last stage's.
fn against(figure: &Measurement, last: &Measurement) -> String {
    if figure.stage == last.stage {
        return String::new();
    }
    match Ratio::of(figure, last) {
        Some(ratio) if ratio.is_clear() => {
            let more = ratio.of.median > 1.0;
            let better = more == (figure.better == Direction::Higher);
            format!(
                "{}, {}",
                ratio.words(),
                if better { "better" } else { "worse" }
            )
        }
        Some(_) => "not to be told apart".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::super::results::tests::report;
    use super::*;

    #[test]
    fn many_stages_and_many_peers_keep_within_the_screen() {
        let names = [
            "step01",
            "step02",
            "step03",
            "step04",
            "step05",
            "corosensei",
            "rayon",
            "tokio",
        ];
        let mut report = report(
            &names,
            |stage, _, _| if stage == "rayon" { 100.0 } else { 432.1 },
        );
        for column in &mut report.stages[5..] {
            column.kind = Kind::Peer;
            column.version = Some("1.2.3".to_owned());
        }
        let all: Vec<&'static Info> = catalog::all().iter().collect();
        for width in [80, 100] {
            let screen = Screen {
                width,
                colour: false,
            };
            let text = render(&report, &all, &screen);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{text}");
        }
        let screen = Screen {
            width: 100,
            colour: false,
        };
        let text = render(&report, &[catalog::find("switch").unwrap()], &screen);
        let rayon = text
            .lines()
            .find(|line| line.contains("rayon 1.2.3"))
            .unwrap();
        assert!(rayon.contains("4.3 times less, better"), "{text}");
    }

    #[test]
    fn those_with_the_same_reason_share_a_footnote() {
        let mut report = report(&["step01", "step02", "step03", "other"], |_, _, _| 2.0);
        report.stages[3].kind = Kind::Peer;
        for result in &mut report.results {
            if ["step01", "step03"].contains(&&*result.stage) {
                result.status = Status::Skipped;
                result.value = None;
                result.reason = Some(format!("{} has none", result.stage));
            }
        }
        let screen = Screen {
            width: 100,
            colour: false,
        };
        let text = render(&report, &[catalog::find("raw_switch").unwrap()], &screen);
        let footnote = "¹ step01, step03, raw_switch: skipped: it has none";
        assert!(text.contains(footnote) && !text.contains('²'), "{text}");
    }

    #[test]
    fn who_could_not_is_on_one_line() {
        let mut report = report(&["step01", "step02", "other"], |_, _, _| 2.0);
        report.stages[2].kind = Kind::Peer;
        for result in report
            .results
            .iter_mut()
            .filter(|result| result.stage == "step01")
        {
            result.status = Status::Skipped;
            (result.value, result.reason) = (None, Some("it has none".to_owned()));
        }
        let screen = Screen {
            width: 100,
            colour: false,
        };
        let text = render(&report, &[catalog::find("raw_switch").unwrap()], &screen);
        assert!(text.contains("skipped ¹"), "{text}");
        assert!(
            text.contains("¹ step01, raw_switch: skipped: it has none"),
            "{text}"
        );
    }
}
