//! Karpenter's JSON of instance types: `name`, `resources`, and `offerings` with a price and requirements (zone, capacity type).
//! Such lists describe clusters of machines that may not exist; their provider is `kwok`, as Karpenter's simulator calls itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use grid_model::Amount;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reader, json_reason, number_text};

#[derive(Deserialize)]
struct InstanceType<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    offerings: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    architecture: Cow<'a, str>,
    #[serde(borrow, default, rename = "operatingSystems")]
    operating_systems: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    resources: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Offering<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow, default)]
    requirements: Vec<Requirement<'a>>,
}

#[derive(Deserialize)]
struct Requirement<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    values: Vec<Cow<'a, str>>,
}

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let types: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|e| json_reason(&e))?;
    for (n, raw) in types.into_iter().enumerate() {
        match serde_json::from_str::<InstanceType<'_>>(raw.get()) {
            Ok(found) => read_type(&found, reader),
            Err(e) => reader.reject(&format_args!("entry {}", n + 1), json_reason(&e)),
        }
    }
    Ok(())
}

fn read_type(found: &InstanceType<'_>, reader: &mut Reader<'_>) {
    let mut base = reader.row("kwok", "kubernetes");
    base.resource_type = found.name.clone().into_owned();
    base.vcpu = found.resources.get("cpu").and_then(|q| quantity(q, reader));
    base.memory_gib = found.resources.get("memory").and_then(|q| gibibytes(q, reader));
    let os: Vec<&str> = found.operating_systems.iter().map(AsRef::as_ref).collect();
    for (name, value) in [("architecture", found.architecture.as_ref()), ("operating_system", &os.join(","))] {
        if !value.is_empty() {
            base.attributes.push((name.to_owned(), value.to_owned()));
        }
    }
    for (n, raw) in found.offerings.iter().enumerate() {
        let at = format!("{} offering {}", found.name, n + 1);
        let offering = match serde_json::from_str::<Offering<'_>>(raw.get()) {
            Ok(offering) => offering,
            Err(e) => {
                reader.reject(&at, json_reason(&e));
                continue;
            }
        };
        let wanted = |suffix: &str| {
            offering
                .requirements
                .iter()
                .find(|r| r.key.ends_with(suffix))
                .and_then(|r| r.values.first())
                .map(AsRef::as_ref)
        };
        let mut row = base.clone();
        row.purchase_option = wanted("/capacity-type").unwrap_or("on-demand").to_owned();
        row.region = wanted("/zone").unwrap_or_default().to_owned();
        match reader.amount(&number_text(offering.price)) {
            Ok(price) => {
                row.price = price;
                reader.keep(&at, row);
            }
            Err(reason) => reader.reject(&at, reason),
        }
    }
}

/// A Kubernetes quantity of processors: `2`, `500m`.
fn quantity(text: &str, reader: &mut Reader<'_>) -> Option<Amount> {
    match text.strip_suffix('m') {
        Some(milli) => reader.amount(milli).ok().map(|a| Amount(a.0 / 1000)),
        None => reader.amount(text).ok(),
    }
}

/// A Kubernetes quantity of memory in GiB: `2Gi`, `512Mi`.
fn gibibytes(text: &str, reader: &mut Reader<'_>) -> Option<Amount> {
    if let Some(gib) = text.strip_suffix("Gi") {
        return reader.amount(gib).ok();
    }
    let mib = text.strip_suffix("Mi")?;
    reader.amount(mib).ok().map(|a| Amount(a.0 / 1024))
}
