//! One request and its answer: whole, or without its end.

use bytes::Bytes;
use http::Request;

use super::Answer;
use crate::{Clock, Error, ErrorKind, HttpClient, TokenSet};

impl Answer {
    /// Sends the request of the call that `action` names (`refresh the … tokens`) and receives the answer, which is whole.
    ///
    /// # Errors
    ///
    /// No whole answer came; see [`TransportError::into_error`](crate::TransportError::into_error).
    pub async fn receive(
        http: &dyn HttpClient,
        clock: &dyn Clock,
        request: Request<Bytes>,
        action: &'static str,
    ) -> Result<Self, Error> {
        let answer = Self::receive_any(http, clock, request, action).await?;
        match &answer.cut {
            None => Ok(answer),
            Some(cut) => Err(answer.keep_body(answer.described(cut))),
        }
    }

    /// The same for a call that gives tokens, whose answer `read` reads by the provider's rules. An answer of which the end
    /// is missing is read as well, for it may bring the only copy of the new tokens.
    ///
    /// # Errors
    ///
    /// Those of `read`. An answer without its end is always an error: a status that is no success says what it always says;
    /// after a success the outcome is unknown, the tokens that could be read are in
    /// [`Error::salvage`](crate::Error::salvage), and the bytes of a body that gave none in
    /// [`Error::body`](crate::Error::body).
    pub async fn receive_tokens<T: Into<TokenSet>>(
        http: &dyn HttpClient,
        clock: &dyn Clock,
        request: Request<Bytes>,
        action: &'static str,
        read: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let answer = Self::receive_any(http, clock, request, action).await?;
        let tokens = read(&answer);
        match &answer.cut {
            None => tokens,
            Some(cut) => Err(answer.recovered(cut, tokens)),
        }
    }

    async fn receive_any(
        http: &dyn HttpClient,
        clock: &dyn Clock,
        request: Request<Bytes>,
        action: &'static str,
    ) -> Result<Self, Error> {
        let sent_at = clock.now();
        let (response, failure) = match http.send(request).await {
            Ok(response) => (response, None),
            Err(mut error) => match error.take_partial_response() {
                Some(response) => (response, Some(error)),
                None => return Err(error.into_error(action)),
            },
        };
        let mut answer = Self::new(response, clock.now(), action).with_sent_at(sent_at);
        if let Some(failure) = failure {
            answer.cut = Some(failure.into_error(action));
        }
        Ok(answer)
    }

    /// What is left of an answer without its end, once it was read as if it were whole.
    fn recovered<T: Into<TokenSet>>(&self, cut: &Error, read: Result<T, Error>) -> Error {
        match read {
            // After the end of a JSON document nothing comes that would matter.
            Ok(tokens) => self.described(cut).with_salvage(Some(tokens.into())),
            // A signature over a part of a body says nothing about the provider.
            Err(error) if self.status_error().is_some() && error.kind() != ErrorKind::Untrusted => error,
            Err(error) => self.keep_body(error.because_of(&self.described(cut))),
        }
    }

    fn described(&self, cut: &Error) -> Error {
        let cut = cut.clone().with_status(self.status()).with_retry_after(self.retry_after());
        cut.with_clock_difference(self.clock_difference())
    }
}
