//! What something costs: the user's own price if his bills say it, else the list price of the best book, else unknown. Never zero for
//! "not known".
//!
//! Entry point: [`Engine::price`]. A [`PriceQuery`] names what is priced; the answer is a [`Quote`] with where it comes from and how
//! old it is, or [`Unknown`] with the reason. [`choose`] is the decision over rows of table `prices`, [`own`] what is learnt from
//! bills, [`bundled`] the snapshot that comes with the binary.

pub(crate) mod bundled;
pub(crate) mod own;
mod choose;
mod list;

use std::fmt;

use grid_model::table::prices::{self, PriceRow};
use grid_model::time::DAY_NS;
use grid_model::{Amount, TenantId, Timestamp};
use serde_json::Value;

pub use choose::choose;
pub use list::{PriceFilter, effective, list};
pub use own::OwnPrice;

use crate::engine::{Engine, SqlRequest};
use crate::error::QueryError;
use crate::limits::PRICE_ROWS_MAX;

/// Usage at the provider's ordinary price.
pub const ON_DEMAND: &str = "on-demand";

/// What is priced. What is not given does not matter, but see [`choose`] for what is assumed when more than one thing fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceQuery {
    /// `aws`, `azure`, `gcp`, ...
    pub provider: String,
    /// The provider's code of the service.
    pub service: Option<String>,
    /// The provider's id of the SKU.
    pub sku_id: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The type of machine or other resource.
    pub resource_type: Option<String>,
    /// Attributes that the SKU must have.
    pub attributes: Vec<(String, String)>,
    /// How it is bought.
    pub purchase_option: String,
    /// The term of a commitment.
    pub term: Option<String>,
    /// How a commitment is paid.
    pub payment: Option<String>,
    /// The class of a reservation.
    pub offering_class: Option<String>,
    /// The currency.
    pub currency: Option<String>,
    /// When it is used.
    pub at: Timestamp,
}

impl PriceQuery {
    /// Anything of a provider, on demand, at a time.
    pub fn new(provider: impl Into<String>, at: Timestamp) -> Self {
        Self {
            provider: provider.into(),
            service: None,
            sku_id: None,
            region: None,
            resource_type: None,
            attributes: Vec::new(),
            purchase_option: ON_DEMAND.to_owned(),
            term: None,
            payment: None,
            offering_class: None,
            currency: None,
            at,
        }
    }

    /// A machine of a type in a region, on demand.
    pub fn machine(provider: &str, resource_type: &str, region: &str, at: Timestamp) -> Self {
        Self { resource_type: Some(resource_type.into()), region: Some(region.into()), ..Self::new(provider, at) }
    }

    /// The same with an attribute that the SKU must have.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Where a price comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The user's own bills: what was paid over what was used.
    Bills(OwnPrice),
    /// A book of list prices.
    List,
}

impl Basis {
    /// The word in answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bills(_) => "bills",
            Self::List => "list",
        }
    }
}

/// One step of a price: it holds from `start` units a month on, up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// First unit.
    pub start: Amount,
    /// The unit at which it ends; `None` = without end.
    pub end: Option<Amount>,
    /// Price of a unit.
    pub price: Amount,
}

/// A price that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The row that it is, of its first tier; of a price learnt from bills, what the bills say of it.
    pub row: PriceRow,
    /// Every tier, from the first unit on; one if the price has no tiers.
    pub tiers: Vec<Tier>,
    /// Where it comes from.
    pub basis: Basis,
    /// Whole days between the list's publication, or the last charge that it was learnt from, and the time asked for; `None` if the list has no
    /// date.
    pub age_days: Option<i64>,
    /// Whether it is older than the limit, or of unknown age: then an answer that uses it says so.
    pub is_stale: bool,
}

impl Quote {
    /// Price of the first unit.
    pub fn price(&self) -> Amount {
        self.tiers.first().map_or(self.row.price, |t| t.price)
    }

    /// What people read about its source: `aws_ec2 as of 2026-07-20, 132 days old`.
    pub fn provenance(&self) -> String {
        let source = match &self.basis {
            Basis::Bills(own) => format!("own bills, {} rows until {}", own.rows, day(own.last)),
            Basis::List => match self.row.as_of {
                Some(as_of) => format!("{} as of {}", self.row.book, day(as_of)),
                None => format!("{} without a date", self.row.book),
            },
        };
        match self.age_days {
            Some(age) => format!("{source}, {age} days old{}", if self.is_stale { " (stale)" } else { "" }),
            None => format!("{source} (stale)"),
        }
    }
}

