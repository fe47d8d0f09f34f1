//! The seed article's table with measured numbers in it: workloads as rows, stages as columns.
//!
//! A cell says the median, then in brackets the smallest and the largest repetition. What was skipped or failed says so
//! and points to a footnote with the whole reason. While there is a single stage the article's own words stand beside
//! the numbers; with more the columns are needed for the stages.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use workloads::catalog::{Group, Info};

use super::results::{Measurement, Report, Status};
use super::screen::Screen;
use super::units;

/// What the table says about a workload besides its headline.
struct Extra {
    workload: &'static str,
    /// What the seed article says of threads in this respect.
    article: &'static str,
    /// Further metrics that belong into the cell.
    beside: &'static [&'static str],
    /// Whether the headline means little without its note.
    note: bool,
}

const EXTRAS: &[Extra] = &[extra("spawn_join", "high: slow to create", &[], false)];

const fn extra(
    workload: &'static str,
    article: &'static str,
    beside: &'static [&'static str],
    note: bool,
) -> Extra {
    Extra {
        workload,
        article,
        beside,
        note,
    }
}

const ARTICLE_MANAGEMENT: &str = "the operating system (kernel)";
/// Below this width there is no room for the article's words.
const WIDTH_FOR_ARTICLE: usize = 90;
/// From this number of stages on a cell's range gets a line of its own.
const STAGES_FOR_TWO_LINES: usize = 3;

/// The table and its footnotes, as text.
pub(crate) fn render(report: &Report, workloads: &[&'static Info], screen: &Screen) -> String {
    let sheet = Sheet {
        report,
        article: report.stages.len() == 1 && screen.width >= WIDTH_FOR_ARTICLE,
        two_lines: report.stages.len() >= STAGES_FOR_TWO_LINES,
        colour: screen.colour,
        footnotes: Vec::new(),
    };
    sheet.render(workloads, screen)
}

struct Sheet<'a> {
    report: &'a Report,
    article: bool,
    two_lines: bool,
    colour: bool,
    footnotes: Vec<String>,
}

impl Sheet<'_> {
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
        ] {
            if let (Some(heading), Some(_)) = (heading, in_group(group).next()) {
                table.add_row(Row::from(vec![
                    Cell::new(heading).add_attribute(Attribute::Bold),
                ]));
            }
            for info in in_group(group) {
                table.add_row(self.row(info));
            }
        }
        self.fit(&mut table);
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

    fn fit(&self, table: &mut Table) {
        for i in self.before()..self.before() + self.report.stages.len() {
            if let Some(column) = table.column_mut(i) {
                // A number and its unit are never torn apart.
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(11)));
            }
        }
        if let Some(column) = table.column_mut(self.before() - 1) {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }

    fn head(&self) -> Row {
        let mut cells = vec![Cell::new("")];
        if self.article {
            cells.push(Cell::new("the article\non threads"));
        }
        cells.push(Cell::new("n"));
        for stage in &self.report.stages {
            cells.push(Cell::new(format!("{}\n{}", stage.name, stage.title)));
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
        let stages = self.report.stages.iter();
        cells.extend(stages.map(|stage| Cell::new(&stage.management)));
        cells.into()
    }

    fn row(&mut self, info: &Info) -> Row {
        let extra = EXTRAS.iter().find(|extra| extra.workload == info.name);
        let mut cells = vec![Cell::new(info.title)];
        if self.article {
            cells.push(Cell::new(extra.map_or("", |extra| extra.article)));
        }
        let stages: Vec<&str> = self
            .report
            .stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect();
        let n = |stage: &&str| {
            self.report
                .headline(stage, info.name)
                .map_or(0, |result| result.n)
        };
        match stages.iter().map(n).max() {
            Some(n) if n > 0 => cells.push(Cell::new(n)),
            _ => cells.push(Cell::new("")),
        }
        for stage in stages {
            cells.push(self.cell(info, extra, stage));
        }
        cells.into()
    }

    fn cell(&mut self, info: &Info, extra: Option<&Extra>, stage: &str) -> Cell {
        let Some(headline) = self.report.headline(stage, info.name) else {
            return Cell::new("");
        };
        let reason = headline.reason.as_deref().unwrap_or("no reason was given");
        match headline.status {
            Status::Ok => {
                let mut lines = vec![self.value(headline)];
                if info.group == Group::Program {
                    lines[0].insert_str(0, "✓ ");
                }
                for metric in extra.map_or(&[][..], |extra| extra.beside) {
                    if let Some(result) = self.report.metric(stage, info.name, metric)
                        && let Some(value) = result.value
                    {
                        let value = units::quantity(value, &result.unit);
                        lines.push(format!("+ {value} {}", result.title));
                    }
                }
                if let Some(note) = &headline.note
                    && extra.is_some_and(|extra| extra.note)
                {
                    lines.push(note.clone());
                }
                Cell::new(lines.join("\n"))
            }
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

    /// The median with its spread.
    fn value(&self, result: &Measurement) -> String {
        let Some(summary) = result.summary() else {
            return String::new();
        };
        let value = units::quantity(summary.median, &result.unit);
        match units::spread(&summary, &result.unit) {
            None => value,
            Some(spread) if self.two_lines => format!("{value}\n{spread}"),
            Some(spread) => format!("{value}  ({spread})"),
        }
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

fn superscript(number: usize) -> String {
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
