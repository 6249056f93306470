//! What to do about a session: one sentence for whoever is on call, by what the provider's rules make of its record.

use std::time::{Duration, SystemTime};

use rampauth_core::WhenUnknown;
use rampauth_keeper::policy::{Settle, settle};
use rampauth_keeper::{LastError, Record, StoredTokens};

use crate::config::{Config, Profile, printable};
use crate::stored;
use crate::time::rfc3339;

pub(super) fn of(state: &str, config: &Config, profile: Option<&Profile>, record: &Record, now: SystemTime) -> String {
    let Some(profile) = profile else {
        return "no profile of this configuration has this session: find the configuration that has".to_owned();
    };
    let name = printable(&profile.name);
    match (state, &record.tokens) {
        ("refreshing", _) => "nothing: a refresh is under way".to_owned(),
        ("failing", _) => format!(
            "the provider has refused {} times in a row without saying that the token is dead, so that a login is probably needed: \
             have the person log in, then `rampauth import {name}`; or look at the code and at the profile, then `rampauth refresh \
             {name} --stored`, which sends it at once",
            record.refusals
        ),
        ("in_doubt", _) => in_doubt(&name, profile, record, stored::claim(config, profile), now),
        ("login_needed", _) => format!(
            "have the person log in, then `rampauth import {name}`; `rampauth refresh {name} --stored` sends the stored token once \
             more"
        ),
        ("ready", Some(tokens)) => ready(&name, profile, record, tokens, now),
        _ => format!("nothing; `rampauth import {name}` begins anew"),
    }
}

fn in_doubt(name: &str, profile: &Profile, record: &Record, lease: Duration, now: SystemTime) -> String {
    let policy = profile.policy();
    let settle = settle(record, &policy, lease, now);
    if policy.when_unknown == WhenUnknown::Stop {
        let yours = "its provider publishes nothing on presenting a token again, so that is yours to decide";
        let choice = format!("`rampauth settle {name}`, or log in and `rampauth import {name}`");
        return match settle {
            // A program that runs gives up then.
            Settle::NotBefore(time) => match rfc3339(time) {
                Some(time) => format!("{yours} until {time}, then a login is needed: {choice}"),
                None => format!("{yours}: {choice}"),
            },
            Settle::OnRejection => format!("{yours}: {choice}"),
            _ => format!(
                "{yours}, and at once, for the next program that looks gives up and a login is needed: {choice}"
            ),
        };
    }
    match settle {
        Settle::OnRejection => format!(
            "nobody knows when its access token expires, so that nothing but its rejection settles this by itself: \
             `rampauth settle {name}`"
        ),
        _ => format!(
            "settled by itself while `rampauth keep` runs, within a minute of the first sending or before its access token \
             expires; now: `rampauth settle {name}`"
        ),
    }
}

fn ready(name: &str, profile: &Profile, record: &Record, tokens: &StoredTokens, now: SystemTime) -> String {
    let log_in = format!("have the person log in, then `rampauth import {name}`");
    if tokens.presented_expiry.is_known_past(now) {
        return if stored::renews_itself(tokens) {
            format!("its access token has expired, and only a live one can be renewed: {log_in}")
        } else {
            format!("its refresh token has expired: {log_in}")
        };
    }
    let expired = tokens.access_expiry.time().is_some_and(|expiry| expiry <= now);
    let paused_until = record.last_error.as_ref().and_then(|error| error.paused_until).filter(|until| now < *until);
    if let (Some(until), true) = (paused_until.and_then(rfc3339), expired) {
        return format!(
            "its access token has expired, and the provider asked to be left alone until {until}: `rampauth keep` tries again then, \
             and so does `rampauth token {name}`"
        );
    }
    match (&record.last_error, expired) {
        (Some(error), _) if error.is_refusal() && profile.policy().names_dead_tokens => {
            "the provider refused the last refresh, for a reason other than the token: look at the code and at the profile; it \
             is tried again"
                .to_owned()
        }
        // Nobody but the code can say whether it is the token.
        (Some(error), false) if error.is_refusal() => format!(
            "the provider refused the last refresh: look at the code and at the profile, or the token is dead: if it stays, \
             {log_in}"
        ),
        (Some(error), true) if error.is_refusal() => format!(
            "the provider refused the last refresh, and the access token has expired: unless the code is about the profile, the \
             token is dead: {log_in}"
        ),
        (Some(error), true) => format!(
            "its access token has expired, and the last refresh failed ({}): see to that; `rampauth keep` tries again, and so does \
             `rampauth token {name}`",
            failure(error)
        ),
        (None, true) => {
            format!("its access token has expired: `rampauth keep` refreshes it, or the next `rampauth token {name}`")
        }
        _ if tokens.access.is_none() => format!("it has no access token yet: `rampauth token {name}` gets one"),
        _ if tokens.access_expiry.time().is_none() && profile.options.refresh_interval().is_none() => format!(
            "nobody knows when its access token expires, so that nothing refreshes it ahead of time: `rampauth refresh {name}`"
        ),
        _ => "nothing".to_owned(),
    }
}

