//! `--predict`: guess first, then measure, then see what was behind it.
//!
//! Guessing is asked for before anything is measured, and kept in a file before anything is measured too, so that
//! nobody can remember their guess differently afterwards. The verdicts are added to the file when they are known.
//!
//! Answers are lines on stdin: a letter, or the beginning of an answer. An empty line keeps the guess of last
//! time, if there is one, and passes otherwise; so does the end of the input.

mod judge;
mod kept;
mod questions;

use std::io::{BufRead, Write};

use anyhow::Context as _;

use super::plan::Plan;
use super::results::{self, Judged, Report};
use super::screen::Screen;
use crate::stages;
use judge::{Interval, Verdict, judge};
use kept::{Guess, Kept};
use questions::{About, QUESTIONS, Question};

/// The guesses that were made before this run.
#[derive(Debug)]
pub(crate) struct Guesses {
    kept: Kept,
    /// The questions that were asked, in their order, and of what.
    asked: Vec<Asked>,
}

/// A question about a stage.
#[derive(Clone, Copy, Debug)]
struct Asked {
    question: &'static Question,
    stage: &'static str,
    before: Option<&'static str>,
}

/// What can be asked about a run: the questions whose workloads are in it, each of every stage or pair of stages.
fn askable(plan: &Plan) -> Vec<Asked> {
    let mut asked = Vec::new();
    for question in QUESTIONS {
        let is_measured = |name: &&str| plan.workloads.iter().any(|info| info.name == *name);
        if !question.workloads.iter().all(is_measured) {
            continue;
        }
        for (i, stage) in plan.stages.iter().enumerate() {
            let before = match question.about {
                About::Stage => None,
                About::Pair if i == 0 => continue,
                About::Pair => Some(plan.stages[i - 1].name),
            };
            asked.push(Asked {
                question,
                stage: stage.name,
                before,
            });
        }
    }
    asked
}

/// Asks for the guesses and keeps them.
pub(crate) fn ask(
    plan: &Plan,
    input: &mut impl BufRead,
    out: &mut impl Write,
    screen: &Screen,
) -> anyhow::Result<Guesses> {
    let asked = askable(plan);
    if asked.is_empty() {
        let needed: Vec<&str> = QUESTIONS
            .iter()
            .flat_map(|question| question.workloads)
            .copied()
            .collect();
        anyhow::bail!(
            "there is nothing to predict about the chosen workloads: --predict asks about {}",
            needed.join(", ")
        );
    }
    let mut guesses = Guesses {
        kept: Kept::load()?,
        asked,
    };
    writeln!(
        out,
        "{}",
        screen.bold("Before measuring: what do you expect?")
    )?;
    let text = "Answer with a letter. Enter alone passes, or keeps the guess of last time where one is shown. There is \
                no shame in a wrong one: it is what makes the right one stay.";
    write!(out, "{}", screen.wrap("", text))?;
    let date = results::now();
    let mut last = None;
    for i in 0..guesses.asked.len() {
        let asked = guesses.asked[i];
        if last != Some(asked.question.name) {
            last = Some(asked.question.name);
            show_question(asked.question, out, screen)?;
        }
        let before = guesses.find(&asked).map(|guess| guess.choice);
        let Some(choice) = read_choice(&asked, before, input, out)? else {
            continue;
        };
        guesses.kept.keep(Guess {
            date: date.clone(),
            question: asked.question.name.to_owned(),
            stage: asked.stage.to_owned(),
            before: asked.before.map(str::to_owned),
            choice,
            guess: asked.question.choices[choice].label.to_owned(),
            measured: None,
            verdict: None,
        });
    }
    writeln!(out)?;
    guesses.kept.save()?;
    Ok(guesses)
}

fn show_question(question: &Question, out: &mut impl Write, screen: &Screen) -> anyhow::Result<()> {
    writeln!(out)?;
    write!(out, "{}", screen.wrap("", &screen.bold(question.text)))?;
    for (i, choice) in question.choices.iter().enumerate() {
        writeln!(out, "  {}) {}", letter(i), choice.label)?;
    }
    Ok(())
}

fn letter(choice: usize) -> char {
    char::from(b'a' + choice as u8)
}

