//! `grid prices`: listed prices, and those that one's own bills show.

use std::path::Path;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

use super::list::{Columns, print};
use crate::args::{ListFormat, PriceArgs};
use crate::local::Api;
use crate::{out, setup};

const LISTED: Columns = &[
    ("provider", "provider"),
    ("service", "service"),
    ("region", "region"),
    ("type", "resource_type"),
    ("option", "purchase_option"),
    ("term", "term"),
    ("payment", "payment"),
    ("class", "offering_class"),
    ("attributes", "attributes"),
    ("price", "price"),
    ("currency", "currency"),
    ("unit", "unit"),
    ("book", "book"),
    ("age, days", "age_days"),
];
const EFFECTIVE: Columns = &[
    ("provider", "provider"),
    ("service", "service_name"),
    ("region", "region_id"),
    ("sku", "sku_id"),
    ("type", "resource_type"),
    ("category", "pricing_category"),
    ("effective price", "effective_unit_price"),
    ("list price", "list_unit_price"),
    ("discount", "discount"),
    ("currency", "currency"),
    ("unit", "pricing_unit"),
    ("rows", "rows"),
    ("until", "last_time"),
    ("age, days", "age_days"),
];

/// Asks and prints.
pub(crate) async fn run(file: Option<&Path>, args: PriceArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    let given = [
        ("resource_type", &args.resource_type),
        ("provider", &args.provider),
        ("service", &args.service),
        ("region", &args.region),
        ("purchase_option", &args.option),
        ("book", &args.book),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let path = if args.effective { "/api/v1/prices/effective" } else { "/api/v1/prices" };
    let api = Api::open(&args.target, &config).await?;
    let answer = api.send(Method::GET, &format!("{path}?{}", query.finish()), None).await;
    api.close().await?;
    let answer = answer?;
    print(args.output, &answer, &answer["items"], if args.effective { EFFECTIVE } else { LISTED })?;
    if args.output == ListFormat::Table {
        let items = answer["items"].as_array().map_or(0, Vec::len);
        if answer["next_cursor"].is_string() {
            out::say(&format!("more than {items} prices fit; say more of what is meant, or --limit"));
        }
        let stale =
            answer["items"].as_array().into_iter().flatten().filter(|item| item["stale"] == Value::Bool(true)).count();
        if stale > 0 {
            out::say(&format!("warning: {stale} of {items} prices are stale; `grid import prices` reads a newer list"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
