//! One of the five calls, made by a keeper to a server that answers as a test says.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rampauth_core::{
    AccessToken, AwsLcSigningKey, Error, Expiry, Outcome, Refresh, RefreshToken, ReqwestClient, RsaVerifyingKey,
    Signer as _, TokenSet,
};
use rampauth_keeper::{Keeper, MemoryStore, SessionKey, State, StoreExt as _};
use rampauth_test_kit::keys;
use rampauth_test_kit::scripted::{Script, ScriptedServer};
use tokio::time::Instant;

/// Long enough for a loopback connection on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) const NEW_ACCESS: &str = "needle-new-access";
pub(crate) const NEW_REFRESH: &str = "needle-new-refresh";
const STORED_ACCESS: &str = "needle-stored-access";
pub(crate) const STORED_REFRESH: &str = "needle-stored-refresh";
/// `{"alg":"HS256"}`, `{"exp":4070908800}` and `{"exp":4102444800}`: the first days of 2099 and 2100.
const STORED_JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwNzA5MDg4MDB9.c3RvcmVk";
const NEW_JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.bmV3";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    AlixCard,
    AlixOnOffRamp,
    TransakUser,
    PayBy,
    Onboard,
}

/// What came of a refresh.
pub(crate) struct End {
    pub(crate) result: Result<(), Error>,
    pub(crate) took: Duration,
    /// The access token and the refresh token that are stored.
    pub(crate) tokens: (String, Option<String>),
    pub(crate) state: State,
    pub(crate) generation: u64,
    /// All events, as `Debug` shows them.
    pub(crate) events: String,
}

/// Built once: that reads the certificates of the system.
static HTTP: LazyLock<ReqwestClient> =
    LazyLock::new(|| ReqwestClient::builder().timeout(TIMEOUT).build().expect("a client"));
