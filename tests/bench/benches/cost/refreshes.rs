//! A whole refresh beside its parts: the same request with bare reqwest, and one bare signature or verification where the
//! refresh makes one.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_bench::bare::{Bare, Recorder};
use rampauth_bench::clients::{self, signed_by_provider, signers, verifiers};
use rampauth_bench::server::serve;
use rampauth_bench::table::Table;
use rampauth_core::{ReqwestClient, Signer, Verifier};
use tokio::runtime::Runtime;

use crate::json::{AlixBody, AlixTokens, Enveloped, OnboardTokens, TransakToken, read};

const RATIO: f64 = 1.15;

pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    alix(table, &runtime);
    transak(table, &runtime);
    onboard(table, &runtime);
    let ((rsa, aws_lc), (rsa_public, aws_lc_public)) = (signers(), verifiers());
    payby(table, &runtime, "refresh/payby-rsa", &rsa, &rsa_public);
    payby(table, &runtime, "refresh/payby-aws-lc", &aws_lc, &aws_lc_public);
}

fn http() -> ReqwestClient {
    ReqwestClient::new().expect("an HTTP client")
}

/// Runs the future to its end, on this thread.
fn run(runtime: &Runtime, future: impl Future) {
    drop(black_box(runtime.block_on(future)));
}

fn alix(table: &mut Table, runtime: &Runtime) {
    let ((rsa, _), (public, _)) = (signers(), verifiers());

    let url = serve("", clients::CARD_ANSWER);
    let recorder = Recorder::default();
    let (client, credential) = clients::card(&url, recorder.clone(), rsa.clone());
    runtime.block_on(client.refresh(&credential)).expect_err("nothing is sent");
    let bare = Bare::of(&recorder);
    let body: AlixBody = read(bare.body());
    let (client, credential) = clients::card(&url, http(), rsa.clone());
    table.compare_with_json(
        "refresh/alix-card",
        RATIO,
        &mut || run(runtime, async { client.refresh(&credential).await.expect("granted") }),
        &mut || run(runtime, bare.send()),
        &mut || run(runtime, async { read::<Enveloped<AlixTokens>>(&bare.send_body(body.write()).await) }),
    );

    let signature = signed_by_provider(clients::SECRET_KEY);
    let url = serve("", &format!("{{{},\"signature\":\"{signature}\"}}", clients::ON_OFF_RAMP_TOKENS));
    let recorder = Recorder::default();
    let (client, credential) = clients::on_off_ramp(&url, recorder.clone(), rsa.clone(), public.clone());
    runtime.block_on(client.refresh(&credential)).expect_err("nothing is sent");
    let bare = Bare::of(&recorder);
    let body: AlixBody = read(bare.body());
    let (client, credential) = clients::on_off_ramp(&url, http(), rsa, public.clone());
    let signature = STANDARD.decode(signature).expect("base64");
    let verify = || assert!(public.verify(clients::SECRET_KEY.as_bytes(), &signature));
    table.compare_with_json(
        "refresh/alix-on-off-ramp",
        RATIO,
        &mut || run(runtime, async { client.refresh(&credential).await.expect("granted") }),
        &mut || {
            run(runtime, bare.send());
            verify();
        },
        &mut || {
            run(runtime, async { read::<AlixTokens>(&bare.send_body(body.write()).await) });
            verify();
        },
    );
}

fn transak(table: &mut Table, runtime: &Runtime) {
    let url = serve("", clients::TRANSAK_ANSWER);
    let recorder = Recorder::default();
    let (client, token) = clients::user(&url, recorder.clone());
    runtime.block_on(client.refresh(&token)).expect_err("nothing is sent");
    let bare = Bare::of(&recorder);
    let (client, token) = clients::user(&url, http());
    table.compare_with_json(
        "refresh/transak",
        RATIO,
        &mut || run(runtime, async { client.refresh(&token).await.expect("granted") }),
        &mut || run(runtime, bare.send()),
        &mut || run(runtime, async { read::<Enveloped<TransakToken>>(&bare.send().await) }),
    );
}

fn onboard(table: &mut Table, runtime: &Runtime) {
    let url = serve("", clients::ONBOARD_ANSWER);
    let recorder = Recorder::default();
    let (client, credential) = clients::onboard(&url, recorder.clone());
    runtime.block_on(client.refresh(&credential)).expect_err("nothing is sent");
    let bare = Bare::of(&recorder);
    let (client, credential) = clients::onboard(&url, http());
    table.compare_with_json(
        "refresh/onboard",
        RATIO,
        &mut || run(runtime, async { client.refresh(&credential).await.expect("granted") }),
        &mut || run(runtime, bare.send()),
        &mut || run(runtime, async { read::<OnboardTokens>(&bare.send().await) }),
    );
}

fn payby<S, V>(table: &mut Table, runtime: &Runtime, name: &str, key: &S, public: &V)
where
    S: Signer + Clone + 'static,
    V: Verifier + Clone + 'static,
{
    let signature = signed_by_provider(clients::PAYBY_ANSWER);
    let url = serve(&format!("sign: {signature}\r\n"), clients::PAYBY_ANSWER);
    let recorder = Recorder::default();
    let (client, credential) = clients::payby(&url, recorder.clone(), key.clone(), public.clone());
    runtime.block_on(client.refresh(&credential)).expect_err("nothing is sent");
    let bare = Bare::of(&recorder);
    let (client, credential) = clients::payby(&url, http(), key.clone(), public.clone());
    let signature = STANDARD.decode(&signature).expect("base64");
    table.compare(
        name,
        RATIO,
        &mut || run(runtime, async { client.refresh(&credential).await.expect("granted") }),
        &mut || {
            run(runtime, async {
                key.sign(bare.body()).await.expect("a signature");
                bare.send().await
            });
            assert!(public.verify(clients::PAYBY_ANSWER.as_bytes(), &signature));
        },
    );
}
