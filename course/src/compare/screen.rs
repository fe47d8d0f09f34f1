//! How wide the output may be, whether it may have colours, and text that keeps within it.

use std::io::IsTerminal;
use std::mem;

/// What the output is printed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns to use.
    pub(crate) width: usize,
    /// Whether to use colours and bold type.
    pub(crate) colour: bool,
}

/// The width where there is no terminal to ask: fits a page, a mail, a wide-screen editor's half.
const WIDTH: usize = 100;
/// Longer lines are hard to read, and narrower tables are not tables any more.
const BOUNDS: std::ops::RangeInclusive<usize> = 60..=120;

impl Screen {
    /// What stdout is. Colours are left out if the environment variable `NO_COLOR` is there, as <https://no-color.org>
    /// asks.
    pub(crate) fn of_stdout() -> Screen {
        let terminal = std::io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = if terminal { terminal_width() } else { None };
        Screen {
            width: width.unwrap_or(WIDTH).clamp(*BOUNDS.start(), *BOUNDS.end()),
            colour: terminal && !plain,
        }
    }

    /// Bold, if there may be colours.
    pub(crate) fn bold(&self, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Breaks a text into lines that fit, each led by `first` or, from the second on, by as many spaces.
    pub(crate) fn wrap(&self, first: &str, text: &str) -> String {
        let indent = first.chars().count();
        let mut out = String::from(first);
        let mut column = indent;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if column > indent && column + 1 + length > self.width {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else if column > indent {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
        out.push('\n');
        out
    }
}

fn terminal_width() -> Option<usize> {
    // SAFETY: all zeros is a `winsize`, and the call writes no more than one.
    let size = unsafe {
        let mut size: libc::winsize = mem::zeroed();
        if libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) != 0 {
            return None;
        }
        size
    };
    (size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_after_the_first_are_indented() {
        let screen = Screen {
            width: 12,
            colour: false,
        };
        assert_eq!(screen.wrap("1. ", "aaa bbb ccc"), "1. aaa bbb\n   ccc\n");
    }

    proptest! {
        /// No line is too long unless a single word is, and no word is lost.
        #[test]
        fn wrapped_lines_fit(words in prop::collection::vec("[a-zµ]{1,9}", 0..40), width in 12usize..50) {
            let screen = Screen { width, colour: true };
            let wrapped = screen.wrap("- ", &words.join(" "));
            prop_assert!(wrapped.lines().all(|line| line.chars().count() <= width), "{wrapped}");
            let back: Vec<&str> = wrapped.split_whitespace().skip(1).collect();
            prop_assert_eq!(back, words);
        }
    }
}
