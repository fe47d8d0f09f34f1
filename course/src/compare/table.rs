//! The seed article's table with measured numbers in it: workloads as rows, stages as columns.
//!
//! A cell says the median, then in brackets the smallest and the largest repetition. What was skipped or failed says so
//! and points to a footnote with the whole reason. While there is a single stage the article's own words stand beside
//! the numbers; with more the columns are needed for the stages.
//!
//! A workload that is measured with several numbers of workers has a row for each.
//!
//! Peers stand in a list of their own below ([`beside`]), with the rows that they can do, and beside them the stages. In
//! the table most of their cells would be empty.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use workloads::catalog::{Group, Info};

use super::beside;
use super::extras::{self, Extra};
use super::results::{Column, Kind, Measurement, Report, Status};
use super::screen::Screen;
use super::units;

/// What stands behind a spread that is too wide; the remarks below the table say what it means.
pub(crate) const NOISY: &str = " ~";
const ARTICLE_MANAGEMENT: &str = "the OS (kernel)";
/// Below this width there is no room for the article's words.
const WIDTH_FOR_ARTICLE: usize = 90;
/// The width that a stage's column should have: `✓ 41.3 k req/s  (40.1–42.2)`, and a few words.
const STAGE_WIDTH: usize = 32;
/// The same where columns are narrow: `✓ 35.2 MB/s`.
const NARROW_STAGE_WIDTH: usize = 12;
/// The least width of the labels' column.
const LABEL_WIDTH: usize = 13;
/// The width of the article's column.
const ARTICLE_WIDTH: usize = 21;
/// The width of the column with the number of repetitions.
const N_WIDTH: usize = 2;
/// From this number of stages on columns are narrow: a range gets a line of its own, and words are short.
const STAGES_FOR_NARROW: usize = 3;

/// The table and its footnotes, as text.
pub(crate) fn render(report: &Report, workloads: &[&'static Info], screen: &Screen) -> String {
    let (stages, peers): (Vec<&Column>, Vec<&Column>) = report
        .stages
        .iter()
        .partition(|column| column.kind == Kind::Stage);
    let is_shared = |info: &&&'static Info| {
        let headline = |peer: &&Column| report.headline(&peer.name, info.name);
        peers.iter().any(|peer| headline(peer).is_some())
    };
    // What was measured at several sizes is no row: it has its charts on the page.
    let in_table = |info: &&&'static Info| info.group != Group::Scaling;
    let workloads: Vec<&'static Info> = workloads.iter().filter(in_table).copied().collect();
    let shared: Vec<&'static Info> = workloads.iter().filter(is_shared).copied().collect();
    // A part by itself is worth a row above only if it has none below.
    let is_own = |info: &&&'static Info| info.group != Group::Part || !is_shared(info);
    let own: Vec<&'static Info> = workloads.iter().filter(is_own).copied().collect();
    let mut text = String::new();
    if !own.is_empty() {
        text.push_str(&Sheet::new(report, stages, &own, screen).render(&own, screen));
    }
    if !shared.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", screen.bold("Beside others")));
        text.push_str(&beside::render(report, &shared, screen));
    }
    text
}

struct Sheet<'a> {
    report: &'a Report,
    columns: Vec<&'a Column>,
    article: bool,
    narrow: bool,
    colour: bool,
    footnotes: Vec<String>,
}

impl<'a> Sheet<'a> {
    fn new(
        report: &'a Report,
        columns: Vec<&'a Column>,
        workloads: &[&'static Info],
        screen: &Screen,
    ) -> Sheet<'a> {
        Sheet {
            report,
            article: columns.len() == 1
                && screen.width >= WIDTH_FOR_ARTICLE
                && workloads.iter().any(|info| !extra(info).article.is_empty()),
            narrow: columns.len() >= STAGES_FOR_NARROW,
            columns,
            colour: screen.colour,
            footnotes: Vec::new(),
        }
    }

