//! A right value for each key of the configuration, in the commented file that `rampauth init` writes.

/// The commented file.
pub(crate) const TEMPLATE: &str = include_str!("rampauth.toml");

/// The line of the commented file that sets this key, without the mark of a comment.
pub(super) fn of(key: &str) -> Option<&'static str> {
    let sets = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "));
    TEMPLATE.lines().map(|line| line.trim_start_matches("# ")).find(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_example_whether_or_not_its_line_is_a_comment() {
        assert_eq!(of("partner_code"), Some("partner_code = \"zencardtest\""));
        assert_eq!(of("sealing_key"), Some("sealing_key = { file = \"sealing.key\" }"));
        assert_eq!(of("partner"), None);
    }
}
