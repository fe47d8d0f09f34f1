//! The check of the book: what it says must be there, compile, and be current.
//!
//! Each rule is a module. It has one function that looks at a whole book and returns what is wrong with it, one test
//! here that applies it to the real book, and tests beside it that feed it a bad sample and see it caught: a rule that
//! cannot fail proves nothing.
//!
//! The check reads Markdown and the sources, and needs no mdbook; so it is part of plain `cargo test`. That mdbook itself
//! builds the book without a complaint, and that a browser shows every page without one, is checked by `.ci/run`.

mod chapters;
mod commands;
mod exercises;
mod figures;
mod includes;
mod links;
mod listings;
mod markdown;
mod minutes;
mod model;
mod recorded;
mod sample;
mod world;

use std::path::{Path, PathBuf};

use model::Book;
use world::World;

fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap().to_path_buf()
}

fn the_book() -> Book {
    Book::load(&workspace_root())
}

#[track_caller]
fn assert_clean(rule: &str, problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{rule}: {} problem(s) in the book\n  {}",
        problems.len(),
        problems.join("\n  ")
    );
}

#[test]
fn every_listing_is_an_anchored_include() {
    assert_clean("listings", &listings::check(&the_book()));
}

#[test]
fn every_anchor_is_used_and_every_include_finds_its_anchor() {
    assert_clean("anchors", &listings::check_anchors(&the_book()));
}

#[test]
fn every_internal_link_leads_somewhere() {
    assert_clean("links", &links::check(&the_book()));
}

#[test]
fn every_figure_says_what_it_shows() {
    assert_clean("figures", &figures::check(&the_book()));
}

#[test]
fn every_command_exists() {
    assert_clean(
        "commands",
        &commands::check(&the_book(), &World::of(&workspace_root())),
    );
}

#[test]
fn every_chapter_has_its_parts() {
    assert_clean("parts", &chapters::check_parts(&the_book()));
}

#[test]
fn every_exercise_is_complete() {
    assert_clean("exercises", &exercises::check(&the_book()));
}

#[test]
fn the_minutes_are_summed() {
    assert_clean("minutes", &minutes::check(&the_book()));
}

#[test]
fn the_contents_promise_nothing_that_is_not_there() {
    assert_clean("contents", &chapters::check_contents(&the_book()));
}

#[test]
fn nobody_typed_a_measured_number() {
    assert_clean("typed numbers", &recorded::check_typed(&the_book()));
}

#[test]
fn what_is_generated_from_the_recordings_is_current() {
    assert_clean("recorded", &recorded::check(&the_book()));
}
