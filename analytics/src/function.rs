//! Functions that Grid's SQL has beyond DataFusion's, and those it replaces because money must be exact.

pub(crate) mod duration;
pub(crate) mod time_bucket;
pub(crate) mod text_match;
pub(crate) mod attr;
pub(crate) mod to_json;
pub(crate) mod is_stale;
pub(crate) mod restore_value;
pub(crate) mod at_times;
pub(crate) mod counter;
pub(crate) mod quantile;
pub(crate) mod decimal;
pub(crate) mod exact_sum;
pub(crate) mod bounded;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// All scalar functions of this crate.
pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    let mut all = vec![
        time_bucket::TimeBucket::default().into(),
        text_match::Match::default().into(),
        attr::Attr::default().into(),
        to_json::ToJson::default().into(),
        quantile::HistogramQuantile::default().into(),
        decimal::DecimalOp::multiply().into(),
        decimal::DecimalOp::divide().into(),
    ];
    let mut all: Vec<Arc<ScalarUDF>> = all.drain(..).map(Arc::new).collect();
    all.push(is_stale::is_stale_udf());
    all
}

/// All aggregates of this crate; `sum` takes the place of DataFusion's.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        Arc::new(AggregateUDF::from(counter::Counter::increase())),
        Arc::new(AggregateUDF::from(counter::Counter::rate())),
        Arc::new(AggregateUDF::from(exact_sum::ExactSum::default())),
    ]
}
