//! `gcp_auth`: a service account that asks loopback for its token.

use std::error::Error;

use gcp_auth::{CustomServiceAccount, TokenProvider};

use crate::holder::Holder;
use crate::issuer::Issuer;

impl Holder for CustomServiceAccount {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        show(self.token(&["scope"]).await.expect("a fresh token").as_str());
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    let account = super::service_account(&issuer.serve()?);
    Ok(CustomServiceAccount::from_json(&account.to_string())?)
}
