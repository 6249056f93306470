//! A file for each library: how it is set up over an [`Issuer`](crate::issuer::Issuer), and how a caller reads from it.

pub(crate) mod aws_identity;
pub(crate) mod azure_identity;
pub(crate) mod gcp_auth;
pub(crate) mod google_cloud_auth;
pub(crate) mod rampauth_keeper;
pub(crate) mod yup_oauth2;

/// What the libraries that present a service account sign with: a key of the project's test vectors.
const SERVICE_ACCOUNT_KEY: &str = include_str!("../../../crates/core/tests/vectors/keys/partner.pkcs8.pem");

/// A service account whose token endpoint is this one.
fn service_account(token_uri: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "service_account",
        "project_id": "bench",
        "client_email": "bench@example.com",
        "private_key": SERVICE_ACCOUNT_KEY,
        "token_uri": token_uri,
    })
}