/// Reads answers until one is understood. None: passed.
fn read_choice(
    asked: &Asked,
    before: Option<usize>,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<Option<usize>> {
    let choices = asked.question.choices;
    let whom = match asked.before {
        Some(before) => format!("{} against {before}", asked.stage),
        None => asked.stage.to_owned(),
    };
    let default = before.map_or("pass".to_owned(), |choice| letter(choice).to_string());
    loop {
        write!(out, "  {whom} [{default}]: ")?;
        out.flush()?;
        let mut line = String::new();
        if input
            .read_line(&mut line)
            .context("cannot read an answer")?
            == 0
        {
            writeln!(out)?;
            return Ok(before);
        }
        let answer = line.trim().to_lowercase();
        if answer.is_empty() {
            return Ok(before);
        }
        if let Some(choice) = understand(asked.question, &answer) {
            return Ok(Some(choice));
        }
        let last = letter(choices.len() - 1);
        writeln!(
            out,
            "  “{answer}” is none of the answers: a letter from a to {last}, please."
        )?;
    }
}

/// A letter, or the answer itself or its beginning if that is no other's.
fn understand(question: &Question, answer: &str) -> Option<usize> {
    let choices = question.choices;
    let bare = answer.strip_suffix(')').unwrap_or(answer);
    let mut letters = (0..choices.len()).map(|choice| letter(choice).to_string());
    if let Some(choice) = letters.position(|letter| letter == bare) {
        return Some(choice);
    }
    let whole = |choice: &judge::Choice| choice.label.to_lowercase() == answer;
    if let Some(choice) = choices.iter().position(whole) {
        return Some(choice);
    }
    let begins = |choice: &usize| choices[*choice].label.to_lowercase().starts_with(answer);
    let mut fitting = (0..choices.len()).filter(begins);
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

impl Asked {
    fn is_about(&self, guess: &Guess) -> bool {
        guess.question == self.question.name
            && guess.stage == self.stage
            && guess.before.as_deref() == self.before
            // A guess from before the question was changed is none.
            && self.question.choices.get(guess.choice).is_some_and(|choice| choice.label == guess.guess)
    }

    /// What becomes of a guess, and what was measured, in words.
    fn judge(&self, guess: &Guess, report: &Report) -> (Verdict, Option<String>) {
        let before = self.before.unwrap_or_default();
        match (self.question.measured)(report, self.stage, before) {
            Ok(interval) => (
                judge(self.question.choices, guess.choice, interval),
                Some(say(self.question, interval)),
            ),
            Err(reason) => (Verdict::Inconclusive(reason), None),
        }
    }

    /// The mechanism behind the answer, in one sentence.
    fn mechanism(&self) -> String {
        let own = stages::find(self.stage).and_then(|stage| stage.why(self.question.workloads[0]));
        match (self.question.about, own) {
            (About::Stage, Some(own)) => own.to_owned(),
            _ => self.question.mechanism.to_owned(),
        }
    }
}

/// The guesses of earlier runs about what is measured in this one. None if nobody has guessed, or if the file cannot be
/// read: then `--predict` says so, and a run that was not asked about guesses does not fail for it.
pub(crate) fn remembered(plan: &Plan) -> Option<Guesses> {
    Some(Guesses {
        kept: Kept::load().ok()?,
        asked: askable(plan),
    })
}

impl Guesses {
    /// The guesses beside what was measured, for the page.
    pub(crate) fn judged(&self, report: &Report) -> Vec<Judged> {
        let one = |asked: &Asked| {
            let guess = self.find(asked)?;
            let (verdict, measured) = asked.judge(guess, report);
            Some(Judged {
                date: guess.date.clone(),
                workload: asked.question.workloads[0].to_owned(),
                stage: asked.stage.to_owned(),
                before: asked.before.map(str::to_owned),
                question: asked.question.text.to_owned(),
                guess: guess.guess.clone(),
                measured,
                verdict: word(&verdict).to_owned(),
                because: asked.mechanism(),
            })
        };
        self.asked.iter().filter_map(one).collect()
    }

    fn find(&self, asked: &Asked) -> Option<&Guess> {
        self.kept.guesses.iter().find(|guess| asked.is_about(guess))
    }

    /// Sets guesses and measurements side by side, and keeps the verdicts.
    pub(crate) fn compare(&mut self, report: &Report, screen: &Screen) -> anyhow::Result<String> {
        let mut out = format!("\n{}\n", screen.bold("Your guesses"));
        let mut tally = [0; 4];
        for asked in self.asked.clone() {
            let Some(guess) = self.find(&asked) else {
                continue;
            };
            let (verdict, measured) = asked.judge(guess, report);
            tally[place(&verdict)] += 1;
            out.push_str(&show(&asked, guess, measured.as_deref(), &verdict, screen));
            let judged = Guess {
                measured,
                verdict: Some(word(&verdict).to_owned()),
                ..guess.clone()
            };
            self.kept.keep(judged);
        }
        self.kept.save()?;
        let total: usize = tally.iter().sum();
        let line = match total {
            0 => "No guess was made.".to_owned(),
            _ => {
                let words = ["right", "close", "wrong", "inconclusive"];
                let parts: Vec<String> = (0..4)
                    .filter(|i| tally[*i] > 0)
                    .map(|i| format!("{} {}", tally[i], words[i]))
                    .collect();
                format!("Of {total}: {}.", parts.join(", "))
            }
        };
        out.push_str(&screen.wrap("  ", &line));
        Ok(out)
    }
}

fn place(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Right => 0,
        Verdict::Close => 1,
        Verdict::Wrong => 2,
        Verdict::Inconclusive(_) => 3,
    }
}

fn word(verdict: &Verdict) -> &'static str {
    ["right", "close", "wrong", "inconclusive"][place(verdict)]
}

