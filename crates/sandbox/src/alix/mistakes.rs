//! The text that Alix wants signed, and the texts that are signed by mistake.

use super::product::Product;
use crate::credentials::AlixCredentials;
use crate::diagnose::Mistake;

/// A text to sign, and the same with the secret as `***`.
pub(super) struct Text {
    pub(super) exact: String,
    pub(super) shown: String,
}

/// A part of it: its name on the page, its value, and whether the value is a secret.
#[derive(Clone, Copy)]
struct Part<'a> {
    name: &'a str,
    value: &'a str,
    secret: bool,
}

/// `partnerCode|email|secretKey`, or `partnerCode|secretKey` for the card.
pub(super) fn right(alix: &AlixCredentials, product: Product) -> Text {
    let parts = parts(alix, product);
    let names: Vec<_> = parts.iter().map(|part| part.name).collect();
    let mut text = join(&parts, "|");
    text.shown = format!("{:?} ({})", text.shown, names.join("|"));
    text
}

/// What integrators sign instead, the likeliest first.
pub(super) fn all(alix: &AlixCredentials, product: Product, body: &[u8], refresh_token: &str) -> Vec<Mistake> {
    let wanted = parts(alix, product);
    let mut all = Vec::new();
    let mut add = |parts: &[Part<'_>], separator: &str, what: &str| {
        let text = join(parts, separator);
        all.push(Mistake { text: text.exact.into_bytes(), name: format!("{:?}: {what}", text.shown) });
    };

    let (other, whose) = match product {
        Product::OnOffRamp => (Product::Card, "the card's string, whose call is POST /api/v2/auth/refresh-token"),
        Product::Card => {
            (Product::OnOffRamp, "the on/off-ramp's string, whose call is POST /api/v2/user-order/refresh-token")
        }
    };
    add(&parts(alix, other), "|", whose);
    add(&wanted, "", "the | between the parts is missing");
    add(&wanted, " | ", "there must be no spaces around |");
    for separator in [",", ":", ";", "&", "-", "_", " ", "\n", "||"] {
        add(&wanted, separator, "the separator must be |");
    }
    for order in orders(&wanted) {
        add(&order, "|", "the parts are in the wrong order");
    }
    for (part, changed, what) in changes(&wanted) {
        let mut parts = wanted.clone();
        parts[part].value = &changed;
        add(&parts, "|", what);
    }
    // The page's note on the answer's signature reads like a second rule for the request's.
    add(&wanted[wanted.len() - 1..], "", "that is what Alix signs in its answer");
    add(&wanted[..wanted.len() - 1], "|", "secretKey is missing at the end");
    let token = Part { name: "refreshToken", value: refresh_token, secret: true };
    for place in 0..=wanted.len() {
        let mut parts = wanted.clone();
        parts.insert(place, token);
        add(&parts, "|", "the refresh token is not signed");
    }
    all.push(Mistake { text: refresh_token.into(), name: "the refresh token: it is not signed".to_owned() });
    all.push(Mistake { text: body.into(), name: "the request's body: Alix signs no bodies".to_owned() });
    all
}

fn parts(alix: &AlixCredentials, product: Product) -> Vec<Part<'_>> {
    let code = Part { name: "partnerCode", value: &alix.partner_code, secret: false };
    let email = Part { name: "email", value: &alix.email, secret: false };
    let secret = Part { name: "secretKey", value: &alix.secret_key, secret: true };
    match product {
        Product::OnOffRamp => vec![code, email, secret],
        Product::Card => vec![code, secret],
    }
}

fn join(parts: &[Part<'_>], separator: &str) -> Text {
    // A secret that was changed by white space around it is shown with that white space: it is the mistake.
    let shown = |part: &Part<'_>| {
        if part.secret { part.value.replace(part.value.trim(), "***") } else { part.value.to_owned() }
    };
    let exact: Vec<_> = parts.iter().map(|part| part.value).collect();
    let shown: Vec<_> = parts.iter().map(shown).collect();
    Text { exact: exact.join(separator), shown: shown.join(separator) }
}

/// Every order of the parts but the right one.
fn orders<'a>(parts: &[Part<'a>]) -> Vec<Vec<Part<'a>>> {
    let orders: &[&[usize]] = match parts.len() {
        3 => &[&[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]],
        _ => &[&[1, 0]],
    };
    orders.iter().map(|order| order.iter().map(|&place| parts[place]).collect()).collect()
}

/// One part changed by hand or by a tool: which, to what, and what to do about it.
fn changes(parts: &[Part<'_>]) -> Vec<(usize, String, &'static str)> {
    let mut changes = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let value = part.value;
        let (space, case) = match part.name {
            "secretKey" => ("secretKey has white space around it, such as the newline at the end of a file", None),
            "email" => {
                ("the e-mail has white space around it", Some("the e-mail's case was changed: sign it verbatim"))
            }
            _ => ("partnerCode has white space around it", Some("partnerCode's case was changed")),
        };
        for changed in ["\n", "\r\n", " "].map(|end| format!("{value}{end}")).into_iter().chain([format!(" {value}")]) {
            changes.push((place, changed, space));
        }
        if let Some(case) = case {
            changes.push((place, value.to_lowercase(), case));
            changes.push((place, value.to_uppercase(), case));
        }
    }
    changes
}
