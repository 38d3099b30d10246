//! Plans of PromQL that one engine makes and another runs.

use grid_promql::points::Grid;

use super::bed::{Bed, NOW, samples, series};
use crate::promql::{PromqlError, PromqlRequest};
use crate::{Engine, QueryLimits};

fn request(bed: &Bed, query: &str) -> PromqlRequest {
    let (start, end) = ((NOW - 120) * 1000, NOW * 1000);
    let grid = Grid { start, end, step: 15_000 };
    PromqlRequest {
        tenant: bed.tenant.clone(),
        query: query.to_owned(),
        grid,
        lookback: None,
        timeout: None,
        client: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_of_one_instant_and_one_tenant() {
    let bed = Bed::new().await;
    let a = series(&[("__name__", "up"), ("job", "a")]);
    bed.write(samples(&a, &[(110, 1.0), (95, 2.0), (80, 3.0)])).await;
    bed.store.flush().await.unwrap();
    bed.write(samples(&a, &[(65, 4.0), (50, 5.0)])).await;
    let worker = Engine::new(bed.store.clone(), QueryLimits { threads: 1, ..QueryLimits::default() }).unwrap();
    let query = "sum_over_time(up[1m]) + on (job) up";
    let here = bed.engine.promql(request(&bed, query)).await.unwrap().answer;
    let plan = bed.engine.promql_plan(request(&bed, query)).await.unwrap();

    // What is written, flushed and merged later is not in it; its files stay as long as it does.
    bed.write(samples(&a, &[(50, 50.0), (20, 6.0)])).await;
    bed.store.flush().await.unwrap();
    bed.store.compact().await.unwrap();
    assert_ne!(format!("{here:?}"), format!("{:?}", bed.engine.promql(request(&bed, query)).await.unwrap().answer));
    let there = worker.promql_run(bed.tenant.clone(), plan.bytes.clone()).await.unwrap();
    assert_eq!(format!("{here:?}"), format!("{:?}", there.answer));
    assert!(there.samples_read > 0);

    let other = grid_model::TenantId::parse("other").unwrap();
    let refused = worker.promql_run(other, plan.bytes.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("another tenant"), "{refused}");
    for cut in [0, 1, plan.bytes.len() / 2, plan.bytes.len() - 1] {
        let refused = worker.promql_run(bed.tenant.clone(), plan.bytes[..cut].to_vec()).await;
        assert!(matches!(refused, Err(PromqlError::Engine(_))), "{cut} of {}: {refused:?}", plan.bytes.len());
    }
}