/// The measured answer in words, with its spread.
fn say(question: &Question, interval: Interval) -> String {
    let [low, value, high] = [interval.low, interval.value, interval.high].map(question.say);
    let unit = question.unit;
    if interval.high.is_infinite() {
        format!("at least {low}{unit}")
    } else if low == high {
        format!("{value}{unit}")
    } else {
        format!("{value}{unit} ({low}–{high})")
    }
}

fn show(
    asked: &Asked,
    guess: &Guess,
    measured: Option<&str>,
    verdict: &Verdict,
    screen: &Screen,
) -> String {
    let whom = match asked.before {
        Some(before) => format!("{} against {before}", asked.stage),
        None => asked.stage.to_owned(),
    };
    let mark = ["✓", "≈", "✗", "?"][place(verdict)];
    let mut out = screen.wrap(
        &format!("  {mark} "),
        &format!("{whom}: {}", asked.question.text),
    );
    let measured = measured.unwrap_or("nothing");
    let detail = match verdict {
        Verdict::Inconclusive(why) => format!("inconclusive: {why}"),
        Verdict::Close => "close: one step off".to_owned(),
        other => word(other).to_owned(),
    };
    let line = format!("guessed {} · measured {measured} · {detail}", guess.guess);
    out.push_str(&screen.wrap("    ", &line));
    out.push_str(&screen.wrap("    ", &format!("Because {}.", asked.mechanism())));
    out
}

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::super::repetition::Scale;
    use super::*;

    fn plan(workloads: &[&str], stages: usize) -> Plan {
        let workloads = workloads.iter().map(|name| catalog::find(name).unwrap());
        Plan {
            stages: vec![&stages::all()[0]; stages],
            peers: Vec::new(),
            workloads: workloads.collect(),
            scale: Scale::Test,
            workers: 1,
            reps: None,
            count: false,
            budget: None,
            timeout: None,
        }
    }

    fn names(plan: &Plan) -> Vec<&'static str> {
        askable(plan)
            .iter()
            .map(|asked| asked.question.name)
            .collect()
    }

    #[test]
    fn what_is_asked_grows_with_workloads_and_stages() {
        assert_eq!(names(&plan(&["spawn_join"], 1)), ["creation"]);
        assert_eq!(
            names(&plan(&["ping_pong"], 1)),
            [""; 0],
            "the question needs ping_pong_2 as well"
        );
        assert_eq!(
            names(&plan(&["ping_pong", "ping_pong_2"], 1)),
            ["round_trip"]
        );
        let two = names(&plan(&["spawn_join"], 2));
        assert_eq!(two, ["creation", "creation", "creation_gain"]);
    }

    #[test]
    fn answers_are_letters_or_words() {
        let creation = &QUESTIONS[0];
        let understood = |answer| understand(creation, answer);
        assert_eq!(understood("a"), Some(0));
        assert_eq!(understood("b)"), Some(1));
        assert_eq!(understood("few"), Some(0));
        assert_eq!(
            understood("hundreds"),
            Some(1),
            "though another answer begins so"
        );
        assert_eq!(understood("hundreds of"), Some(4));
        assert_eq!(understood("t"), None, "thousands, or tens of thousands");
        assert_eq!(understood("f"), Some(0));
        assert_eq!(understood("z"), None);
    }

    #[test]
    fn every_question_finds_its_answer() {
        let report = super::super::results::tests::report(&["step01", "step02"], |_, _, _| 50.0);
        for question in QUESTIONS {
            let answer = (question.measured)(&report, "step02", "step01");
            let answer = answer.unwrap_or_else(|reason| panic!("{}: {reason}", question.name));
            assert!(
                answer.low <= answer.value && answer.value <= answer.high,
                "{}",
                question.name
            );
            assert!(
                say(question, answer).ends_with(')'),
                "{}",
                say(question, answer)
            );
            assert!((question.measured)(&report, "step03", "step02").is_err());
        }
    }
}