static PROVIDER_KEY: LazyLock<AwsLcSigningKey> =
    LazyLock::new(|| AwsLcSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the provider's key"));

impl Call {
    /// A success as the provider documents it, with the new tokens and without braces in its texts.
    pub(crate) fn document(self) -> String {
        let (access, refresh) = (NEW_ACCESS, NEW_REFRESH);
        match self {
            Self::AlixCard => format!(
                r#"{{"success":true,"message":"m","data":{{"accessToken":"{access}","refreshToken":"{refresh}"}},"errorCode":0}}"#
            ),
            Self::AlixOnOffRamp => {
                format!(r#"{{"accessToken":"{access}","refreshToken":"{refresh}","signature":"s"}}"#)
            }
            Self::TransakUser => format!(r#"{{"data":{{"accessToken":"{NEW_JWT}"}}}}"#),
            Self::PayBy => format!(
                r#"{{"head":{{"applyStatus":"SUCCESS","code":"0","msg":"m"}},"body":{{"accessToken":"{access}","refreshToken":"{refresh}"}}}}"#
            ),
            Self::Onboard => format!(
                r#"{{"userId":"u-1","accessToken":{{"token":"{access}","expiry":"2100-01-01T00:00:00Z"}},"refreshToken":{{"token":"{refresh}","expiry":"2101-01-01T00:00:00Z"}}}}"#
            ),
        }
    }

    pub(crate) fn granted(self) -> (String, Option<String>) {
        match self {
            Self::TransakUser => (NEW_JWT.to_owned(), None),
            _ => (NEW_ACCESS.to_owned(), Some(NEW_REFRESH.to_owned())),
        }
    }

    pub(crate) fn stored(self) -> (String, Option<String>) {
        match self {
            Self::TransakUser => (STORED_JWT.to_owned(), None),
            _ => (STORED_ACCESS.to_owned(), Some(STORED_REFRESH.to_owned())),
        }
    }

    pub(crate) fn login(self) -> TokenSet {
        let (access, refresh) = self.stored();
        let access_expiry = Expiry::of_jwt(&access);
        let set = TokenSet::new().with_access_token(AccessToken::new(access).expect("a token"), access_expiry);
        match refresh {
            Some(refresh) => set.with_refresh_token(RefreshToken::new(refresh).expect("a token"), Expiry::Unknown),
            None => set,
        }
    }

    /// The head of a success but for its length: signed, where the provider signs, over these bytes.
    pub(crate) async fn head(self, coding: Option<&str>, signed: &[u8]) -> String {
        let mut head = "HTTP/1.1 200 OK\r\nconnection: close\r\n".to_owned();
        if let Some(coding) = coding {
            head += &format!("content-encoding: {coding}\r\n");
        }
        if self == Self::PayBy {
            let signature = PROVIDER_KEY.sign(signed).await.expect("a signature").to_base64();
            head += &format!("sign: {}\r\n", signature.expose_secret());
        }
        head
    }

    /// A whole answer with this body.
    pub(crate) async fn answer(self, coding: Option<&str>, body: &[u8], signed: &[u8]) -> Vec<u8> {
        let head = format!("{}content-length: {}\r\n\r\n", self.head(coding, signed).await, body.len());
        [head.as_bytes(), body].concat()
    }

    pub(crate) fn provider(self, url: &str) -> Arc<dyn Refresh> {
        self.provider_through(url, HTTP.clone())
    }

    fn provider_through(self, url: &str, http: ReqwestClient) -> Arc<dyn Refresh> {
        match self {
            Self::AlixCard => Arc::new(rampauth_alix::CardClient::with_http_client(alix(url), http)),
            Self::AlixOnOffRamp => {
                let client = rampauth_alix::OnOffRampClient::with_http_client(alix(url), http);
                Arc::new(client.session(rampauth_alix::Email::new("jane@example.com").expect("an address")))
            }
            Self::TransakUser => {
                use rampauth_transak::{BaseUrl, Config, UserClient};
                let config = Config::new(BaseUrl::parse(url).expect("a base URL"));
                Arc::new(UserClient::with_http_client(config, http))
            }
            Self::PayBy => {
                use rampauth_payby::{BaseUrl, Client, Config, Environment, PartnerId, RsaSigningKey, Subject};
                let key = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("the provider's key");
                let config = Config::new(
                    Environment::at(BaseUrl::parse(url).expect("a base URL"), key),
                    PartnerId::new("200001200101").expect("a partner id"),
                    RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key"),
                );
                let config = config.with_subject(Subject::new("iPhone").expect("a subject"));
                Arc::new(Client::with_http_client(config, http))
            }
            Self::Onboard => {
                use rampauth_onboard::{BaseUrl, Client, Config};
                let config = Config::new(BaseUrl::parse(url).expect("a base URL"));
                Arc::new(Client::with_http_client(config, http))
            }
        }
    }
}

fn alix(url: &str) -> rampauth_alix::Config {
    use rampauth_alix::{BaseUrl, Config, PartnerCode, RsaSigningKey, SecretKey};
    Config::new(
        BaseUrl::parse(url).expect("a base URL"),
        PartnerCode::new("zencardtest").expect("a partner code"),
        SecretKey::new("a-secret-key").expect("a secret key"),
        RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key"),
    )
}

/// A refresh by hand against each of these servers, one session each, all at once.
pub(crate) async fn play(call: Call, scripts: Vec<Script>) -> Vec<End> {
    play_after(call, &[], scripts).await
}

/// The same after an answer that is lost: the token is sent once more, because a person asked.
pub(crate) async fn play_in_doubt(call: Call, scripts: Vec<Script>) -> Vec<End> {
    play_after(call, &[Script::CloseAfterRequest], scripts).await
}

async fn play_after(call: Call, before: &[Script], scripts: Vec<Script>) -> Vec<End> {
    LazyLock::force(&HTTP);
    let mut ends = Vec::new();
    for script in scripts {
        ends.push(tokio::spawn(refresh(call, [before, &[script]].concat())));
    }
    let mut all = Vec::new();
    for end in ends {
        all.push(end.await.expect("no panic"));
    }
    all
}

/// A refresh by hand for each of these answers; the end is that of the last.
async fn refresh(call: Call, scripts: Vec<Script>) -> End {
    let times = scripts.len();
    let server = ScriptedServer::start(Script::Then(scripts));
    let end = refresh_times(&server.url(), call, HTTP.clone(), times).await;
    assert_eq!(server.requests().len(), times, "sent once each");
    end
}

/// A refresh by hand at this URL.
pub(crate) async fn refresh_at(url: &str, call: Call, http: ReqwestClient) -> End {
    refresh_times(url, call, http, 1).await
}

/// As many refreshes by hand, of which all but the last get no answer.
async fn refresh_times(url: &str, call: Call, http: ReqwestClient, times: usize) -> End {
    let store = MemoryStore::new();
    let keeper = Keeper::builder(store.clone()).on_demand().spawn().expect("a keeper");
    let mut events = keeper.events();
    let key = SessionKey::parse("any/sandbox/account").expect("a key");
    let session = keeper.session(key.clone(), call.provider_through(url, http)).await.expect("a session");
    session.put(call.login()).await.expect("saved");
    for _ in 1..times {
        let lost = session.refresh().await.expect_err("lost");
        assert_eq!(lost.outcome(), Outcome::Unknown, "{lost}");
    }
    let started = Instant::now();
    let result = session.refresh().await;
    let took = started.elapsed();
    let record = store.load(&key).await.expect("a store in order").expect("a record");
    let tokens = session.tokens().expect("tokens");
    keeper.shutdown().await;
    let events: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| format!("{event:?}")).collect();
    End {
        result,
        took,
        tokens: (
            tokens.access_token.expect("an access token").expose_secret().to_owned(),
            tokens.refresh_token.map(|token| token.expose_secret().to_owned()),
        ),
        state: record.state,
        generation: record.generation,
        events: events.join("\n"),
    }
}
