//! Tables that somebody else keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use grid_model::lent::{Batch, audit};
use grid_model::{Lent, TenantId, Timestamp};

use super::bed::Bed;
use crate::Lender;

/// Keeps one row of `audit` for each tenant, and counts how often it is asked; of the other tables it knows nothing.
#[derive(Default)]
struct Shelf(AtomicUsize);

#[async_trait]
impl Lender for Shelf {
    async fn rows(&self, tenant: &TenantId, table: Lent) -> Result<Batch, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if table != Lent::Audit {
            return Err("the shelf is empty".to_owned());
        }
        let row = audit::AuditRow {
            audit_id: 7,
            time: Timestamp(1_000_000_000),
            actor: tenant.as_str().to_owned(),
            action: "release.submit".to_owned(),
            ..audit::AuditRow::default()
        };
        Ok(audit::batch(&[row]))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_is_read_once_by_its_tenant() {
    let bed = Bed::new().await;
    assert_eq!(bed.csv("SELECT count(*) AS n FROM audit").await, "n\n0\n", "nobody lends");
    let shelf = Arc::new(Shelf::default());
    bed.engine.borrow_from(shelf.clone());
    let check = async |sql: &str, expected: &str, asked: usize| {
        shelf.0.store(0, Ordering::Relaxed);
        let answer = bed.csv(sql).await;
        assert!(answer.contains(expected), "{sql}: {answer}");
        assert_eq!(shelf.0.load(Ordering::Relaxed), asked, "{sql}");
    };
    check("SELECT audit_id, time, actor FROM audit", "7,1970-01-01T00:00:01Z,default", 1).await;
    check("SELECT a.action FROM audit AS a JOIN audit AS b ON a.audit_id = b.audit_id", "release.submit", 1).await;
    check("SELECT actor FROM audit WHERE actor = 'other'", "actor\n", 1).await;
    check("SELECT * FROM plans", "read the table plans: the shelf is empty", 1).await;
    check("DESCRIBE savings", "realised_saving,\"Decimal128(38, 18)\",YES", 0).await;
    check("SELECT 1 AS n", "1", 0).await;
}