/// `unreachable, 2026-11-20T09:30:00Z`
fn failure(error: &LastError) -> String {
    let at = rfc3339(error.at).map_or_else(String::new, |at| format!(", {at}"));
    format!("{}{at}", error.kind.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use rampauth_core::time::parse_rfc3339;
    use rampauth_keeper::Record;
    use serde_json::{Value, json};

    use crate::commands::status::Row;
    use crate::config::Config;

    const CONFIG: &str = r#"
[profile.card]
provider = "alix-card"
base_url = "http://127.0.0.1:9"
timeout_seconds = 300
partner_code = "p"
secret_key = { file = "s" }
signing_key = { file = "s" }
[profile.user]
provider = "transak-user"
base_url = "http://127.0.0.1:9"
[profile.payby]
provider = "payby"
base_url = "http://127.0.0.1:9"
partner_id = "200001200101"
signing_key = { file = "s" }
provider_public_key = { file = "s" }
[profile.onboard]
provider = "onboard"
base_url = "http://127.0.0.1:9"
"#;
    const NOW: &str = "2026-11-20T09:30:00Z";

    /// A session whose tokens live for an hour more, `changed` in these members of the record and of its tokens.
    fn advice(profile: &str, changed: &[(&str, Value)]) -> String {
        let (access, refresh) = ("01".repeat(32), "02".repeat(32));
        let presents = if profile == "user" { &access } else { &refresh };
        let soon = json!({"at": "2026-11-20T10:30:00Z"});
        let presented_expiry = if profile == "user" { soon.clone() } else { json!("unknown") };
        let mut record = json!({
            "version": 1, "session": "0a".repeat(16), "generation": 1, "base": 0, "state": "ready", "attempt": null, "orphans": [],
            "last_commit": null, "rejected": null, "next_due": null, "last_error": null, "updated_at": NOW,
            "tokens": {"payload": "", "sealed_with": null, "presents": presents, "access": access, "access_expiry": soon,
                "presented_expiry": presented_expiry, "granted_at": "2026-11-20T09:00:00Z", "next_due": null},
        });
        for (member, value) in changed {
            let of = if record["tokens"].get(member).is_some() { &mut record["tokens"] } else { &mut record };
            of[*member] = value.clone();
            if (profile, *member) == ("user", "access_expiry") {
                of["presented_expiry"] = value.clone();
            }
        }
        let record = Record::from_json(&record.to_string()).expect("a record");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rampauth.toml");
        std::fs::write(&path, CONFIG).expect("a file");
        let config = Config::load(&path).expect("a configuration");
        let profile = config.profile(profile).expect("a profile");
        Row::new(&profile.key, &config, Some(profile), &record, parse_rfc3339(NOW).expect("a time")).advice
    }

    fn failed(kind: &str, outcome: &str) -> (&'static str, Value) {
        let at = "2026-11-20T09:29:00Z";
        ("last_error", json!({"kind": kind, "outcome": outcome, "status": null, "code": null, "at": at}))
    }

    fn in_doubt(since: &str) -> [(&'static str, Value); 2] {
        let attempt = json!({"id": "0b".repeat(16), "owner": "0c".repeat(16), "presents": "02".repeat(32), "presented_by": ["0b".repeat(16)], "more": 0,
            "first_sent": since, "lease": null});
        [("attempt", attempt), ("state", json!("doubtful"))]
    }

    fn access_expiry(value: Value) -> (&'static str, Value) {
        ("access_expiry", value)
    }

    fn expired() -> (&'static str, Value) {
        access_expiry(json!({"at": "2026-11-20T09:29:59Z"}))
    }

    #[test]
    fn where_all_is_well_there_is_nothing_to_do() {
        for profile in ["card", "user", "payby", "onboard"] {
            assert_eq!(advice(profile, &[]), "nothing");
            assert_eq!(advice(profile, &[failed("unreachable", "not_sent")]), "nothing");
        }
    }

    #[test]
    fn a_refusal_may_mean_a_dead_token_where_no_code_says_so() {
        for kind in ["refused", "unauthorized"] {
            for profile in ["card", "payby"] {
                assert_eq!(
                    advice(profile, &[failed(kind, "refused")]),
                    format!(
                        "the provider refused the last refresh: look at the code and at the profile, or the token is dead: if it \
                         stays, have the person log in, then `rampauth import {profile}`"
                    )
                );
                assert_eq!(
                    advice(profile, &[failed(kind, "refused"), expired()]),
                    format!(
                        "the provider refused the last refresh, and the access token has expired: unless the code is about the \
                         profile, the token is dead: have the person log in, then `rampauth import {profile}`"
                    )
                );
            }
            for changed in [&[failed(kind, "refused")][..], &[failed(kind, "refused"), expired()]] {
                assert_eq!(
                    advice("onboard", changed),
                    "the provider refused the last refresh, for a reason other than the token: look at the code and at the \
                     profile; it is tried again"
                );
            }
        }
    }

    #[test]
    fn ten_refusals_without_a_usable_token_mean_that_a_login_is_probably_needed() {
        let refused = |times: u32| [failed("unauthorized", "refused"), expired(), ("refusals", json!(times))];
        for profile in ["card", "payby", "onboard"] {
            assert_eq!(
                advice(profile, &refused(10)),
                format!(
                    "the provider has refused 10 times in a row without saying that the token is dead, so that a login is probably \
                     needed: have the person log in, then `rampauth import {profile}`; or look at the code and at the profile, then \
                     `rampauth refresh {profile} --stored`, which sends it at once"
                )
            );
            assert!(!advice(profile, &refused(9)).contains("probably"), "{profile}");
            let lives = [failed("unauthorized", "refused"), ("refusals", json!(99))];
            assert!(!advice(profile, &lives).contains("probably"), "{profile}");
        }
    }

    #[test]
    fn an_expired_access_token_is_renewed_by_whoever_can() {
        let by_itself = "its access token has expired: `rampauth keep` refreshes it, or the next `rampauth token card`";
        assert_eq!(advice("card", &[expired()]), by_itself);
        assert_eq!(advice("card", &[access_expiry(json!({"assumed": "2026-11-20T09:29:59Z"}))]), by_itself);
        for (kind, outcome, said) in
            [("unreachable", "not_sent", "unreachable"), ("rate_limited", "refused", "rate limited")]
        {
            assert_eq!(
                advice("card", &[expired(), failed(kind, outcome)]),
                format!(
                    "its access token has expired, and the last refresh failed ({said}, 2026-11-20T09:29:00Z): see to that; \
                     `rampauth keep` tries again, and so does `rampauth token card`"
                )
            );
        }
        // It is what would be presented.
        for changed in [
            &[expired()][..],
            &[expired(), failed("unreachable", "not_sent")],
            &[expired(), failed("refused", "refused")],
        ] {
            assert_eq!(
                advice("user", changed),
                "its access token has expired, and only a live one can be renewed: have the person log in, then `rampauth import \
                 user`"
            );
        }
        assert_eq!(
            advice("card", &[("presented_expiry", json!({"at": NOW}))]),
            "its refresh token has expired: have the person log in, then `rampauth import card`"
        );
    }

    #[test]
    fn nothing_is_tried_before_a_pause_is_over() {
        let failed = |until: &str| {
            let (_, mut error) = failed("rate_limited", "refused");
            error["paused_until"] = json!(until);
            ("last_error", error)
        };
        for profile in ["card", "payby", "onboard"] {
            assert_eq!(
                advice(profile, &[expired(), failed("2026-11-20T09:31:00Z")]),
                format!(
                    "its access token has expired, and the provider asked to be left alone until 2026-11-20T09:31:00Z: `rampauth \
                     keep` tries again then, and so does `rampauth token {profile}`"
                )
            );
            let over = advice(profile, &[expired(), failed("2026-11-20T09:29:59Z")]);
            assert!(!over.contains("left alone") && over.contains("the last refresh failed"), "{over}");
            assert_eq!(advice(profile, &[failed("2026-11-20T09:31:00Z")]), "nothing", "a token is at hand");
        }
    }

    #[test]
    fn what_nobody_refreshes_is_said() {
        for profile in ["card", "user", "payby", "onboard"] {
            assert_eq!(
                advice(profile, &[access_expiry(json!("unknown"))]),
                format!(
                    "nobody knows when its access token expires, so that nothing refreshes it ahead of time: `rampauth refresh \
                     {profile}`"
                )
            );
        }
        assert_eq!(
            advice("card", &[("access", Value::Null), access_expiry(json!("unknown"))]),
            "it has no access token yet: `rampauth token card` gets one"
        );
    }

    #[test]
    fn a_doubt_is_settled_by_itself_as_long_as_anything_does() {
        let by_itself = |profile: &str| {
            format!(
                "settled by itself while `rampauth keep` runs, within a minute of the first sending or before its access token \
                 expires; now: `rampauth settle {profile}`"
            )
        };
        let (fresh, old) = (in_doubt("2026-11-20T09:29:30Z"), in_doubt("2026-11-20T09:20:00Z"));
        for profile in ["card", "user", "onboard"] {
            assert_eq!(advice(profile, &fresh), by_itself(profile));
            assert_eq!(advice(profile, &old), by_itself(profile));
        }
        let unknown = [access_expiry(json!("unknown"))];
        assert_eq!(advice("card", &[&fresh[..], &unknown].concat()), by_itself("card"));
        assert_eq!(
            advice("card", &[&old[..], &unknown].concat()),
            "nobody knows when its access token expires, so that nothing but its rejection settles this by itself: `rampauth \
             settle card`"
        );
    }

    #[test]
    fn a_persons_decision_has_a_deadline() {
        let doubt = in_doubt("2026-11-20T09:29:30Z");
        let yours = "its provider publishes nothing on presenting a token again, so that is yours to decide";
        let choice = "`rampauth settle payby`, or log in and `rampauth import payby`";
        // Two claims before the access token expires, of 45 s each: another profile's claims last longer.
        assert_eq!(
            advice("payby", &doubt),
            format!("{yours} until 2026-11-20T10:28:30Z, then a login is needed: {choice}")
        );
        let late = access_expiry(json!({"at": "2026-11-20T09:31:00Z"}));
        assert_eq!(
            advice("payby", &[&doubt[..], &[late]].concat()),
            format!("{yours}, and at once, for the next program that looks gives up and a login is needed: {choice}")
        );
        let unknown = access_expiry(json!("unknown"));
        assert_eq!(advice("payby", &[&doubt[..], &[unknown]].concat()), format!("{yours}: {choice}"));
    }
}
