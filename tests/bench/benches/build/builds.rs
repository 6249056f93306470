//! The measurements.

use std::future::Future;

use criterion::{Criterion, criterion_group};
use rampauth_bench::clients::{Nowhere, card, on_off_ramp, onboard, payby, signers, user, verifiers};
use rampauth_bench::cpu::ThreadCpu;
use rampauth_core::Signer;

const URL: &str = "https://api.example.com";
/// As long as the body of a PayBy refresh: the bare signature hashes as much.
const MESSAGE: [u8; 320] = [b'x'; 320];

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn build(criterion: &mut Criterion<ThreadCpu>) {
    let (rsa, aws_lc) = signers();
    let (verifier, _) = verifiers();
    let mut group = criterion.benchmark_group("build");

    let (client, token) = user(URL, Nowhere);
    group.bench_function("transak", |bencher| bencher.iter(|| poll(client.refresh(&token))));
    let (client, credential) = onboard(URL, Nowhere);
    group.bench_function("onboard", |bencher| bencher.iter(|| poll(client.refresh(&credential))));
    let (client, credential) = card(URL, Nowhere, rsa.clone());
    run(client.refresh(&credential)).expect_err("nothing is sent");
    group.bench_function("alix-card", |bencher| bencher.iter(|| poll(client.refresh(&credential))));
    let (client, credential) = on_off_ramp(URL, Nowhere, rsa.clone(), verifier.clone());
    run(client.refresh(&credential)).expect_err("nothing is sent");
    group.bench_function("alix-on-off-ramp", |bencher| bencher.iter(|| poll(client.refresh(&credential))));

    let (client, credential) = payby(URL, Nowhere, rsa.clone(), verifier.clone());
    group.bench_function("payby-rsa", |bencher| bencher.iter(|| poll(client.refresh(&credential))));
    group.bench_function("payby-rsa-bare-signature", |bencher| bencher.iter(|| poll(rsa.sign(&MESSAGE))));
    let (client, credential) = payby(URL, Nowhere, aws_lc.clone(), verifier);
    group.bench_function("payby-aws-lc", |bencher| bencher.iter(|| poll(client.refresh(&credential))));
    group.bench_function("payby-aws-lc-bare-signature", |bencher| bencher.iter(|| poll(aws_lc.sign(&MESSAGE))));
    group.finish();
}

/// Nothing here waits, so one poll is the whole of it and no runtime is measured.
fn poll<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("no call here waits for anything"),
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ThreadCpu);
    targets = build
}
