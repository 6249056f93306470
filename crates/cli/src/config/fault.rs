//! What is wrong with a file that is not TOML, by its kind. Nothing of the file is repeated but names of keys and tables.

use rampauth_core::Error;

use super::example;
use super::place::{ACTION, File, printable};

const COMPARE: &str = "compare the line with those of the file that `rampauth init --config example.toml` writes";
const QUOTED: &str = "write a text in quotes, for example: store = \"sqlite:rampauth.db\"";

/// The parser's own display quotes the line, where a secret may stand; its message alone repeats nothing.
pub(super) fn explain(file: &File, text: &str, error: &toml::de::Error) -> Error {
    let byte = error.span().map_or(0, |span| span.start);
    let fault = Fault { text, byte };
    let (reason, help) = match error.message() {
        "duplicate key" => (fault.twice(file), "keep one of the two".to_owned()),
        message => {
            let (reason, help) = fault.kind(message);
            (reason.to_owned(), help)
        }
    };
    Error::config(ACTION, format!("{}: {reason}", file.at(byte))).with_help(help)
}

/// Where the parser stopped.
struct Fault<'a> {
    text: &'a str,
    byte: usize,
}

impl<'a> Fault<'a> {
    /// What is wrong, and what to write instead. Unknown messages of the parser are faults of an unknown kind.
    fn kind(&self, message: &str) -> (&'static str, String) {
        let begins = |start: &str| message.starts_with(start);
        let rest = self.text.get(self.byte..).unwrap_or_default();
        let at_line_end = rest.lines().next().is_none_or(|line| line.trim().is_empty());
        let compare = || COMPARE.to_owned();
        if begins("string values must be quoted") || begins("invalid boolean") {
            let reason = match rest.chars().next() {
                _ if at_line_end => "a value is missing after `=`",
                Some('“' | '”' | '„' | '‘' | '’') => "typographic quotes stand where plain ones belong",
                _ => "a bare word stands where a text in quotes belongs",
            };
            return (reason, self.example().unwrap_or_else(|| QUOTED.to_owned()));
        }
        if begins("invalid multi-line") {
            return ("a text without its three closing quotes", QUOTED.to_owned());
        }
        if begins("invalid basic string") || begins("invalid literal string") {
            return match at_line_end {
                true => ("a text without its closing quote", self.example().unwrap_or_else(|| QUOTED.to_owned())),
                false => ("a text with a control character in it", QUOTED.to_owned()),
            };
        }
        if begins("missing escaped value") || begins("too few unicode") {
            let help = r"write `\\` for each `\`, or the text in single quotes: file = 'C:\keys\partner.pem'";
            return (r"a `\` in double quotes begins an escape, and this is none", help.to_owned());
        }
        if begins("unclosed table") || begins("unclosed array table") {
            return ("a table's name without its closing `]`", "write, for example: [profile.card]".to_owned());
        }
        if begins("key with no value") || begins("missing assignment") {
            let reason = if self.before().trim_end().ends_with(':') {
                "`:` stands where `=` belongs"
            } else {
                "a name without `=` and a value"
            };
            return (reason, compare());
        }
        if begins("missing comma between key-value pairs") || begins("unclosed inline table") {
            return ("a `,` or the closing `}` is missing before this", compare());
        }
        if begins("missing comma between array elements") || begins("unclosed array") {
            return ("a `,` or the closing `]` is missing before this", compare());
        }
        if begins("unexpected key or value") || begins("unexpected content") {
            return ("something stands after the end of the value", "write one key a line".to_owned());
        }
        ("it is not valid TOML", compare())
    }

    /// A right value for the key of this line.
    fn example(&self) -> Option<String> {
        let (key, _) = self.line().split_once('=')?;
        example::of(key.trim()).map(|line| format!("write, for example: {line}"))
    }

    fn before(&self) -> &'a str {
        self.text.get(..self.byte).unwrap_or_default()
    }

    fn start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |end| end + 1)
    }

    fn line(&self) -> &'a str {
        self.text.get(self.start()..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    /// Which table or key is there twice, and where it is first.
    fn twice(&self, file: &File) -> String {
        let line = self.line();
        let before = || self.text.get(..self.start()).unwrap_or_default().lines().enumerate();
        let first =
            |number: Option<usize>| number.map_or_else(String::new, |it| format!(" (first at {})", file.at_line(it)));
        if let Some(path) = header(line) {
            let number =
                before().find(|(_, earlier)| header(earlier).as_ref() == Some(&path)).map(|(number, _)| number);
            let what = match &path[..] {
                [profile, name] if profile == "profile" => format!("profile `{}`", printable(name)),
                path => format!("table `{}`", printable(&path.join("."))),
            };
            return format!("{what} is there twice{}", first(number));
        }
        let key = key(line).filter(|key| self.byte < self.start() + line.find(*key).unwrap_or_default() + key.len());
        let Some(key) = key else { return "a name is there twice between `{` and `}`".to_owned() };
        // Of the same table: no header lies between.
        let table = before().filter(|(_, earlier)| header(earlier).is_some()).map(|(number, _)| number).last();
        let same = |(number, earlier): &(usize, &str)| {
            table.is_none_or(|table| *number > table) && self::key(earlier) == Some(key)
        };
        format!("key `{}` is there twice{}", printable(key), first(before().find(same).map(|(number, _)| number)))
    }
}