fn day(t: Timestamp) -> String {
    t.to_string().chars().take(10).collect()
}

/// Why a price is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No book has it.
    NotListed,
    /// Books have it in these regions only.
    OtherRegions(Vec<String>),
    /// Books have it at other times only.
    OtherTimes,
    /// It fits several SKUs with different prices: what tells them apart.
    Ambiguous(Vec<String>),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed => f.write_str("no book of prices lists it; `grid import prices` reads one"),
            Self::OtherRegions(regions) => write!(f, "listed only in other regions: {}", regions.join(", ")),
            Self::OtherTimes => f.write_str("the listed prices hold at other times only"),
            Self::Ambiguous(variants) => write!(f, "several prices fit; say which: {}", variants.join("; ")),
        }
    }
}

/// A price, or why there is none.
pub type PriceAnswer = Result<Quote, Unknown>;

impl Engine {
    /// The price of something for a tenant. Prices learnt from the tenant's own bills go before list prices, for what is used on demand.
    pub async fn price(&self, tenant: &TenantId, query: &PriceQuery) -> Result<PriceAnswer, QueryError> {
        let max_age_days = self.limits().price_age_days_max;
        if query.purchase_option == ON_DEMAND
            && let Some(quote) = self.own_price(tenant, query).await?
        {
            return Ok(Ok(quote.aged(query.at, max_age_days)));
        }
        let listed = choose(self.listed_prices(tenant, query).await?, query);
        Ok(listed.map(|quote| quote.aged(query.at, max_age_days)))
    }

    /// Every row of table `prices` for a type of machine of a provider, in all regions and purchase options.
    pub async fn prices_of(
        &self,
        tenant: &TenantId,
        provider: &str,
        resource_type: &str,
    ) -> Result<Vec<PriceRow>, QueryError> {
        let sql = format!("SELECT * FROM prices WHERE provider = $1 AND resource_type = $2 LIMIT {PRICE_ROWS_MAX}");
        self.price_rows(tenant, sql, vec![Value::from(provider), Value::from(resource_type)]).await
    }

    /// The rows of table `prices` that could be meant: region and attributes are left to [`choose`], so that it can say what else there is.
    async fn listed_prices(&self, tenant: &TenantId, query: &PriceQuery) -> Result<Vec<PriceRow>, QueryError> {
        let mut params = vec![Value::from(query.provider.as_str()), Value::from(query.purchase_option.as_str())];
        let mut sql = "SELECT * FROM prices WHERE provider = $1 AND purchase_option = $2".to_owned();
        let exact = [
            (prices::SERVICE, &query.service),
            (prices::SKU_ID, &query.sku_id),
            (prices::RESOURCE_TYPE, &query.resource_type),
            (prices::TERM, &query.term),
            (prices::PAYMENT, &query.payment),
            (prices::OFFERING_CLASS, &query.offering_class),
            (prices::CURRENCY, &query.currency),
        ];
        for (column, value) in exact {
            if let Some(value) = value {
                params.push(Value::from(value.as_str()));
                sql.push_str(&format!(" AND {column} = ${}", params.len()));
            }
        }
        sql.push_str(&format!(" LIMIT {PRICE_ROWS_MAX}"));
        self.price_rows(tenant, sql, params).await
    }

    async fn price_rows(
        &self,
        tenant: &TenantId,
        sql: String,
        params: Vec<Value>,
    ) -> Result<Vec<PriceRow>, QueryError> {
        let request = SqlRequest { params, ..SqlRequest::new(tenant.clone(), sql) };
        let mut rows = Vec::new();
        for batch in self.sql(request).await?.collect().await? {
            let read = prices::read(&batch).ok_or_else(|| QueryError::Internal("prices lacks a column".into()))?;
            rows.extend(read);
        }
        Ok(rows)
    }
}

impl Quote {
    /// The quote with its age at a time; beyond `max_days` it is stale.
    #[must_use]
    pub fn aged(mut self, at: Timestamp, max_days: i64) -> Self {
        let since = match &self.basis {
            Basis::Bills(own) => Some(own.last),
            Basis::List => self.row.as_of,
        };
        self.age_days = since.map(|t| at.0.saturating_sub(t.0).max(0) / DAY_NS);
        self.is_stale = self.age_days.is_none_or(|age| age > max_days);
        self
    }
}
