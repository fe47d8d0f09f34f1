//! The page that `compare` leaves: one file with everything in it, made from a report and from nothing else.
//!
//! It fetches nothing and runs nothing: no script, no font, no image from elsewhere. So it can be mailed, kept, printed
//! and projected, and in ten years it still looks as it does now. The report itself is inside, as JSON, so that a page
//! can be compared with a later run ([`results_in`]).
//!
//! - [`view`]: which columns and rows there are, in which order, in which colours
//! - [`mod@charts`]: a drawing for each workload, from [`svg`], with [`sentences`] about it
//! - [`table`]: the seed's table and the tables with all numbers
//! - [`parts`]: the sections of the page
//!
//! Text gets into the page through maud's templates only, which escape it.

mod charts;
pub(crate) mod command;
mod parts;
mod sentences;
pub(crate) mod svg;
mod table;
mod view;

use maud::{DOCTYPE, PreEscaped, html};

pub(crate) use charts::Chart;

use crate::compare::results::Report;
use crate::compare::screen::Screen;

/// How the page looks, and how the charts do, here and in the book.
const PAGE_STYLE: &str = include_str!("page.css");
const CHART_STYLE: &str = include_str!("../../../book/css/charts.css");

/// The page, as HTML.
pub(crate) fn page(report: &Report) -> String {
    let json = serde_json::to_string(report).unwrap_or_default();
    let title = "From Threads to Goroutines, measured";
    let rows = view::rows(report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                // No icon: otherwise a browser asks the server for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(CHART_STYLE)) (PreEscaped(PAGE_STYLE)) }
            }
            body {
                (parts::head(report, title))
                main {
                    (table::seed(report, &rows))
                    (parts::findings(report))
                    (parts::groups(report, &rows))
                    (parts::pairs(report, &rows))
                    (parts::since(report))
                }
                (parts::foot(report, &json))
            }
        }
    }
    .into_string()
}

/// The charts of a report in the order of the page, for the book.
pub(crate) fn charts(report: &Report) -> Vec<Chart> {
    let mut rows = view::rows(report);
    let place = |row: &_| {
        let heading = view::heading(row);
        view::GROUPS
            .iter()
            .position(|(_, other, _)| *other == heading)
    };
    rows.sort_by_key(place);
    rows.iter()
        .flat_map(|row| charts::of(report, row))
        .collect()
}

/// For a terminal, what the charts of lines say; the table has no rows for what was measured at several sizes.
pub(crate) fn growth(report: &Report, screen: &Screen) -> String {
    let mut out = String::new();
    for row in view::rows(report) {
        for like in view::curves(report, &row.name) {
            out.push_str(&format!(
                "\n{}\n",
                screen.bold(&format!("{}: {}", row.title, like.title))
            ));
            for sentence in sentences::of_curve(report, like) {
                out.push_str(&screen.wrap("  • ", &sentence));
            }
        }
    }
    out
}

const DATA_BEGIN: &str = "<script type=\"application/json\" id=\"results\">";
const DATA_END: &str = "</script>";

/// The report inside a page; what is no page is returned as it is.
pub(crate) fn results_in(text: &str) -> &str {
    let inside = text
        .split_once(DATA_BEGIN)
        .and_then(|(_, rest)| rest.split_once(DATA_END));
    inside.map_or(text, |(json, _)| json)
}

#[cfg(test)]
mod tests;