/// The parts of the table's name that this line begins.
fn header(line: &str) -> Option<Vec<String>> {
    let name = line.trim_start().strip_prefix('[')?.trim_start_matches('[').split(']').next()?;
    Some(name.split('.').map(|part| part.trim().trim_matches(['"', '\'']).to_owned()).collect())
}

/// The name that this line gives a value.
fn key(line: &str) -> Option<&str> {
    line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use toml::de::DeTable;

    fn explained(text: &str) -> (String, String) {
        let error = DeTable::parse(text).expect_err(text);
        let error = explain(&File::new(Path::new("r.toml"), text), text, &error);
        let message = error.to_string();
        (message.trim_start_matches("failed to read the configuration: ").to_owned(), error.help().to_owned())
    }

    #[test]
    fn each_kind_has_its_name_and_nothing_is_repeated() {
        let bare = "a bare word stands where a text in quotes belongs";
        for (text, message) in [
            ("store = \"a\"\nstore = \"b\"\n", "r.toml:2: key `store` is there twice (first at r.toml:1)"),
            (
                "[a]\nx = 1\n[profile.card]\nx=1\n[profile . \"card\"]\n",
                "r.toml:5: profile `card` is there twice (first at r.toml:3)",
            ),
            ("[a]\nx = 1\n[b]\n\nx = 1\nx = 2\n", "r.toml:6: key `x` is there twice (first at r.toml:5)"),
            ("[a.b]\n[a.b]\n", "r.toml:2: table `a.b` is there twice (first at r.toml:1)"),
            ("profile.card.a = 1\n[profile.card]\n[profile]\n", "r.toml:2: profile `card` is there twice"),
            ("x = { hunter2 = 1, hunter2 = 2 }\n", "r.toml:1: a name is there twice between `{` and `}`"),
            ("# é\nstore = hunter2\n", &format!("r.toml:2: {bare}")),
            ("x = tru\n", &format!("r.toml:1: {bare}")),
            ("store = \n", "r.toml:1: a value is missing after `=`"),
            ("store = “hunter2”\n", "r.toml:1: typographic quotes stand where plain ones belong"),
            ("store = \"hunter2\nx = 1\n", "r.toml:1: a text without its closing quote"),
            ("store = 'hunter2\nx = 1\n", "r.toml:1: a text without its closing quote"),
            ("store = \"hunter\u{1}2\"\n", "r.toml:1: a text with a control character in it"),
            ("x = \"\"\"hunter2\n", "r.toml:2: a text without its three closing quotes"),
            ("x = \"C:\\keys\"\n", r"r.toml:1: a `\` in double quotes begins an escape, and this is none"),
            ("[profile.card\n", "r.toml:1: a table's name without its closing `]`"),
            ("hunter2\n", "r.toml:1: a name without `=` and a value"),
            ("x: \"hunter2\"\n", "r.toml:1: `:` stands where `=` belongs"),
            ("x = { env = \"A\"\ny = 1\n", "r.toml:2: a `,` or the closing `}` is missing before this"),
            ("x = [\"hunter2\"\ny = 1\n", "r.toml:2: a `,` or the closing `]` is missing before this"),
            ("x = 'a' hunter2\n", "r.toml:1: something stands after the end of the value"),
            ("x = 1_\n", "r.toml:1: it is not valid TOML"),
        ] {
            let (found, help) = explained(text);
            assert_eq!(found, message, "{text}");
            assert!(!found.contains("hunter2") && !help.contains("hunter2") && !help.is_empty(), "{found} {help}");
        }
    }

    #[test]
    fn an_example_is_that_of_the_key() {
        assert_eq!(explained("partner_code = hunter2\n").1, "write, for example: partner_code = \"zencardtest\"");
        assert_eq!(explained("unknown = hunter2\n").1, QUOTED);
    }
}
