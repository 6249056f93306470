//! The providers' bodies and answers, written and read the plainest way: by `serde_json`, with derived structs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What an Alix refresh sends.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlixBody {
    partner_code: String,
    refresh_token: String,
    signature: String,
}

impl AlixBody {
    pub(crate) fn write(&self) -> Bytes {
        serde_json::to_vec(self).expect("JSON").into()
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the cost of it")]
pub(crate) struct Enveloped<T> {
    data: T,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AlixTokens {
    access_token: String,
    refresh_token: String,
    access_token_expires_at: String,
    refresh_token_expires_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "read for the cost of it")]
pub(crate) struct TransakToken {
    access_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "read for the cost of it")]
pub(crate) struct OnboardTokens {
    user_id: String,
    access_token: OnboardToken,
    refresh_token: OnboardToken,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the cost of it")]
struct OnboardToken {
    token: String,
    expiry: String,
}

/// Reads an answer.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(answer: &[u8]) -> T {
    serde_json::from_slice(answer).expect("the documented answer")
}
