//! Prices: imported as books, listed, looked up, learnt from bills.

use axum::Json as Reply;
use axum::extract::{Request, State};
use grid_analytics::Statement;
use grid_analytics::price::{self, PriceFilter, PriceQuery};
use grid_guard::Caller;
use grid_model::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Params, read_body};
use crate::importer::PriceUpload;
use crate::page::LIMIT_MAX;
use crate::route::{parse_time, rfc3339};
use crate::state::ApiState;
use crate::statement::rows;

/// Items of a page unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;

/// Which prices, and which page of them.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// `aws`, `azure`, `gcp`, ...
    #[param(example = "aws")]
    provider: Option<String>,
    /// The provider's code of the service.
    #[param(example = "AmazonEC2")]
    service: Option<String>,
    /// The provider's id of the SKU.
    sku_id: Option<String>,
    /// The region.
    #[param(example = "us-east-1")]
    region: Option<String>,
    /// The type of machine or other resource.
    #[param(example = "m5.large")]
    resource_type: Option<String>,
    /// `on-demand`, `spot`, `reserved`, `savings-plan` or `committed-use`; of effective prices their pricing category.
    purchase_option: Option<String>,
    /// `1y` or `3y`.
    term: Option<String>,
    /// `no-upfront`, `partial-upfront` or `all-upfront`.
    payment: Option<String>,
    /// The currency.
    currency: Option<String>,
    /// The book.
    book: Option<String>,
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the last answer.
    cursor: Option<String>,
}

/// A page of prices. Every item says how many days old it is and whether that is too old.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceList {
    /// The prices, decimals as strings.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
    /// The statement that answers the same.
    sql: String,
}

/// Listed prices: of the books that were imported, and of the snapshot that comes with the binary (book `bundled`).
#[utoipa::path(get, path = "/api/v1/prices", tag = "prices", params(ListParams),
    responses((status = 200, description = "The prices.", body = PriceList)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Reply<PriceList>, ApiError> {
    let columns = [
        ("provider", &params.provider),
        ("service", &params.service),
        ("sku_id", &params.sku_id),
        ("region", &params.region),
        ("resource_type", &params.resource_type),
        ("purchase_option", &params.purchase_option),
        ("term", &params.term),
        ("payment", &params.payment),
        ("currency", &params.currency),
        ("book", &params.book),
    ];
    page(&state, &caller, &params, &columns, price::list).await
}

/// Prices that the tenant's own bills show: what was paid over what was used, per SKU, region and pricing category, with the discount
/// against the public price.
#[utoipa::path(get, path = "/api/v1/prices/effective", tag = "prices", params(ListParams),
    responses((status = 200, description = "The prices.", body = PriceList)))]
pub(crate) async fn effective(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Reply<PriceList>, ApiError> {
    for (name, given) in [("term", &params.term), ("payment", &params.payment), ("book", &params.book)] {
        if given.is_some() {
            return Err(ApiError::Parameter(format!("bills do not say the {name} of a price")));
        }
    }
    let columns = [
        ("provider", &params.provider),
        ("service_name", &params.service),
        ("sku_id", &params.sku_id),
        ("region_id", &params.region),
        ("resource_type", &params.resource_type),
        ("pricing_category", &params.purchase_option),
        ("currency", &params.currency),
    ];
    page(&state, &caller, &params, &columns, price::effective).await
}

async fn page(
    state: &ApiState,
    caller: &Caller,
    params: &ListParams,
    columns: &[(&'static str, &Option<String>)],
    statement: impl Fn(&PriceFilter) -> Statement,
) -> Result<Reply<PriceList>, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(ApiError::Parameter(format!("limit is {limit}, it must be 1 to {LIMIT_MAX}")));
    }
    // Lists change by whole books only, so that a count of rows is a place in them.
    let offset = match &params.cursor {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| ApiError::Cursor(cursor.clone()))?,
    };
    let equal = columns.iter().filter_map(|(column, value)| Some((*column, (*value).clone()?))).collect();
    let max_age_days = state.engine.limits().price_age_days_max;
    let mut filter = PriceFilter { equal, max_age_days, limit: limit + 1, offset };
    let mut items = rows(&state.engine, &caller.tenant, &statement(&filter)).await?;
    let next_cursor = (items.len() > limit).then(|| (offset + limit).to_string());
    items.truncate(limit);
    filter.limit = limit;
    Ok(Reply(PriceList { items, next_cursor, sql: statement(&filter).inlined() }))
}

