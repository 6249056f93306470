//! Alix's two refresh calls: on/off-ramp and card.
//!
//! Facts: Alix's public pages "Refresh Token" (on/off-ramp), "Refresh Token" (card) and "Digital signature", read 2026-11.

mod mistakes;
mod product;

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use product::Product;

use crate::IssuedTokens;
use crate::clock::unix_seconds;
use crate::diagnose;
use crate::json;
use crate::message::{Answer, Incoming};
use crate::state::State;

/// Both as in the card page's sample: `exp` − `iat` of its two tokens.
const ACCESS: Duration = Duration::from_secs(900);
const REFRESH: Duration = Duration::from_secs(180 * 86_400);

/// `POST /api/v2/user-order/refresh-token`.
pub(crate) fn on_off_ramp(state: &State, request: Incoming<'_>) -> Answer {
    match granted(state, request, Product::OnOffRamp) {
        Ok((tokens, reason)) => {
            let body = json!({
                "accessToken": tokens.access_token,
                "refreshToken": tokens.refresh_token,
                "signature": state.alix_signature,
            });
            Answer::granted(&body, reason)
        }
        Err(reason) => Answer::refused(StatusCode::BAD_REQUEST, &json!({"error": "Invalid request"}), reason),
    }
}

/// `POST /api/v2/auth/refresh-token`.
pub(crate) fn card(state: &State, request: Incoming<'_>) -> Answer {
    match granted(state, request, Product::Card) {
        Ok((tokens, reason)) => {
            let seconds = |time: Option<SystemTime>| time.map(|time| unix_seconds(time).to_string());
            let body = json!({
                "success": true,
                "message": "The request was successful",
                "data": {
                    "accessToken": tokens.access_token,
                    "refreshToken": tokens.refresh_token,
                    "accessTokenExpiresAt": seconds(Some(tokens.access_token_expires_at)),
                    "refreshTokenExpiresAt": seconds(tokens.refresh_token_expires_at),
                },
                "errorCode": 0,
            });
            Answer::granted(&body, reason)
        }
        Err(reason) => {
            let body = json!({"success": false, "message": "The request is invalid", "data": null, "errorCode": 32});
            Answer::refused(StatusCode::BAD_REQUEST, &body, reason)
        }
    }
}

/// A pair of JWTs with the claims of the card page's sample.
pub(crate) fn mint(state: &State, now: SystemTime, lifetime: Option<Duration>, _: Option<SystemTime>) -> IssuedTokens {
    let access_token_expires_at = now + lifetime.unwrap_or(ACCESS);
    let refresh_token_expires_at = now + REFRESH;
    let mut claims = json!({
        "sign": state.mint.word(),
        "partnerCode": state.credentials.alix.partner_code,
        "iat": unix_seconds(now),
        "exp": unix_seconds(access_token_expires_at),
    });
    let access_token = state.mint.jwt(&claims);
    claims["session"] = Value::from(state.mint.uuid());
    claims["exp"] = Value::from(unix_seconds(refresh_token_expires_at));
    IssuedTokens {
        number: state.mint.number(),
        access_token,
        refresh_token: Some(state.mint.jwt(&claims)),
        access_token_expires_at,
        refresh_token_expires_at: Some(refresh_token_expires_at),
    }
}

/// New tokens and what was verified, or the reason for a refusal. The token is looked at last: a forgery spends nothing.
fn granted(state: &State, request: Incoming<'_>, product: Product) -> Result<(IssuedTokens, String), String> {
    request.is_json()?;
    if product == Product::OnOffRamp {
        is_supported_language(request)?;
    }
    let body = json::object(request.body)?;
    has_no_other_field(&body, product)?;
    if json::text(&body, "partnerCode")? != state.credentials.alix.partner_code {
        return Err(format!("partnerCode is not \"{}\"", state.credentials.alix.partner_code));
    }
    let presented = json::text(&body, "refreshToken").map_err(|reason| explain_user_email(&body, reason))?;
    let signature = json::text(&body, "signature")?;
    let text = mistakes::right(&state.credentials.alix, product);
    diagnose::check(&state.partner, signature, text.exact.as_bytes(), &text.shown, || {
        mistakes::all(&state.credentials.alix, product, request.body, presented)
    })?;
    let tokens = state.exchange(product.call(), mint, presented).map_err(|worthless| worthless.to_string())?;
    Ok((tokens, format!("signature verifies over {}; refresh token replaced", text.shown)))
}

/// The on/off-ramp page: en, cn or vi, and "the default will en if this param has been empty".
fn is_supported_language(request: Incoming<'_>) -> Result<(), String> {
    match request.header("lang")? {
        None | Some("" | "en" | "cn" | "vi") => Ok(()),
        Some(_) => Err("header lang is not one of en, cn, vi".to_owned()),
    }
}

/// Each page lists three fields; the card page's table adds `userEmail`.
fn has_no_other_field(body: &Map<String, Value>, product: Product) -> Result<(), String> {
    let listed = |key: &str| matches!(key, "partnerCode" | "refreshToken" | "signature");
    for key in body.keys().filter(|key| !listed(key)) {
        match (key.as_str(), product) {
            ("userEmail", Product::Card) => {
                json::text(body, "userEmail")?;
            }
            ("userEmail" | "email", Product::OnOffRamp) => {
                return Err("the body has an e-mail, which this call signs and does not send".to_owned());
            }
            _ => return Err("the body has a field besides partnerCode, refreshToken, signature".to_owned()),
        }
    }
    Ok(())
}

/// The card page's table has `userEmail` where its own sample has `refreshToken`.
fn explain_user_email(body: &Map<String, Value>, reason: String) -> String {
    if body.contains_key("userEmail") {
        format!("{reason}: the page's table names userEmail in its place, its sample sends refreshToken")
    } else {
        reason
    }
}
