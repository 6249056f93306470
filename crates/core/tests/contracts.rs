//! What every type promises to those who share, clone and spawn it: checked when this file compiles.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use rampauth_core::json::{Json, JsonObject, MemberProblem};
use rampauth_core::{
    AccessToken, Answer, BaseUrl, Clock, Error, ErrorKind, Expiry, Granted, HttpClient, Outcome, Presents, Refresh,
    RefreshCredential, RefreshPolicy, RefreshTime, RefreshToken, Rotation, SecretBytes, SecretString, SessionKind,
    Signature, Signer, SystemClock, TokenSet, TransportError, TransportFailure, UnverifiedJwt, Verifier, WhenUnknown,
};

/// Names a product; neither `Clone` nor `Debug`, which must not matter.
struct Card;
impl SessionKind for Card {
    const NAME: &'static str = "card";
}

fn shared<T: Send + Sync + 'static + ?Sized>() {}
fn value<T: Clone + Debug + Send + Sync + 'static>() {}
fn plain<T: Copy + Debug + PartialEq + Send + Sync + 'static>() {}
fn error<T: StdError + Send + Sync + 'static>() {}
fn sent<T: Send>(future: T) -> T {
    future
}

#[test]
fn values_are_cheap_to_share() {
    value::<Error>();
    value::<SecretString>();
    value::<SecretBytes>();
    value::<AccessToken>();
    value::<RefreshToken>();
    value::<TokenSet>();
    value::<RefreshCredential<Card>>();
    value::<Granted<Card>>();
    value::<Signature>();
    value::<BaseUrl>();
    value::<UnverifiedJwt>();
    value::<Json>();
    value::<JsonObject>();
    shared::<Answer>();
    plain::<ErrorKind>();
    plain::<Outcome>();
    plain::<Expiry>();
    plain::<MemberProblem>();
    plain::<TransportFailure>();
    plain::<RefreshPolicy>();
    plain::<Presents>();
    plain::<RefreshTime>();
    plain::<Rotation>();
    plain::<WhenUnknown>();
    error::<Error>();
    error::<TransportError>();
    // Sizes of what is moved through every call.
    assert!(size_of::<Error>() == size_of::<usize>() && size_of::<SecretString>() <= 24);
}

#[cfg(feature = "rsa")]
#[test]
fn keys_of_the_rsa_backend() {
    value::<rampauth_core::RsaSigningKey>();
    value::<rampauth_core::RsaVerifyingKey>();
    value::<rampauth_core::SmallKeysAllowed>();
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn keys_of_the_aws_lc_backend() {
    value::<rampauth_core::AwsLcSigningKey>();
    value::<rampauth_core::AwsLcVerifyingKey>();
}

#[cfg(feature = "hmac")]
#[test]
fn keys_for_hmac() {
    value::<rampauth_core::HmacSha256Key>();
}

#[cfg(feature = "reqwest")]
#[test]
fn the_client_and_its_builder() {
    value::<rampauth_core::ReqwestClient>();
    fn moved<T: Debug + Send + 'static>() {}
    moved::<rampauth_core::ReqwestClientBuilder>();
}

#[test]
fn traits_make_objects_that_can_be_shared() {
    shared::<dyn Signer>();
    shared::<dyn Verifier>();
    shared::<dyn HttpClient>();
    shared::<dyn Refresh>();
    shared::<dyn Clock>();
    // A shared object is one again, so that a type parameter can be filled with it.
    fn signs<T: Signer>() {}
    fn verifies<T: Verifier>() {}
    fn sends<T: HttpClient>() {}
    fn refreshes<T: Refresh>() {}
    signs::<Arc<dyn Signer>>();
    verifies::<Arc<dyn Verifier>>();
    sends::<Arc<dyn HttpClient>>();
    refreshes::<Arc<dyn Refresh>>();
    let fixed = std::time::UNIX_EPOCH;
    let clocks: [&dyn Clock; 2] = [&SystemClock, &move || fixed];
    assert!(clocks[0].now() > clocks[1].now() && clocks[1].now() == fixed);
}

/// Never called: that it compiles is the proof.
#[expect(dead_code, reason = "compiled, not run")]
fn futures_can_be_spawned(
    (http, clock): (&dyn HttpClient, &dyn Clock),
    (signer, refresh): (&dyn Signer, &dyn Refresh),
    (request, tokens): (Request<Bytes>, &TokenSet),
) {
    drop(sent(http.send(request.clone())));
    drop(sent(Answer::receive(http, clock, request, "test")));
    drop(sent(signer.sign(b"message")));
    drop(sent(refresh.refresh(tokens)));
}
