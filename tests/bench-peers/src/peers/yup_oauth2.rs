//! yup-oauth2: a service account that asks loopback for its token.

use std::error::Error;

use yup_oauth2::ServiceAccountAuthenticator;
use yup_oauth2::authenticator::DefaultAuthenticator;

use crate::holder::Holder;
use crate::issuer::Issuer;

impl Holder for DefaultAuthenticator {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        show(self.token(&["scope"]).await.expect("a fresh token").token().expect("an access token"));
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    let account = super::service_account(&issuer.serve()?);
    let authenticator = ServiceAccountAuthenticator::builder(serde_json::from_value(account)?);
    Ok(authenticator.build().await?)
}
