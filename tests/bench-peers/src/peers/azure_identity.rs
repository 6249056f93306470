//! `azure_identity`: a client secret over a transport that answers by itself, because the library asks nobody without TLS.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

use crate::holder::Holder;
use crate::issuer::Issuer;

struct Endpoint(Issuer);

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

#[async_trait]
impl HttpClient for Endpoint {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), self.0.answer()))
    }
}

impl Holder for Arc<ClientSecretCredential> {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        show(self.get_token(&["scope"], None).await.expect("a fresh token").token.secret());
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    let transport = Some(Transport::new(Arc::new(Endpoint(issuer))));
    let client_options = ClientOptions { transport, ..ClientOptions::default() };
    let options = ClientSecretCredentialOptions { client_options };
    Ok(ClientSecretCredential::new("tenant", "client".to_owned(), Secret::new("secret"), Some(options))?)
}
