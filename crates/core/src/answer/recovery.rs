//! Tokens of a success: granted where the body is their JSON, recovered where other text stands around it.

use crate::json::{Json, JsonObject};
use crate::transport::MAX_BODY_LENGTH;
use crate::{AccessToken, Answer, Error, RefreshToken, TokenSet};

impl Answer {
    /// Reads the tokens of a success by a provider's own rules: `read` is given the JSON object that the body is.
    ///
    /// Where there is other text around the object, such as a warning of the server's, nobody knows what the answer is, and
    /// nothing is granted. The tokens that `read` finds in it are kept in the error all the same, unless another object
    /// beside it brings other tokens.
    ///
    /// # Errors
    ///
    /// Those of `read`; and [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) when the body is not one JSON object of up to 64 KiB, see
    /// [`salvage`](Error::salvage) and [`body`](Error::body).
    pub fn read_tokens<T: Into<TokenSet>>(
        &self,
        read: impl Fn(&JsonObject<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let reason = match self.parse() {
            Ok(Json::Object(object)) => return read(&object),
            Ok(_) => "the answer is not a JSON object".into(),
            Err(reason) => reason,
        };
        Err(self.protocol_error(reason).with_salvage(self.recover(read)))
    }

    /// The tokens of the one object in the body that has any.
    fn recover<T: Into<TokenSet>>(&self, read: impl Fn(&JsonObject<'_>) -> Result<T, Error>) -> Option<TokenSet> {
        let body = &self.body()[..self.body().len().min(MAX_BODY_LENGTH)];
        let mut found = Json::objects_within(body).into_iter().filter_map(|object| match read(&object) {
            Ok(tokens) => Some(tokens.into()),
            Err(error) => error.salvage().cloned(),
        });
        let first = found.next()?;
        found.all(|other| is_same(&first, &other)).then_some(first)
    }
}

fn is_same(one: &TokenSet, other: &TokenSet) -> bool {
    fn texts(set: &TokenSet) -> (Option<&str>, Option<&str>) {
        let access = set.access_token.as_ref().map(AccessToken::expose_secret);
        (access, set.refresh_token.as_ref().map(RefreshToken::expose_secret))
    }
    texts(one) == texts(other)
}
