//! What it costs to read a token that is cached and fresh: from a rampauth session, and from the best-known token caches in Rust.

mod holder;
mod issuer;
mod measure;
mod peers;
mod report;

use std::error::Error;
use std::process::ExitCode;

use measure::Candidate;
use peers::{aws_identity, azure_identity, gcp_auth, google_cloud_auth, rampauth_keeper, yup_oauth2};

/// Names that lead a request for loopback elsewhere: one of the peers has an HTTP client that obeys them.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed to measure: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every peer is slower by the factor that is asked for.
fn run() -> Result<bool, Box<dyn Error>> {
    if let Some(name) = PROXIES.into_iter().find(|name| is_set(name)) {
        return Err(format!("{name} is set, and nothing but loopback is to be contacted: run it without").into());
    }
    let most = measure::TASKS.into_iter().max().unwrap_or_default();
    if std::thread::available_parallelism()?.get() < most {
        return Err(format!("{most} tasks that read at once need as many processors").into());
    }
    // google-cloud-auth takes the process's TLS implementation, even where it speaks to loopback without TLS.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "TLS was set up already")?;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(most).enable_all().build()?;
    let candidates = runtime.block_on(candidates())?;
    let rows = runtime.block_on(measure::all(&candidates))?;
    println!("{}", report::table(&rows));
    let close = report::too_close(&rows);
    for line in &close {
        eprintln!("{line}");
    }
    Ok(close.is_empty())
}

/// Ours first: the others are compared with it.
async fn candidates() -> Result<Vec<Candidate>, Box<dyn Error>> {
    Ok(vec![
        Candidate::new("rampauth-keeper", rampauth_keeper::hold).await?,
        Candidate::new("google-cloud-auth", google_cloud_auth::hold).await?,
        Candidate::new("yup-oauth2", yup_oauth2::hold).await?,
        Candidate::new("azure_identity", azure_identity::hold).await?,
        Candidate::new("gcp_auth", gcp_auth::hold).await?,
        Candidate::new("aws-smithy-runtime", aws_identity::hold).await?,
    ])
}

#[expect(clippy::disallowed_methods, reason = "a program: what its environment says concerns the whole run")]
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
