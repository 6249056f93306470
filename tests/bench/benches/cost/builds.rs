//! Building a request, PayBy's beside the bare signature that is in it.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rampauth_bench::clients::{Nowhere, card, on_off_ramp, onboard, payby, signers, user, verifiers};
use rampauth_bench::table::Table;
use rampauth_core::Signer;

const URL: &str = "https://api.example.com";
/// As long as the body of a PayBy refresh: the bare signature hashes as much.
const MESSAGE: [u8; 320] = [b'x'; 320];
/// Of one signature.
const RATIO: f64 = 1.05;
/// Microseconds.
const TIME: f64 = 10.0;

pub(crate) fn measure(table: &mut Table) {
    let (rsa, aws_lc) = signers();
    let (verifier, _) = verifiers();

    let (client, credential) = payby(URL, Nowhere, rsa.clone(), verifier.clone());
    let refresh = &mut || poll(client.refresh(&credential));
    table.compare("build/payby-rsa", RATIO, refresh, &mut || poll(rsa.sign(&MESSAGE)));
    let (client, credential) = payby(URL, Nowhere, aws_lc.clone(), verifier.clone());
    let refresh = &mut || poll(client.refresh(&credential));
    table.compare("build/payby-aws-lc", RATIO, refresh, &mut || poll(aws_lc.sign(&MESSAGE)));

    let (client, token) = user(URL, Nowhere);
    table.limit("build/transak", TIME, &mut || poll(client.refresh(&token)));
    let (client, credential) = onboard(URL, Nowhere);
    table.limit("build/onboard", TIME, &mut || poll(client.refresh(&credential)));
    // The signature is made in the turn that warms up, and kept.
    let (client, credential) = card(URL, Nowhere, rsa.clone());
    table.limit("build/alix-card", TIME, &mut || poll(client.refresh(&credential)));
    let (client, credential) = on_off_ramp(URL, Nowhere, rsa, verifier);
    table.limit("build/alix-on-off-ramp", TIME, &mut || poll(client.refresh(&credential)));
}

/// Nothing here waits, so one poll is the whole of it and no runtime is measured.
fn poll<T>(future: impl Future<Output = T>) {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => drop(black_box(value)),
        Poll::Pending => unreachable!("no call here waits for anything"),
    }
}
