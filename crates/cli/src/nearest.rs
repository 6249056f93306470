//! The known name that a misspelt one probably means.

use strsim::osa_distance;

/// The name among `known` that `word` is a misspelling of: the same but for case and separators, its unique beginning, or a few
/// characters off. `None` where no name is near, or none is nearer than another. Of names that differ in case and separators alone
/// it is the first.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Shorter words begin too many names.
    const SHORTEST_BEGINNING: usize = 3;
    let word = plain(word);
    let known: Vec<(String, &str)> = known.into_iter().map(|name| (plain(name), name)).collect();
    let length = word.chars().count();
    // A third of the word may be wrong, and three characters at most.
    let most = (length / 3).clamp(1, 3);
    let least = known.iter().map(|(plain, _)| osa_distance(&word, plain)).min().filter(|least| *least <= most);
    let only = |is_meant: &dyn Fn(&str) -> bool| {
        let (first, name) = known.iter().find(|(plain, _)| is_meant(plain))?;
        known.iter().all(|(plain, _)| plain == first || !is_meant(plain)).then_some(*name)
    };
    only(&|plain| plain == word)
        .or_else(|| only(&|plain| length >= SHORTEST_BEGINNING && plain.starts_with(&word)))
        .or_else(|| only(&|plain| least == Some(osa_distance(&word, plain))))
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_what_is_not_is_left() {
        let providers = ["alix-card", "alix-on-off-ramp", "transak-user", "payby", "onboard"];
        for (word, expected) in [
            ("alix-crad", Some("alix-card")),
            ("AlixCard", Some("alix-card")),
            ("alix_on_off_ramp", Some("alix-on-off-ramp")),
            ("transak", Some("transak-user")),
            ("pay-by", Some("payby")),
            ("onbord", Some("onboard")),
            // Two begin so.
            ("alix", None),
            ("stripe", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, providers), expected, "{word}");
        }
        assert_eq!(nearest("crad", ["card", "ramp"]), Some("card"));
        assert_eq!(nearest("cart", ["card", "care"]), None, "one is as near as the other");
        assert_eq!(nearest("prod", ["sandbox", "production"]), Some("production"));
        assert_eq!(nearest("refreshTokn", ["refreshToken", "refresh_token"]), Some("refreshToken"));
        assert_eq!(nearest("hunter2", ["card", "user"]), None);
    }
}
