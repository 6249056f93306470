//! What a check answers: what it looked at, or what is wrong and what to do.

/// Good: one line that says what was looked at, with counts. Bad: every problem found.
pub(crate) type Outcome = Result<String, Failure>;

/// Problems, one line each: where, what, and what to do.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Vec<String>);

impl Failure {
    /// One line per problem on standard error, under the check's name; their number where it is more than one.
    pub(crate) fn print(&self, check: &str) {
        for problem in &self.0 {
            eprintln!("{check}: {problem}");
        }
        if self.0.len() > 1 {
            eprintln!("{check}: {}", count(self.0.len(), "problem"));
        }
    }
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self(vec![problem])
    }
}

impl From<&str> for Failure {
    fn from(problem: &str) -> Self {
        Self(vec![problem.to_owned()])
    }
}

/// The outcome of a check that collected its problems.
pub(crate) fn settle(problems: Vec<String>, summary: String) -> Outcome {
    if problems.is_empty() { Ok(summary) } else { Err(Failure(problems)) }
}

/// "1 crate", "2 crates", "3 dependencies".
pub(crate) fn count(number: usize, singular: &str) -> String {
    match singular.strip_suffix('y') {
        _ if number == 1 => format!("1 {singular}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {singular}s"),
    }
}
