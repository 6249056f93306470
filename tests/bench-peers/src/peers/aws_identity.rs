//! aws-smithy-runtime: the identity cache that every client of the AWS SDK reads before it signs, over a source that answers by
//! itself.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::identity::http::Token;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;

use crate::holder::Holder;
use crate::issuer::{Issuer, LIFETIME_SECONDS};

struct Source(Issuer);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl ResolveIdentity for Source {
    #[expect(clippy::disallowed_methods, reason = "the issuer's own clock")]
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        let expiry = Some(SystemTime::now() + Duration::from_secs(LIFETIME_SECONDS));
        IdentityFuture::ready(Ok(Identity::new(Token::new(self.0.issue(), expiry), expiry)))
    }
}

struct Client {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: RuntimeComponents,
    config: ConfigBag,
}

impl Holder for Client {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        let identity = self.cache.resolve_cached_identity(self.resolver.clone(), &self.components, &self.config);
        show(identity.await.expect("a fresh identity").data::<Token>().expect("a token").token());
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    // Of what a client is made of, the cache uses the clock and the sleep.
    let components = RuntimeComponentsBuilder::for_tests()
        .with_time_source(Some(SystemTimeSource::new()))
        .with_sleep_impl(Some(TokioSleep::new()))
        .build()?;
    let resolver = SharedIdentityResolver::new(Source(issuer));
    Ok(Client { cache: IdentityCache::lazy().build(), resolver, components, config: ConfigBag::base() })
}
