//! Which path and method lead to which call, and what was probably meant by those that lead nowhere.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::message::{Answer, Incoming};
use crate::state::{MintTokens, State};
use crate::{Call, alix, onboard, payby, transak};

/// One endpoint.
pub(crate) struct Route {
    /// The refresh call that it is; none for PayBy's test of keys.
    pub(crate) call: Option<Call>,
    pub(crate) method: Method,
    path: &'static str,
    pub(crate) answer: fn(&State, Incoming<'_>) -> Answer,
}

static ROUTES: [Route; 6] = [
    Route {
        call: Some(Call::AlixOnOffRamp),
        method: Method::POST,
        path: "/api/v2/user-order/refresh-token",
        answer: alix::on_off_ramp,
    },
    Route { call: Some(Call::AlixCard), method: Method::POST, path: "/api/v2/auth/refresh-token", answer: alix::card },
    Route {
        call: Some(Call::TransakUser),
        method: Method::GET,
        path: "/api/v2/auth/refresh",
        answer: transak::refresh,
    },
    Route {
        call: Some(Call::PayBy),
        method: Method::POST,
        path: "/sgs/api/oauth2/authz/refresh-token",
        answer: payby::refresh,
    },
    Route { call: None, method: Method::POST, path: "/sgs/verifySign", answer: payby::echo },
    Route {
        call: Some(Call::Onboard),
        method: Method::POST,
        path: "/auth/oauth/refresh-token",
        answer: onboard::refresh,
    },
];

pub(crate) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

/// How the call's provider makes tokens.
pub(crate) fn mint_of(call: Call) -> MintTokens {
    match call {
        Call::AlixOnOffRamp | Call::AlixCard => alix::mint,
        Call::TransakUser => transak::mint,
        Call::PayBy => payby::mint,
        Call::Onboard => onboard::mint,
    }
}

/// 404, with what was probably meant.
pub(crate) fn not_found(path: &str) -> Answer {
    let reason = match ROUTES.iter().find(|route| core(route.path) == core(path)) {
        Some(route) => format!("no such path; {} was probably meant: {}", route.title(), difference(path, route.path)),
        None => match ROUTES.iter().find(|route| path.ends_with(route.path)) {
            Some(route) => {
                format!("no such path; {} was probably meant: the base URL has a path too much", route.title())
            }
            None => "no such path".to_owned(),
        },
    };
    Answer::refused(StatusCode::NOT_FOUND, &json!({"error": "Not Found"}), reason)
}

/// 405, with the right method and the call that is easily taken for this one.
pub(crate) fn wrong_method(route: &Route) -> Answer {
    let look_alike = match route.call {
        Some(Call::TransakUser) => "; POST /api/v2/auth/refresh-token is alix-card",
        Some(Call::AlixCard) => "; GET /api/v2/auth/refresh is transak-user",
        _ => "",
    };
    let reason = format!("wrong method: the call is {}{look_alike}", route.title());
    let mut answer = Answer::refused(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "Method Not Allowed"}), reason);
    answer.allow = Some(if route.method == Method::GET { "GET" } else { "POST" });
    answer
}

impl Route {
    fn title(&self) -> String {
        let name = self.call.map_or("payby's test of keys", Call::name);
        format!("{} {} ({name})", self.method, self.path)
    }
}

/// The segments that tell one call from another: no gateway prefix, no version, no case, no stray slashes.
fn core(path: &str) -> Vec<String> {
    let is_version = |segment: &str| segment.strip_prefix('v').is_some_and(|n| n.parse::<u8>().is_ok());
    path.split('/')
        .map(str::to_ascii_lowercase)
        .filter(|segment| !matches!(segment.as_str(), "" | "api" | "sgs") && !is_version(segment))
        .collect()
}

fn difference(path: &str, meant: &str) -> String {
    let segments = |path: &str| path.split('/').filter(|segment| !segment.is_empty()).count();
    if path.eq_ignore_ascii_case(meant) {
        "its letters are of another case".to_owned()
    } else if let Some(missing) = meant.strip_suffix(path) {
        format!("{missing} is missing at its start")
    } else if let Some(api) = ["/api", "/sgs"].into_iter().find(|part| meant.replacen(part, "", 1) == path) {
        format!("{api} is missing")
    } else if path.contains("/api") && !meant.contains("/api") {
        "it has no /api".to_owned()
    } else if segments(path) == segments(meant) && path.trim_end_matches('/') == meant {
        "a slash stands at its end".to_owned()
    } else {
        "the paths differ in a prefix, a version or a slash".to_owned()
    }
}

/// The path as the log may show it: a segment that is long or strange may be a misplaced token.
pub(crate) fn shown(path: &str) -> String {
    let harmless = |segment: &str| segment.len() <= 24 && segment.bytes().all(|byte| byte.is_ascii_graphic());
    if path.len() > 256 {
        return "/***".to_owned();
    }
    let segments: Vec<_> = path.split('/').map(|segment| if harmless(segment) { segment } else { "***" }).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_names_the_call_and_the_difference() {
        for (path, part) in [
            (
                "/v2/auth/refresh-token",
                "POST /api/v2/auth/refresh-token (alix-card) was probably meant: /api is missing at",
            ),
            ("/v2/user-order/refresh-token", "(alix-on-off-ramp) was probably meant: /api is missing at its start"),
            ("/sgs/oauth2/authz/refresh-token", "(payby) was probably meant: /api is missing"),
            ("/api/oauth2/authz/refresh-token", "(payby) was probably meant: /sgs is missing at its start"),
            ("/sgs/api/verifySign", "(payby's test of keys) was probably meant: it has no /api"),
            ("/api/auth/oauth/refresh-token", "(onboard) was probably meant: it has no /api"),
            ("/API/v2/auth/refresh", "(transak-user) was probably meant: its letters are of another case"),
            ("/api/v2/auth/refresh/", "(transak-user) was probably meant: a slash stands at its end"),
            ("/api/v1/auth/refresh", "(transak-user) was probably meant: the paths differ in a prefix, a version"),
            ("/x/api/v2/auth/refresh", "(transak-user) was probably meant: the base URL has a path too much"),
        ] {
            let answer = not_found(path);
            assert!(answer.reason.contains(part), "{path}: {}", answer.reason);
        }
        assert_eq!(not_found("/").reason, "no such path");
        assert_eq!(not_found("/partners/api/v2/refresh-token").reason, "no such path");
    }

    #[test]
    fn a_path_is_shown_without_what_may_be_a_token() {
        assert_eq!(shown("/api/v2/auth/refresh-token"), "/api/v2/auth/refresh-token");
        assert_eq!(shown("/refresh/needle-needle-needle-needle/x"), "/refresh/***/x");
        assert_eq!(shown("/refresh/né"), "/refresh/***");
        assert_eq!(shown(&"/a".repeat(200)), "/***");
    }
}
