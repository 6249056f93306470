//! The measurements.

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group};
use rampauth_bench::clients::{self, signed_by_provider, signers, verifiers};
use rampauth_bench::cpu::ThreadCpu;
use rampauth_bench::server::serve;
use rampauth_core::{ReqwestClient, Signer, Verifier};
use tokio::runtime::Runtime;

/// A request like ours, as somebody writes it who needs nothing else.
struct Bare {
    client: reqwest::Client,
    method: reqwest::Method,
    url: String,
    headers: reqwest::header::HeaderMap,
    body: Option<&'static str>,
}

/// A body of the length of ours; what it says does not matter to the server.
const BODY: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
);

/// With the same limits as ours: a call without any is not the same call.
fn bare_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(30)).connect_timeout(Duration::from_secs(10)).build().expect("a client")
}

impl Bare {
    fn new(url: &str, path: &str, headers: &[(&'static str, &str)], body: Option<&'static str>) -> Self {
        let method = if path.ends_with("/refresh") { reqwest::Method::GET } else { reqwest::Method::POST };
        let common =
            [("accept", "application/json"), ("user-agent", "bare/0.1.0"), ("content-type", "application/json")];
        let headers = common.iter().chain(headers);
        Self {
            client: bare_client(),
            method,
            url: format!("{url}{path}"),
            headers: headers
                .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")))
                .collect(),
            body,
        }
    }

    async fn send(&self) -> bytes::Bytes {
        let mut request = self.client.request(self.method.clone(), &self.url).headers(self.headers.clone());
        if let Some(body) = self.body {
            request = request.body(body);
        }
        request.send().await.expect("an answer").bytes().await.expect("a body")
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// One benchmark of ours and one of its parts, each on a runtime of this thread.
fn pair<A, B>(criterion: &mut Criterion<ThreadCpu>, name: &str, ours: impl Fn() -> A, parts: impl Fn() -> B)
where
    A: Future,
    B: Future,
{
    let runtime = runtime();
    let mut group = criterion.benchmark_group(format!("refresh/{name}"));
    group.bench_function("ours", |bencher| bencher.iter(|| runtime.block_on(ours())));
    group.bench_function("parts", |bencher| bencher.iter(|| runtime.block_on(parts())));
    group.finish();
}

fn refresh(criterion: &mut Criterion<ThreadCpu>) {
    let http = || ReqwestClient::new().expect("an HTTP client");
    let ((rsa, aws_lc), (rsa_public, aws_lc_public)) = (signers(), verifiers());

    let url = serve("", clients::CARD_ANSWER);
    let (client, credential) = clients::card(&url, http(), rsa.clone());
    let bare = Bare::new(&url, "/api/v2/auth/refresh-token", &[], Some(BODY));
    pair(
        criterion,
        "alix-card",
        async || client.refresh(&credential).await.expect("granted"),
        async || bare.send().await,
    );

    let signature = signed_by_provider(clients::SECRET_KEY);
    let url = serve("", &format!("{{{},\"signature\":\"{signature}\"}}", clients::ON_OFF_RAMP_TOKENS));
    let (client, credential) = clients::on_off_ramp(&url, http(), rsa.clone(), rsa_public.clone());
    let bare = Bare::new(&url, "/api/v2/user-order/refresh-token", &[], Some(BODY));
    let signature = STANDARD.decode(signature).expect("base64");
    pair(
        criterion,
        "alix-on-off-ramp",
        async || client.refresh(&credential).await.expect("granted"),
        async || {
            bare.send().await;
            assert!(rsa_public.verify(clients::SECRET_KEY.as_bytes(), &signature));
        },
    );

    let url = serve("", clients::TRANSAK_ANSWER);
    let (client, token) = clients::user(&url, http());
    let bare = Bare::new(&url, "/api/v2/auth/refresh", &[("authorization", clients::USER_TOKEN)], None);
    pair(criterion, "transak", async || client.refresh(&token).await.expect("granted"), async || bare.send().await);

    let url = serve("", clients::ONBOARD_ANSWER);
    let (client, credential) = clients::onboard(&url, http());
    let bare = Bare::new(&url, "/auth/oauth/refresh-token", &[("x-auth-token", clients::REFRESH_TOKEN)], None);
    pair(
        criterion,
        "onboard",
        async || client.refresh(&credential).await.expect("granted"),
        async || bare.send().await,
    );

    let signature = signed_by_provider(clients::PAYBY_ANSWER);
    let url = serve(&format!("sign: {signature}\r\n"), clients::PAYBY_ANSWER);
    let signature = STANDARD.decode(&signature).expect("base64");
    let long = STANDARD.encode([7; 256]);
    let bare = Bare::new(
        &url,
        "/sgs/api/oauth2/authz/refresh-token",
        &[("partner-id", "200001200101"), ("sign", &long)],
        Some(BODY),
    );
    let (client, credential) = clients::payby(&url, http(), rsa.clone(), rsa_public.clone());
    pair(
        criterion,
        "payby-rsa",
        async || client.refresh(&credential).await.expect("granted"),
        async || {
            rsa.sign(BODY.as_bytes()).await.expect("a signature");
            bare.send().await;
            assert!(rsa_public.verify(clients::PAYBY_ANSWER.as_bytes(), &signature));
        },
    );
    let (client, credential) = clients::payby(&url, http(), aws_lc.clone(), aws_lc_public.clone());
    pair(
        criterion,
        "payby-aws-lc",
        async || client.refresh(&credential).await.expect("granted"),
        async || {
            aws_lc.sign(BODY.as_bytes()).await.expect("a signature");
            bare.send().await;
            assert!(aws_lc_public.verify(clients::PAYBY_ANSWER.as_bytes(), &signature));
        },
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ThreadCpu);
    targets = refresh
}
