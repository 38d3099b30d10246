//! What the desk asks of the rest of the house and of the world: queries, web pages, prices, bills, recommendations. Each answer says why there is none.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use grid_estimate::book::Machine;
use grid_model::{Amount, TenantId, Timestamp};
use grid_plan::cost::Range;
use grid_plan::gate::Answer;
use grid_plan::gate::health::Smoke;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// In which language a query is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Prometheus'.
    Promql,
    /// SQL; the last column of each row is its value.
    Sql,
}

/// A recommendation as the jobs keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommended {
    /// Its id.
    pub id: String,
    /// `rightsize`, `stop`, `delete`, ...
    pub action: String,
    /// The resource as its bill spells it.
    pub resource_id: String,
    /// As it is.
    pub present: String,
    /// As it should be.
    pub proposed: String,
    /// What is saved a month.
    pub saving: Range,
    /// The currency.
    pub currency: String,
    /// The probability that it is too little within a week.
    pub risk: f64,
    /// In a sentence.
    pub title: String,
    /// How much work it is: `VeryLow`, `Low`, `Medium`, `High` or `VeryHigh`; empty if that is not known.
    pub effort: String,
    /// Whether it takes a restart.
    pub restart_needed: bool,
    /// Whether it can be undone.
    pub rollback_possible: bool,
}

/// The rest of the house, and the world.
#[async_trait]
pub trait Outside: Send + Sync {
    /// The series of an answer, with their names.
    async fn query(
        &self,
        tenant: &TenantId,
        language: Language,
        query: &str,
        now: Timestamp,
    ) -> Answer<Vec<(String, f64)>>;

    /// Samples of a PromQL expression within a time.
    async fn samples(&self, tenant: &TenantId, query: &str, from: Timestamp, until: Timestamp) -> Answer<Vec<f64>>;

    /// Looks at a page.
    async fn get(&self, url: &str) -> Answer<Smoke>;

    /// Asks somebody.
    async fn post(&self, url: &str, body: &Value) -> Answer<(u16, String)>;

    /// What an hour of each machine costs, as far as that is known.
    async fn machines(
        &self,
        tenant: &TenantId,
        wanted: BTreeSet<Machine>,
        currency: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<Machine, Amount>, String>;

    /// What bills say of a resource a month, before and since a time; `None` while no bill has come since.
    async fn billed(
        &self,
        tenant: &TenantId,
        resource_id: &str,
        currency: &str,
        changed: Timestamp,
    ) -> Result<Option<(Amount, Amount)>, String>;

    /// Recommendations that hold and that nobody has decided about: neither accepted, dismissed nor snoozed.
    async fn advice(&self, tenant: &TenantId) -> Result<Vec<Recommended>, String>;

    /// Decides that a recommendation is accepted, if nobody has decided about it yet; whether it is accepted by this one, now or before.
    async fn accept(&self, tenant: &TenantId, id: &str, by: &str, why: &str) -> Result<bool, String>;
}

/// Nobody: every answer is missing.
#[derive(Debug, Default)]
pub struct Nobody;

#[async_trait]
impl Outside for Nobody {
    async fn query(&self, _: &TenantId, _: Language, _: &str, _: Timestamp) -> Answer<Vec<(String, f64)>> {
        Answer::Missing("nobody answers queries here".to_owned())
    }

    async fn samples(&self, _: &TenantId, _: &str, _: Timestamp, _: Timestamp) -> Answer<Vec<f64>> {
        Answer::Missing("nobody answers queries here".to_owned())
    }

    async fn get(&self, _: &str) -> Answer<Smoke> {
        Answer::Missing("there is no network here".to_owned())
    }

    async fn post(&self, _: &str, _: &Value) -> Answer<(u16, String)> {
        Answer::Missing("there is no network here".to_owned())
    }

    async fn machines(
        &self,
        _: &TenantId,
        _: BTreeSet<Machine>,
        _: &str,
        _: Timestamp,
    ) -> Result<BTreeMap<Machine, Amount>, String> {
        Ok(BTreeMap::new())
    }

    async fn billed(&self, _: &TenantId, _: &str, _: &str, _: Timestamp) -> Result<Option<(Amount, Amount)>, String> {
        Ok(None)
    }

    async fn advice(&self, _: &TenantId) -> Result<Vec<Recommended>, String> {
        Ok(Vec::new())
    }

    async fn accept(&self, _: &TenantId, _: &str, _: &str, _: &str) -> Result<bool, String> {
        Ok(false)
    }
}