/// What is priced.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupParams {
    /// `aws`, `azure`, `gcp`, ...
    #[param(example = "aws")]
    provider: String,
    /// The provider's code of the service.
    service: Option<String>,
    /// The provider's id of the SKU.
    sku_id: Option<String>,
    /// The region.
    #[param(example = "us-east-1")]
    region: Option<String>,
    /// The type of machine or other resource.
    #[param(example = "m5.large")]
    resource_type: Option<String>,
    /// Attributes that it must have: `operating_system=windows,tenancy=shared`.
    attributes: Option<String>,
    /// How it is bought; `on-demand` if absent.
    purchase_option: Option<String>,
    /// The term of a commitment.
    term: Option<String>,
    /// How a commitment is paid.
    payment: Option<String>,
    /// The currency.
    currency: Option<String>,
    /// When it is used; now if absent.
    at: Option<String>,
}

/// A price, or why it is unknown. An unknown price is never zero.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lookup {
    /// `known` or `unknown`.
    #[schema(example = "known")]
    status: &'static str,
    /// Why it is unknown.
    reason: Option<String>,
    /// The price of the first unit, a decimal.
    #[schema(example = "0.096")]
    price: Option<String>,
    /// The currency.
    currency: Option<String>,
    /// What one unit is.
    #[schema(example = "hour")]
    unit: Option<String>,
    /// Every step of the price.
    #[schema(value_type = Vec<Object>)]
    tiers: Vec<Value>,
    /// `bills` (learnt from own bills) or `list`.
    basis: Option<&'static str>,
    /// Where it comes from, in words.
    provenance: Option<String>,
    /// Days between the list, or the last charge, and the time asked for.
    age_days: Option<i64>,
    /// Whether that is too old, or unknown.
    stale: Option<bool>,
    /// What is priced, as the source has it; of a price learnt from bills, on how many rows and units it rests.
    #[schema(value_type = Object)]
    detail: Value,
}

/// The price of one thing: the tenant's own if bills show it, else the latest list's.
#[utoipa::path(get, path = "/api/v1/prices/lookup", tag = "prices", params(LookupParams),
    responses((status = 200, description = "The price, or `unknown` with the reason.", body = Lookup)))]
pub(crate) async fn lookup(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<LookupParams>,
) -> Result<Reply<Lookup>, ApiError> {
    let at = match &params.at {
        None => (state.clock)(),
        Some(text) => time("at", text)?,
    };
    let mut query = PriceQuery {
        service: params.service,
        sku_id: params.sku_id,
        region: params.region,
        resource_type: params.resource_type,
        term: params.term,
        payment: params.payment,
        currency: params.currency,
        ..PriceQuery::new(params.provider, at)
    };
    if let Some(option) = params.purchase_option {
        query.purchase_option = option;
    }
    for pair in params.attributes.iter().flat_map(|list| list.split(',')).filter(|p| !p.trim().is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(ApiError::Parameter(format!("attributes holds {pair:?}, which is not NAME=VALUE")));
        };
        query = query.with(name.trim(), value.trim());
    }
    Ok(Reply(match state.engine.price(&caller.tenant, &query).await? {
        Err(why) => Lookup {
            status: "unknown",
            reason: Some(why.to_string()),
            price: None,
            currency: None,
            unit: None,
            tiers: Vec::new(),
            basis: None,
            provenance: None,
            age_days: None,
            stale: None,
            detail: Value::Null,
        },
        Ok(quote) => Lookup {
            status: "known",
            reason: None,
            price: Some(quote.price().to_string()),
            currency: Some(quote.row.currency.clone()),
            unit: Some(quote.row.unit.clone()),
            tiers: quote
                .tiers
                .iter()
                .map(|t| json!({ "start": t.start.to_string(), "end": t.end.map(|e| e.to_string()), "price": t.price.to_string() }))
                .collect(),
            basis: Some(quote.basis.name()),
            provenance: Some(quote.provenance()),
            age_days: quote.age_days,
            stale: Some(quote.is_stale),
            detail: detail(&quote),
        },
    }))
}

