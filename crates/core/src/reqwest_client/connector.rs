//! Takes the connections that reqwest makes (name resolution, proxy, TLS, time limit) before it speaks HTTP on them.
//!
//! reqwest drives a connection on a task of its own, where nothing bounds what a server sends: hyper reads interim answers
//! (1xx) in a loop, and one call without an end holds a whole runtime. [`exchange`](super::exchange) drives it itself.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::{Read, Write};
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A connection, its TLS included.
pub(super) trait Stream: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Stream for T {}

/// The connection in the error of a call that ended because of it; `None` when there is none, and the error is one.
pub(super) fn connection(error: &reqwest::Error) -> Option<Box<dyn Stream>> {
    let causes =
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |cause| <dyn StdError>::source(*cause));
    let connected = causes.filter_map(|cause| cause.downcast_ref::<Connected>()).next()?;
    connected.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Makes each connection of a client end the call that it was made for, with a [`Connected`] as the error: the way on
/// which reqwest hands out what it made.
#[derive(Clone)]
pub(super) struct HandOver;

#[derive(Clone)]
pub(super) struct HandingOver<S>(S);

struct Connected(Mutex<Option<Box<dyn Stream>>>);

impl<S> Layer<S> for HandOver {
    type Service = HandingOver<S>;

    fn layer(&self, service: S) -> HandingOver<S> {
        HandingOver(service)
    }
}

impl<S, Destination> Service<Destination> for HandingOver<S>
where
    S: Service<Destination, Error = BoxError>,
    S::Response: Stream + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, destination: Destination) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async move { Err(Connected(Mutex::new(Some(Box::new(connecting.await?)))).into()) })
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connected")
    }
}

impl fmt::Display for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connected")
    }
}

impl StdError for Connected {}
