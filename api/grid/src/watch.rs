//! The jobs of insight, with the report on commitments that the API's room makes: the two rooms do not know each other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use grid_analytics::Engine;
use grid_api::commitments::{Request, recommend};
use grid_insight::{Commitments, Insight};
use grid_model::{TenantId, Timestamp};
use grid_store::Store;
use serde_json::Value;

/// The jobs over an engine and its store.
pub(crate) fn insight(engine: &Arc<Engine>, store: &Store) -> Insight {
    Insight::new(Arc::clone(engine), store.clone()).with_commitments(Arc::new(Report(Arc::clone(engine))))
}

struct Report(Arc<Engine>);

impl Commitments for Report {
    fn recommend<'a>(
        &'a self,
        tenant: &'a TenantId,
        until: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>> {
        Box::pin(async move { recommend(&self.0, tenant, until, &Request::default()).await.map_err(|e| e.to_string()) })
    }
}