fn detail(quote: &price::Quote) -> Value {
    let row = &quote.row;
    let attributes: serde_json::Map<String, Value> =
        row.attributes.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    let mut detail = json!({
        "provider": row.provider, "service": row.service, "sku_id": row.sku_id, "region": row.region,
        "resource_type": row.resource_type, "vcpu": row.vcpu.map(|v| v.to_string()),
        "memory_gib": row.memory_gib.map(|v| v.to_string()), "attributes": attributes,
        "purchase_option": row.purchase_option, "term": row.term, "payment": row.payment,
        "book": row.book, "book_version": row.book_version, "source": row.source, "as_of": row.as_of.map(rfc3339),
    });
    if let price::Basis::Bills(own) = &quote.basis {
        detail["rests_on"] = json!({
            "rows": own.rows, "quantity": own.quantity.to_string(), "cost": own.cost.to_string(),
            "list_price": own.list_price.to_string(), "first": rfc3339(own.first), "last": rfc3339(own.last),
        });
    }
    detail
}

/// How to read an uploaded list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadParams {
    /// Name of the file; a date in it (`2026-07-20`) is the list's.
    #[param(example = "aws_ec2_2026-07-20.csv")]
    name: Option<String>,
    /// `grid`, `machine-csv`, `ec2instances`, `opencost-reservations`, `karpenter`, `azure-retail`, `aws-offer`, or `auto`.
    format: Option<String>,
    /// Name of the book; derived from the file's name if absent. A book of that name is replaced.
    book: Option<String>,
    /// When the list was published.
    as_of: Option<String>,
    /// Read only; store nothing.
    #[serde(default)]
    check: bool,
}

/// What an import of prices did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PricesMade {
    /// `stored` or `checked`.
    outcome: &'static str,
    /// The book.
    book: String,
    /// Its edition.
    version: String,
    /// The format.
    format: String,
    /// When the list was published, if anybody said.
    as_of: Option<String>,
    /// Days since then.
    age_days: Option<i64>,
    /// Prices of the book.
    rows_stored: u64,
    /// Entries rejected.
    rows_rejected: u64,
    /// The first of them.
    rejects: Vec<PriceReject>,
    /// Remarks.
    notes: Vec<PriceNote>,
}

/// An entry that became no price.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceReject {
    /// Where.
    at: String,
    /// Why.
    reason: String,
}

/// A remark.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceNote {
    /// What.
    what: String,
    /// How often.
    count: u64,
}

/// Imports a list of prices as a book; the book of that name, if there is one, is replaced as a whole.
#[utoipa::path(post, path = "/api/v1/imports/prices", tag = "imports", params(UploadParams),
    request_body(description = "The list.", content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 201, description = "Stored.", body = PricesMade),
        (status = 200, description = "Read, as `check` said.", body = PricesMade),
        (status = 422, description = "The body is no list of prices that is understood.")))]
pub(crate) async fn post(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<UploadParams>,
    request: Request,
) -> Result<(StatusCode, Reply<PricesMade>), ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&state, &parts.headers, body).await?;
    if bytes.is_empty() {
        return Err(ApiError::UploadEmpty);
    }
    let upload = PriceUpload {
        tenant: caller.tenant.clone(),
        name: params.name.unwrap_or_else(|| "prices".to_owned()),
        bytes,
        format: params.format.filter(|f| f != "auto"),
        book: params.book,
        as_of: params.as_of.as_deref().map(|text| time("as_of", text)).transpose()?,
        check: params.check,
    };
    let done = state.prices.import_prices(upload).await?;
    tracing::info!(tenant = %caller.tenant, book = %done.book, rows = done.rows, by = %caller.subject, "prices imported");
    let (status, outcome) = if done.stored { (StatusCode::CREATED, "stored") } else { (StatusCode::OK, "checked") };
    let age = |t: Timestamp| (state.clock)().0.saturating_sub(t.0).max(0) / grid_model::time::DAY_NS;
    Ok((
        status,
        Reply(PricesMade {
            outcome,
            book: done.book,
            version: done.version,
            format: done.format,
            as_of: done.as_of.map(rfc3339),
            age_days: done.as_of.map(age),
            rows_stored: done.rows,
            rows_rejected: done.rejected,
            rejects: done.rejects.into_iter().map(|(at, reason)| PriceReject { at, reason }).collect(),
            notes: done.notes.into_iter().map(|(what, count)| PriceNote { what, count }).collect(),
        }),
    ))
}

/// A time or a day.
pub(crate) fn time(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    let time = parse_time(text).or_else(|| parse_time(&format!("{text}T00:00:00Z")));
    time.ok_or_else(|| ApiError::Parameter(format!("{name} is {text:?}, it must be a day or an RFC 3339 time")))
}
