//! The clients of one account and region, and the one way in which calls are made: as fast as they may be, once each. Nothing is tried again here;
//! that is the runner's.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use grid_act::executor::Time;
use grid_act::retry::Rate;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::limits::{CALLS_AT_ONCE, CONNECT_NS, PAGES_MAX};
use crate::settings::{Credentials, Settings};

/// What Grid does in one account and region of AWS.
pub struct Aws {
    pub(crate) settings: Settings,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) efs: aws_sdk_efs::Client,
    pub(crate) eks: aws_sdk_eks::Client,
    pub(crate) elasticache: aws_sdk_elasticache::Client,
    pub(crate) kafka: aws_sdk_kafka::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) tagging: aws_sdk_resourcegroupstagging::Client,
    time: Arc<dyn Time>,
    rate: Mutex<Rate>,
    slots: Semaphore,
}

impl Aws {
    /// Clients by settings. Nothing is called yet, so nothing can be wrong yet.
    pub async fn new(settings: Settings, time: Arc<dyn Time>) -> Self {
        let config = config(&settings).await;
        let rate = Mutex::new(Rate::new(settings.calls_per_second, settings.burst));
        Self {
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            ecs: aws_sdk_ecs::Client::new(&config),
            efs: aws_sdk_efs::Client::new(&config),
            eks: aws_sdk_eks::Client::new(&config),
            elasticache: aws_sdk_elasticache::Client::new(&config),
            kafka: aws_sdk_kafka::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(&config),
            settings,
            time,
            rate,
            slots: Semaphore::new(CALLS_AT_ONCE),
        }
    }

    /// Makes one call when its turn has come. `name` is the operation's, for what is said if it fails.
    pub(crate) fn call<'a, T, E, F>(
        &'a self,
        name: &'a str,
        call: F,
    ) -> impl Future<Output = Result<T, Failure>> + Send + use<'a, T, E, F>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
        E: ProvideErrorMetadata + Error + Send + 'static,
        T: Send + 'a,
    {
        // The SDK's futures are large: boxed here, no future of ours holds one.
        let call = Box::pin(call);
        async move {
            let _slot = self.slots.acquire().await.map_err(|_| Failure::refused("", "the executor is closed"))?;
            let wait = self.rate.lock().take(self.time.now());
            if wait > 0 {
                self.time.wait(wait).await;
            }
            call.await.map_err(|error| Failure::of(name, &error))
        }
    }
}

/// Counts pages, so that a listing ends.
pub(crate) struct Pages {
    call: &'static str,
    seen: usize,
    next: Option<String>,
}

impl Pages {
    /// Of one listing.
    pub(crate) fn of(call: &'static str) -> Self {
        Self { call, seen: 0, next: None }
    }

    /// Where the next page begins; nothing for the first.
    pub(crate) fn at(&self) -> Option<String> {
        self.next.clone()
    }

    /// Whether there is another page after the one that was read.
    pub(crate) fn turn(&mut self, next: Option<&str>) -> Result<bool, Failure> {
        self.seen += 1;
        self.next = next.filter(|n| !n.is_empty()).map(str::to_owned);
        match self.next {
            Some(_) if self.seen >= PAGES_MAX => {
                Err(Failure::refused("", format!("{} has more than {PAGES_MAX} pages", self.call)))
            }
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }
}

async fn config(settings: &Settings) -> SdkConfig {
    let ns = |ns: i64| Duration::from_nanos(u64::try_from(ns).unwrap_or(0).max(1));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(ns(CONNECT_NS.min(settings.timeout_ns)))
        .operation_timeout(ns(settings.timeout_ns))
        .build();
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(settings.region.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Credentials::Keys { id, secret } = &settings.credentials {
        let keys = aws_credential_types::Credentials::from_keys(id, secret, None);
        loader = loader.credentials_provider(keys);
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_listing_ends() {
        let mut pages = Pages::of("DescribeThings");
        for _ in 1..PAGES_MAX {
            assert!(pages.turn(Some("more")).unwrap());
        }
        assert!(pages.turn(Some("more")).is_err());
        assert!(!Pages::of("X").turn(None).unwrap() && !Pages::of("X").turn(Some("")).unwrap());
    }
}