    fn render(mut self, workloads: &[&'static Info], screen: &Screen) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED.with_rounded_corners());
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(screen.width as u16);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(self.head());
        let in_group = |group| workloads.iter().filter(move |info| info.group == group);
        if in_group(Group::Seed).count() > 1 {
            table.add_row(self.management());
        }
        for (group, heading) in [
            (Group::Seed, None),
            (Group::Program, Some("The three programs")),
            (Group::Full, Some("More workloads")),
            (Group::Part, Some("Parts by themselves")),
        ] {
            let others = workloads.iter().any(|info| info.group != group);
            if let (Some(heading), Some(_), true) = (heading, in_group(group).next(), others) {
                table.add_row(Row::from(vec![
                    Cell::new(heading).add_attribute(Attribute::Bold),
                ]));
            }
            for info in in_group(group) {
                for place in places(self.report, info) {
                    table.add_row(self.row(info, place));
                }
            }
        }
        let labels = workloads
            .iter()
            .flat_map(|info| {
                places(self.report, info)
                    .into_iter()
                    .map(|place| label(info, place))
            })
            .map(|label| label.chars().count());
        self.fit(&mut table, labels.max().unwrap_or(0), screen.width);
        let mut text = format!("{table}\n");
        for (i, footnote) in self.footnotes.iter().enumerate() {
            text.push_str(&screen.wrap(&format!("  {} ", superscript(i + 1)), footnote));
        }
        text
    }

    /// The number of columns before those of the stages.
    fn before(&self) -> usize {
        if self.article { 3 } else { 2 }
    }

    /// Shares the width out: a stage's column is never so narrow that a number and its unit are torn apart, the labels
    /// take what they need of the rest.
    fn fit(&self, table: &mut Table, labels: usize, width: usize) {
        let stages = self.columns.len();
        // Two spaces and a line for each column, and the line at the end.
        let rest = width.saturating_sub(3 * (self.before() + stages) + 1 + N_WIDTH);
        let article = if self.article { ARTICLE_WIDTH } else { 0 };
        let stage = if self.narrow {
            NARROW_STAGE_WIDTH
        } else {
            STAGE_WIDTH
        };
        let room = rest.saturating_sub(article + stages * stage);
        let fixed = |width: usize| ColumnConstraint::Absolute(Width::Fixed(width as u16 + 2));
        let mut constrain = |column: usize, constraint| {
            if let Some(column) = table.column_mut(column) {
                column.set_constraint(constraint);
            }
        };
        constrain(0, fixed(labels.min(room).max(LABEL_WIDTH)));
        if self.article {
            constrain(1, fixed(ARTICLE_WIDTH));
        }
        for stage in 0..stages {
            let least = Width::Fixed(NARROW_STAGE_WIDTH as u16 + 2);
            constrain(
                self.before() + stage,
                ColumnConstraint::LowerBoundary(least),
            );
        }
        constrain(self.before() - 1, ColumnConstraint::ContentWidth);
        if let Some(n) = table.column_mut(self.before() - 1) {
            n.set_cell_alignment(CellAlignment::Right);
        }
    }

    fn head(&self) -> Row {
        let mut cells = vec![Cell::new("")];
        if self.article {
            cells.push(Cell::new("the article\non threads"));
        }
        cells.push(Cell::new("n"));
        for Column { name, title, .. } in &self.columns {
            cells.push(Cell::new(format!("{name}\n{title}")));
        }
        let bold = |cell: Cell| cell.add_attribute(Attribute::Bold);
        cells.into_iter().map(bold).collect::<Vec<Cell>>().into()
    }

    fn management(&self) -> Row {
        let mut cells = vec![Cell::new("Management")];
        if self.article {
            cells.push(Cell::new(ARTICLE_MANAGEMENT));
        }
        cells.push(Cell::new(""));
        let columns = self.columns.iter();
        cells.extend(columns.map(|column| Cell::new(&column.management)));
        cells.into()
    }

    fn row(&mut self, info: &Info, place: Option<f64>) -> Row {
        let mut cells = vec![Cell::new(label(info, place))];
        if self.article {
            cells.push(Cell::new(extra(info).article));
        }
        let n = |column: &&Column| {
            self.report
                .headline_at(&column.name, info.name, place)
                .map_or(0, |result| result.n)
        };
        match self.columns.iter().map(n).max() {
            Some(n) if n > 0 => cells.push(Cell::new(n)),
            _ => cells.push(Cell::new("")),
        }
        for column in self.columns.clone() {
            cells.push(self.cell(info, place, &column.name));
        }
        cells.into()
    }

    fn cell(&mut self, info: &Info, place: Option<f64>, stage: &str) -> Cell {
        let Some(headline) = self.report.headline_at(stage, info.name, place) else {
            return Cell::new("");
        };
        let reason = headline.reason.as_deref().unwrap_or("no reason was given");
        match headline.status {
            Status::Ok => Cell::new(self.measured(info, headline)),
            Status::Skipped => {
                let mark = self.footnote(format!("{stage}, {}: skipped: {reason}", info.name));
                Cell::new(format!("skipped {mark}")).fg(Color::DarkYellow)
            }
            Status::Failed => {
                let mark = self.footnote(format!("{stage}, {}: failed: {reason}", info.name));
                Cell::new(format!("failed {mark}")).fg(Color::Red)
            }
        }
    }

    fn measured(&mut self, info: &Info, headline: &Measurement) -> String {
        let extra = extra(info);
        let Some(summary) = headline.summary() else {
            return String::new();
        };
        let tick = if info.group == Group::Program {
            "✓ "
        } else {
            ""
        };
        let value = shorten(
            &units::quantity(summary.median, &headline.unit),
            self.narrow,
        );
        let mut text = format!("{tick}{value}{}", extra.suffix);
        if let Some(note) = &headline.note
            && extra.note
        {
            text.push(' ');
            text.push_str(&self.footnote(format!("{}, {}: {note}", headline.stage, info.name)));
        }
        match units::spread(&summary, &headline.unit) {
            None => {}
            Some(spread) if self.narrow => text.push_str(&format!("\n{spread}")),
            Some(spread) => text.push_str(&format!("  ({spread})")),
        }
        if headline.is_noisy() {
            text.push_str(NOISY);
        }
        if let Some(note) = &headline.note
            && info.group == Group::Full
            && !self.narrow
        {
            text.push_str(&format!("\n{note}"));
        }
        for beside in extra.beside {
            let words = if self.narrow {
                beside.short
            } else {
                beside.words
            };
            if words.is_empty() {
                continue;
            }
            let result = self
                .report
                .metric(&headline.stage, info.name, beside.metric);
            // A difference of two readings of the whole machine can come out below zero: then it says nothing.
            if let Some(result) = result
                && let Some(value) = result.value.filter(|value| *value > 0.0)
            {
                let beside = units::quantity(value, &result.unit);
                text.push('\n');
                text.push_str(&words.replace("{}", &beside));
            }
        }
        text
    }

    fn footnote(&mut self, text: String) -> String {
        let known = self.footnotes.iter().position(|footnote| *footnote == text);
        let index = known.unwrap_or_else(|| {
            self.footnotes.push(text);
            self.footnotes.len() - 1
        });
        superscript(index + 1)
    }
}

/// What stands before a row: the title and, where that does not say it, what the number is and with how many workers.
pub(crate) fn label(info: &Info, place: Option<f64>) -> String {
    let title = match info.group {
        Group::Full => format!("{}: {}", info.title, info.headline().title),
        Group::Seed | Group::Program | Group::Scaling | Group::Part => info.title.to_owned(),
    };
    match (place, info.headline().along) {
        (Some(1.0), Some(axis)) => format!("{title}, 1 {}", axis.unit.trim_end_matches('s')),
        (Some(at), Some(axis)) => format!("{title}, {} {}", units::count(at), axis.unit),
        _ => title,
    }
}

/// The places of the axis at which a workload's headline was measured, by anybody; one that is none for a number of its
/// own.
pub(crate) fn places(report: &Report, info: &Info) -> Vec<Option<f64>> {
    let headlines = report
        .results
        .iter()
        .filter(|result| result.workload == info.name && result.headline);
    let mut places: Vec<Option<f64>> = headlines.map(|result| result.at).collect();
    places.sort_by(|a, b| a.unwrap_or_default().total_cmp(&b.unwrap_or_default()));
    places.dedup();
    if places.iter().any(Option::is_some) {
        places.retain(Option::is_some);
    }
    places
}

fn extra(info: &Info) -> &'static Extra {
    extras::of(info.name)
}

