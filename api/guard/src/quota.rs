//! How much per tenant: rows and bytes per second, as token buckets over a bounded number of tenants.

use std::collections::HashMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use grid_model::TenantId;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::problem::Problem;

/// How many tenants have a bucket of their own; when all are busy, further ones share one.
pub const TENANTS_TRACKED_MAX: usize = 10_000;

/// A tenant's allowance; `None` = unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quota {
    /// Rows per second.
    pub rows_per_s: Option<f64>,
    /// Inflated bytes per second.
    pub bytes_per_s: Option<f64>,
    /// For how many seconds of allowance a quiet tenant may burst; 0 means 10.
    pub burst_s: f64,
}

/// The tenant sends more than its quota.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("tenant {tenant} is over its quota of {per_s} {what} per second")]
pub struct QuotaError {
    /// Whose quota.
    pub tenant: TenantId,
    /// `rows` or `bytes`.
    pub what: &'static str,
    /// The quota.
    pub per_s: f64,
    /// When the bucket has recovered.
    pub retry_after: Duration,
}

impl QuotaError {
    /// The refusal as the client sees it.
    pub fn problem(&self) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "GRID-0110", "tenant over its quota", self.to_string())
            .hint("send less or later, or raise `guard.quota_rows_per_second` and `guard.quota_bytes_per_second`")
            .retry_after(self.retry_after)
    }
}

impl IntoResponse for QuotaError {
    fn into_response(self) -> Response {
        self.problem().into_response()
    }
}

/// What is left, at which instant. A request is let in while anything is left and may take the level below zero, so that a
/// request larger than the burst is slow instead of impossible.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    rows: f64,
    bytes: f64,
    at: Instant,
}

impl Bucket {
    fn full(quota: &Quota, now: Instant) -> Self {
        let burst = quota.burst();
        Self { rows: quota.rows_per_s.unwrap_or(0.0) * burst, bytes: quota.bytes_per_s.unwrap_or(0.0) * burst, at: now }
    }

    fn refill(&mut self, quota: &Quota, now: Instant) {
        let (s, burst) = (now.duration_since(self.at).as_secs_f64(), quota.burst());
        let fill = |level: f64, per_s: Option<f64>| per_s.map_or(0.0, |r| (level + r * s).min(r * burst));
        (self.rows, self.bytes, self.at) =
            (fill(self.rows, quota.rows_per_s), fill(self.bytes, quota.bytes_per_s), now);
    }

    fn is_full(&self, quota: &Quota) -> bool {
        let burst = quota.burst();
        self.rows >= quota.rows_per_s.unwrap_or(0.0) * burst && self.bytes >= quota.bytes_per_s.unwrap_or(0.0) * burst
    }
}

impl Quota {
    fn burst(&self) -> f64 {
        if self.burst_s > 0.0 { self.burst_s } else { 10.0 }
    }

    fn is_unlimited(&self) -> bool {
        self.rows_per_s.is_none() && self.bytes_per_s.is_none()
    }
}

/// The buckets of all tenants.
#[derive(Debug)]
pub struct Quotas {
    default: Quota,
    own: HashMap<TenantId, Quota>,
    tracked_max: usize,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    by_tenant: HashMap<TenantId, Bucket>,
    /// Shared by tenants that found no room.
    overflow: Option<Bucket>,
}

impl Quotas {
    /// A default for every tenant and the exceptions.
    pub fn new(default: Quota, own: HashMap<TenantId, Quota>) -> Self {
        Self { default, own, tracked_max: TENANTS_TRACKED_MAX, buckets: Mutex::default() }
    }

