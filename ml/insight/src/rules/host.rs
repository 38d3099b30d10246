//! What a group is evaluated in: the engine answers, a writer of the composition root writes. Evaluation is synchronous, on a thread that may
//! wait, so that the pure half of rules needs no async.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grid_analytics::promql::PromqlRequest;
use grid_analytics::{Engine, SqlRequest};
use grid_model::TenantId;
use grid_promql::points::{Grid, Point};
use grid_promql::query::Value;
use grid_promql_syntax::quote;
use grid_rules::host::{LastSample, NewSample};
use grid_rules::{Host, Sample, SampleValue};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::limits::SQL_ROWS_MAX;
use super::rows;

/// Who asks, in the list of queries.
const CLIENT: &str = "rules";

/// Writes samples as if they had come in: durable and visible before it answers.
pub trait SampleWriter: Send + Sync {
    /// Writes samples of a tenant; an error is a sentence.
    fn write<'a>(
        &'a self,
        tenant: &'a TenantId,
        samples: Vec<NewSample>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// One evaluation's view of the server.
pub(super) struct StoreHost {
    pub(super) tenant: TenantId,
    pub(super) engine: Arc<Engine>,
    pub(super) writer: Arc<dyn SampleWriter>,
    pub(super) runtime: Handle,
    /// When the evaluation must be done.
    pub(super) deadline: Instant,
    /// Ends it before.
    pub(super) token: CancellationToken,
    pub(super) begin: Instant,
}

impl StoreHost {
    fn left(&self) -> Result<Duration, String> {
        if self.token.is_cancelled() {
            return Err("the server is stopping".to_owned());
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err("the group took longer than it may".to_owned()) } else { Ok(left) }
    }

    /// Waits for work, unless the server stops.
    fn wait<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let stopped = Err("the server is stopping".to_owned());
        self.runtime.block_on(self.token.run_until_cancelled(work)).unwrap_or(stopped)
    }

    fn rows(&self, query: String) -> Result<Vec<arrow::array::RecordBatch>, String> {
        let mut request = SqlRequest::new(self.tenant.clone(), query);
        request.timeout = Some(self.left()?);
        request.max_rows = Some(SQL_ROWS_MAX);
        request.client = Some(CLIENT.to_owned());
        self.wait(async {
            let answer = self.engine.sql(request).await.map_err(|e| e.to_string())?;
            answer.collect().await.map_err(|e| e.to_string())
        })
    }
}

impl Host for StoreHost {
    fn promql(&mut self, query: &str, at: i64) -> Result<Vec<Sample>, String> {
        let request = PromqlRequest {
            tenant: self.tenant.clone(),
            query: query.to_owned(),
            grid: Grid::instant(at),
            lookback: None,
            timeout: Some(self.left()?),
            client: Some(CLIENT.to_owned()),
        };
        let answer = self.wait(async { self.engine.promql(request).await.map_err(|e| e.to_string()) })?;
        match answer.answer.value {
            Value::Scalar(values) => {
                let value = SampleValue::Float(values.first().copied().unwrap_or(f64::NAN));
                Ok(vec![Sample { labels: grid_promql::Labels::default(), value }])
            }
            Value::Series(series) => Ok(series
                .into_iter()
                .filter_map(|s| {
                    let value = match s.points.get(0)? {
                        Point::Float(v) => SampleValue::Float(v),
                        Point::Histogram(h) => SampleValue::Histogram(Arc::clone(h)),
                    };
                    Some(Sample { labels: s.labels, value })
                })
                .collect()),
            Value::Text(_) | Value::Ranges(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }

    fn sql(&mut self, query: &str, _at: i64) -> Result<Vec<Sample>, String> {
        rows::samples(&self.rows(query.to_owned())?)
    }

    fn append(&mut self, samples: Vec<NewSample>) -> Result<(), String> {
        self.wait(self.writer.write(&self.tenant, samples))
    }

    fn last_samples(&mut self, metric: &str, alert: &str, from: i64, until: i64) -> Result<Vec<LastSample>, String> {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let query = format!(
            "SELECT s.labels AS labels, x.time AS time, x.value AS value, x.is_stale AS is_stale \
             FROM samples x JOIN series s ON x.series_id = s.series_id \
             WHERE s.metric = {} AND s.labels['alertname'] = {} \
             AND x.time BETWEEN to_timestamp_millis({from}) AND to_timestamp_millis({until}) ORDER BY x.time",
            text(metric),
            text(alert)
        );
        let found = self.rows(query).map_err(|e| format!("read the former states of {}: {e}", quote(alert)))?;
        rows::last_samples(&found)
    }

    fn stopwatch(&self) -> i64 {
        i64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }
}