/// A value without what its row says anyhow: tasks in a count and, where it is narrow, requests in a rate.
fn shorten(value: &str, narrow: bool) -> String {
    let value = value.trim_end_matches(" tasks");
    match narrow {
        true => value.replace(" req/s", "/s").replace(" msg/s", "/s"),
        false => value.to_owned(),
    }
}

pub(crate) fn superscript(number: usize) -> String {
    let digit = |c: char| match c {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' => '⁰',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    number.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::super::results::tests::report;
    use super::*;

    fn screen(width: usize) -> Screen {
        Screen {
            width,
            colour: false,
        }
    }

    fn everything() -> Vec<&'static Info> {
        catalog::all().iter().collect()
    }

    fn widest(text: &str) -> usize {
        text.lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn one_stage_fits_and_five_are_readable() {
        let value = |_: &str, _: &str, _: &str| 432.1;
        let stages = ["step01", "step02", "step03", "step04", "step05"];
        for (stages, width) in [
            (&stages[..1], 100),
            (&stages[..1], 80),
            (&stages[..], 100),
            (&stages[..], 120),
        ] {
            let report = report(stages, value);
            let text = render(&report, &everything(), &screen(width));
            assert!(
                widest(&text) <= width,
                "{} stages in {width} columns:\n{text}",
                stages.len()
            );
            let in_table = |info: &&Info| info.group != Group::Scaling;
            for info in catalog::all().iter().filter(in_table) {
                let headline = info.metrics.iter().find(|metric| metric.headline).unwrap();
                let value = shorten(&units::quantity(432.1, headline.unit), stages.len() > 2);
                let in_all = |line: &&str| line.matches(&value).count() == stages.len();
                assert!(
                    text.lines().any(|line| in_all(&line)),
                    "{value} is torn apart:\n{text}"
                );
            }
        }
    }

    #[test]
    fn peers_stand_below_in_the_rows_that_they_can_do() {
        let mut report = report(&["step01", "step02", "other"], |_, _, _| 432.1);
        report.stages[2].kind = Kind::Peer;
        report.stages[2].version = Some("1.2".to_owned());
        for result in &mut report.results {
            if result.stage == "step01" && result.workload == "raw_switch" {
                result.status = Status::Skipped;
                (result.value, result.reason) = (None, Some("it has none".to_owned()));
            }
        }
        report
            .results
            .retain(|result| result.stage != "other" || result.workload == "raw_switch");
        let text = render(&report, &everything(), &screen(100));
        assert!(widest(&text) <= 100, "{text}");
        let (above, below) = text.split_once("Beside others\n").unwrap();
        assert!(
            above.contains("step01") && !above.contains("other 1.2"),
            "{text}"
        );
        assert!(!above.contains("Raw resume"), "{text}");
        assert!(
            below.contains("¹ step01, raw_switch: skipped: it has none"),
            "{text}"
        );
        assert!(
            below.contains("step02") && below.contains("other 1.2"),
            "{text}"
        );
        assert!(below.contains("Raw resume"), "{text}");
        assert_eq!(below.matches("432 ns").count(), 2, "{text}");
        assert!(!below.contains("Context switch"), "{text}");
    }

    #[test]
    fn each_number_of_workers_has_a_row_of_its_own() {
        let mut report = report(&["step01"], |_, _, _| 1.0);
        let headline = |result: &&Measurement| result.workload == "spread" && result.headline;
        let like = report.results.iter().find(headline).unwrap().clone();
        report.results.retain(|result| result.workload != "spread");
        for (at, value) in [(1.0, 0.97), (2.0, 1.93)] {
            let (at, value, min, max) = (Some(at), Some(value), Some(value), Some(value));
            report.results.push(Measurement {
                at,
                value,
                min,
                max,
                ..like.clone()
            });
        }
        let info = catalog::find("spread").unwrap();
        let text = render(&report, &[info], &screen(120));
        let row = |words: &str| text.lines().any(|line| line.contains(words));
        assert!(row("0.970×") && row("1.93×"), "{text}");
        assert_eq!(label(info, Some(1.0)).rsplit(", ").next(), Some("1 worker"));
        assert_eq!(
            label(info, Some(2.0)).rsplit(", ").next(),
            Some("2 workers")
        );
    }

    #[test]
    fn a_noisy_number_is_marked() {
        let mut report = report(&["step01"], |_, _, _| 5.0);
        let calm = render(&report, &everything(), &screen(100));
        assert!(!calm.contains('~'), "{calm}");
        let wide = |result: &&mut Measurement| result.headline && result.workload == "switch";
        let result = report.results.iter_mut().find(wide).unwrap();
        result.max = Some(9.0);
        let text = render(&report, &everything(), &screen(100));
        assert_eq!(text.matches(" ~").count(), 1, "{text}");
        assert!(text.contains("(4.38–9.00) ~"), "{text}");
    }

    #[test]
    fn what_was_not_measured_says_why_below() {
        let mut report = report(&["step01", "step02"], |_, _, _| 5.0);
        for result in &mut report.results {
            if result.stage == "step02" && result.workload == "switch" {
                result.status = Status::Failed;
                result.reason = Some("41 is not 42".to_owned());
            }
            if result.stage == "step02" && result.workload == "spawn_join" {
                result.status = Status::Skipped;
                result.reason = Some("it has no tasks".to_owned());
            }
        }
        let text = render(&report, &everything(), &screen(100));
        for part in [
            "skipped ¹",
            "¹ step02, spawn_join: skipped: it has no tasks",
            "failed ²",
            "² step02, switch: failed: 41 is not 42",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn superscripts_have_as_many_digits() {
        assert_eq!(superscript(1), "¹");
        assert_eq!(superscript(12), "¹²");
        assert_eq!(superscript(4567890), "⁴⁵⁶⁷⁸⁹⁰");
    }
}
