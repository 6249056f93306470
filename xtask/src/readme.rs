//! The two commands that the README starts with: what a new user types is what the checks run.

use crate::outcome::Failure;
use crate::workspace::Workspace;

#[derive(Debug)]
pub(crate) struct Commands {
    /// `cargo run … demo`, as words.
    pub(crate) demo: Vec<String>,
    /// `cargo test …`, as words.
    pub(crate) test: Vec<String>,
}

pub(crate) fn commands(ws: &Workspace) -> Result<Commands, Failure> {
    let text =
        ws.read("README.md").map_err(|_| "README.md: missing; it says how to see a demo and how to run the tests")?;
    parse(&text)
}

fn parse(text: &str) -> Result<Commands, Failure> {
    let lines: Vec<Vec<String>> = shell_lines(text).map(words).collect();
    let starts = |words: &[String], with: &str| words.len() >= 2 && words[0] == "cargo" && words[1] == with;
    let demo = lines.iter().find(|words| starts(words, "run") && words.last().is_some_and(|it| it == "demo"));
    let test = lines.iter().find(|words| starts(words, "test"));
    match (demo, test) {
        (Some(demo), Some(test)) => Ok(Commands { demo: demo.clone(), test: test.clone() }),
        (None, _) => Err("README.md: no ```sh block has a line `cargo run -- demo`".into()),
        (_, None) => Err("README.md: no ```sh block has a line `cargo test --workspace`".into()),
    }
}

/// The lines of the fenced blocks whose language is a shell's.
fn shell_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut shell = None;
    text.lines().filter(move |line| match (line.trim_start().strip_prefix("```"), shell) {
        (Some(_), Some(_)) => {
            shell = None;
            false
        }
        (Some(language), None) => {
            shell = Some(["sh", "bash", "console", "shell"].contains(&language.trim()));
            false
        }
        (None, inside) => inside == Some(true),
    })
}

/// Without the prompt and the comment.
fn words(line: &str) -> Vec<String> {
    let line = line.trim_start().trim_start_matches("$ ");
    line.split_whitespace().take_while(|word| !word.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_is_taken_without_prompt_and_comment() {
        let text = "# Title\n\ncargo test nothing\n\n```toml\ncargo = 1\n```\n```sh\n$ cargo run -- demo   # five rows\n\
            cargo test --workspace\n```\n\n```sh\ncargo test --other\n```\n";
        let commands = parse(text).expect("both commands");
        assert_eq!(commands.demo, ["cargo", "run", "--", "demo"]);
        assert_eq!(commands.test, ["cargo", "test", "--workspace"]);
    }

    #[test]
    fn a_readme_without_them_is_a_failure_that_says_which() {
        for (text, missing) in
            [("```sh\ncargo test\n```\n", "demo"), ("```sh\ncargo run -- demo\n```\n", "test"), ("cargo test", "demo")]
        {
            let failure = parse(text).expect_err("one is missing");
            assert!(failure.0[0].contains(missing), "{failure:?}");
        }
    }
}
