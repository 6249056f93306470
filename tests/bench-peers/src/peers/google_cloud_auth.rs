//! google-cloud-auth: a user's credentials, whose refresh token is presented to loopback.

use std::error::Error;

use google_cloud_auth::credentials::AccessTokenCredentials;
use google_cloud_auth::credentials::user_account::Builder;

use crate::holder::Holder;
use crate::issuer::Issuer;

impl Holder for AccessTokenCredentials {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        show(&self.access_token().await.expect("a fresh token").token);
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    let user = serde_json::json!({
        "type": "authorized_user",
        "client_id": "bench",
        "client_secret": "bench",
        "refresh_token": "bench",
        "token_uri": issuer.serve()?,
    });
    Ok(Builder::new(user).build_access_token_credentials()?)
}
