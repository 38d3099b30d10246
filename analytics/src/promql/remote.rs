//! A query planned by one engine and run by another: what goes between them is bytes.

use std::sync::Arc;

use grid_model::{Scope, TenantId};
use tokio::time::Instant;

use super::exec::{self, Asked, Place, Planned, Query};
use super::node::PromqlExec;
use super::{PromqlAnswer, PromqlError, PromqlRequest, codec};
use crate::engine::{Engine, Shared};
use crate::error::QueryError;
use crate::registry::QueryHandle;
use crate::table::Source;

/// A plan to be run elsewhere. The files that it names stay on disk until it is dropped: keep it until there is an answer.
#[derive(Debug)]
pub struct PromqlPlan {
    /// DataFusion's protobuf of the plan.
    pub bytes: Vec<u8>,
    /// The catalog's generation that it is of.
    pub generation: u64,
    _files: Arc<Source>,
}

impl Engine {
    /// Plans an expression for another engine of the same files.
    pub async fn promql_plan(&self, request: PromqlRequest) -> Result<PromqlPlan, PromqlError> {
        let expr = exec::parse(&self.shared, &request)?;
        let asked = Asked::of(&request);
        let work = move |shared: Arc<Shared>, _: Arc<QueryHandle>, deadline| async move {
            let source = shared.source(&Scope::all(request.tenant.clone()));
            let query = Query::of(&shared, &request, expr);
            let planned = Planned::new(&source, shared.sessions.planning(), query).await?;
            let generation = planned.origin.generation;
            let bytes = codec::encode(Arc::new(PromqlExec::new(planned, deadline))).map_err(exec::failed)?;
            Ok(PromqlPlan { bytes, generation, _files: source })
        };
        exec::in_turn(Arc::clone(&self.shared), asked, Place::QueryThreads, work).await.map(|done| done.0)
    }

    /// Runs a plan of a tenant, made by an engine of the same files. A plan names files: take one only from an own engine, never from a client.
    pub async fn promql_run(&self, tenant: TenantId, plan: Vec<u8>) -> Result<PromqlAnswer, PromqlError> {
        let asked = Asked { tenant: tenant.clone(), client: None, text: "a plan of PromQL".to_owned(), timeout: None };
        let started = Instant::now();
        let work = move |shared: Arc<Shared>, handle: Arc<QueryHandle>, deadline: Instant| async move {
            let context = shared.sessions.task().map_err(exec::failed)?;
            let node = codec::decode(&plan, &context).map_err(exec::failed)?;
            let wrong = |what: &str| PromqlError::Engine(QueryError::Internal(format!("a plan that is {what}")));
            let node = node.downcast_ref::<PromqlExec>().ok_or_else(|| wrong("no plan of PromQL"))?;
            if node.planned().origin.tenant != tenant {
                return Err(wrong("another tenant's"));
            }
            let answer = node.planned().evaluate(&context, &handle.token(), deadline.min(node.deadline())).await?;
            handle.add_rows(usize::try_from(answer.samples_read).unwrap_or(usize::MAX));
            Ok(answer)
        };
        let (mut answer, query_id) = exec::in_turn(Arc::clone(&self.shared), asked, Place::QueryThreads, work).await?;
        answer.elapsed = started.elapsed();
        answer.query_id = query_id;
        Ok(answer)
    }
}
