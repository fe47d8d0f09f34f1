//! The command lines of the examples: a few options with a value each.
//!
//! By hand, since a parser with derive macros would be most of what an example has to compile.

use super::Stop;

/// What was given on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options(Vec<(String, String)>);

impl Options {
    /// Reads the process's command line. `usage` is printed for `--help`, and says which options there are: each line
    /// that begins with `--` is one.
    pub(super) fn from_command_line(usage: &str) -> Result<Options, Stop> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        if arguments
            .iter()
            .any(|argument| argument == "--help" || argument == "-h")
        {
            println!("{usage}");
            return Err(Stop::Helped);
        }
        Ok(parse(usage, arguments)?)
    }

    /// The value of an option that was given, as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let given = self.0.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// The value of an option as a number of at least one; `default` if it was not given.
    pub(super) fn number(&self, name: &str, default: usize) -> Result<usize, String> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(0) | Err(_) => Err(format!(
                    "{name} needs a number of at least 1, and {text:?} is none"
                )),
                Ok(number) => Ok(number),
            },
        }
    }
}

fn parse(usage: &str, arguments: Vec<String>) -> Result<Options, String> {
    let known = |name: &str| {
        let mut options = usage
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        name.starts_with("--") && options.any(|option| option == name)
    };
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        if !known(&name) {
            return Err(format!("there is no option {name:?}; `--help` lists them"));
        }
        let value = value.or_else(|| arguments.next());
        let value = value.ok_or_else(|| format!("{name} needs a value; `--help` says which"))?;
        options.0.push((name, value));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: &str = "Does things.\n\n  --count N   how often\n  --name TEXT what";

    fn parsed(line: &str) -> Result<Options, String> {
        parse(USAGE, line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn values_follow_or_are_joined_and_the_last_one_counts() {
        let options = parsed("--count 3 --name=a=b --count=4").unwrap();
        assert_eq!(options.number("--count", 1), Ok(4));
        assert_eq!(options.text("--name"), Some("a=b"));
        assert_eq!(parsed("").unwrap().number("--count", 7), Ok(7));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(parsed("--size 3").unwrap_err().contains("\"--size\""));
        assert!(parsed("Does 3").unwrap_err().contains("\"Does\""));
        assert!(
            parsed("--count")
                .unwrap_err()
                .contains("--count needs a value")
        );
        for bad in ["--count 0", "--count many", "--count -1"] {
            let error = parsed(bad).unwrap().number("--count", 1).unwrap_err();
            assert!(error.contains("--count needs a number"), "{error}");
        }
    }
}