    /// Takes `rows` and `bytes` from a tenant's bucket or says when to come back.
    pub fn check(&self, tenant: &TenantId, rows: usize, bytes: usize, now: Instant) -> Result<(), QuotaError> {
        let quota = self.own.get(tenant).unwrap_or(&self.default);
        if quota.is_unlimited() {
            return Ok(());
        }
        let mut buckets = self.buckets.lock();
        let bucket = self.bucket(&mut buckets, tenant, quota, now);
        bucket.refill(quota, now);
        let short = |what, level: f64, per_s: Option<f64>| {
            let per_s = per_s?;
            // One row is enough to be let in, and less where even the full bucket holds less.
            let enough = (per_s * quota.burst()).min(1.0);
            if level >= enough && level > 0.0 {
                return None;
            }
            // A rate of zero never recovers; an hour is as good an answer as any.
            let wait = if per_s > 0.0 { (enough - level) / per_s } else { 3600.0 };
            let retry_after = Duration::from_secs_f64(wait.clamp(0.0, 3600.0));
            Some(QuotaError { tenant: tenant.clone(), what, per_s, retry_after })
        };
        if let Some(e) =
            short("rows", bucket.rows, quota.rows_per_s).or_else(|| short("bytes", bucket.bytes, quota.bytes_per_s))
        {
            return Err(e);
        }
        bucket.rows -= if quota.rows_per_s.is_some() { rows as f64 } else { 0.0 };
        bucket.bytes -= if quota.bytes_per_s.is_some() { bytes as f64 } else { 0.0 };
        Ok(())
    }

    fn bucket<'a>(&self, buckets: &'a mut Buckets, tenant: &TenantId, quota: &Quota, now: Instant) -> &'a mut Bucket {
        if !buckets.by_tenant.contains_key(tenant) && buckets.by_tenant.len() >= self.tracked_max {
            // A full bucket says nothing that a new one would not.
            buckets.by_tenant.retain(|t, b| {
                let quota = self.own.get(t).unwrap_or(&self.default);
                b.refill(quota, now);
                !b.is_full(quota)
            });
            if buckets.by_tenant.len() >= self.tracked_max {
                return buckets.overflow.get_or_insert_with(|| Bucket::full(quota, now));
            }
        }
        buckets.by_tenant.entry(tenant.clone()).or_insert_with(|| Bucket::full(quota, now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tenant(n: usize) -> TenantId {
        TenantId::parse(&format!("t{n}")).unwrap()
    }

    fn quotas(rows_per_s: f64, burst_s: f64) -> Quotas {
        Quotas::new(Quota { rows_per_s: Some(rows_per_s), bytes_per_s: None, burst_s }, HashMap::new())
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (q, t0) = (quotas(10.0, 2.0), Instant::now());
        let at = |ms: u64| t0 + Duration::from_millis(ms);
        let t = tenant(0);
        assert!(q.check(&t, 20, 0, at(0)).is_ok());
        let e = q.check(&t, 1, 0, at(0)).unwrap_err();
        assert_eq!((e.what, e.retry_after), ("rows", Duration::from_millis(100)));
        assert!(q.check(&t, 1, 0, at(100)).is_ok());
        assert!(q.check(&t, 1, 0, at(101)).is_err());
        // Another tenant has a bucket of its own.
        assert!(q.check(&tenant(1), 20, 0, at(101)).is_ok());
        // A request beyond the burst passes once and is paid for afterwards.
        assert!(q.check(&t, 200, 0, at(60_000)).is_ok());
        assert!(q.check(&t, 1, 0, at(70_000)).is_err());
        assert!(q.check(&t, 1, 0, at(78_200)).is_ok());
    }

    #[test]
    fn tenants_are_bounded() {
        let mut q = quotas(1.0, 1.0);
        q.tracked_max = 3;
        let t0 = Instant::now();
        for n in 0..3 {
            assert!(q.check(&tenant(n), 100, 0, t0).is_ok());
        }
        // The fourth and fifth share the overflow bucket.
        assert!(q.check(&tenant(3), 100, 0, t0).is_ok());
        assert!(q.check(&tenant(4), 1, 0, t0).is_err());
        assert_eq!(q.buckets.lock().by_tenant.len(), 3);
        // Once the first three have recovered they are forgotten.
        assert!(q.check(&tenant(5), 1, 0, t0 + Duration::from_secs(200)).is_ok());
        assert_eq!(q.buckets.lock().by_tenant.len(), 1);
    }

    #[test]
    fn without_a_quota_nothing_is_tracked() {
        let q = Quotas::new(Quota::default(), HashMap::new());
        assert!(q.check(&tenant(0), usize::MAX, usize::MAX, Instant::now()).is_ok());
        assert!(q.buckets.lock().by_tenant.is_empty());
    }
}
