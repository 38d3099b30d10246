//! The JSON of ec2instances.info: an array of machines, each with `pricing` by region, then by system (EC2) or engine (RDS),
//! then `ondemand` and `reserved` by term and payment. Reserved prices are per hour with everything paid spread over the term.

use std::borrow::Cow;
use std::collections::BTreeMap;

use grid_model::table::prices::PriceRow;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reader, json_reason, number_text};

#[derive(Deserialize)]
struct Machine<'a> {
    #[serde(borrow)]
    instance_type: Cow<'a, str>,
    #[serde(borrow, default)]
    memory: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "vCPU")]
    vcpu: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "vcpu")]
    vcpu_lower: Option<&'a RawValue>,
    #[serde(borrow, default)]
    servicecode: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pricing: BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

#[derive(Deserialize)]
struct Prices<'a> {
    #[serde(borrow, default)]
    ondemand: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reserved: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

/// EC2's systems: name in the list, operating system, software that comes with it.
const SYSTEMS: [(&str, &str, &str); 7] = [
    ("linux", "linux", ""),
    ("rhel", "rhel", ""),
    ("sles", "suse", ""),
    ("mswin", "windows", ""),
    ("mswinSQL", "windows", "sql-server-standard"),
    ("mswinSQLWeb", "windows", "sql-server-web"),
    ("mswinSQLEnterprise", "windows", "sql-server-enterprise"),
];

/// RDS' engines by the code of their operation (`CreateDBInstance:0002`): engine, edition, licence.
const ENGINES: [(&str, &str, &str, &str); 15] = [
    ("2", "mysql", "", ""),
    ("3", "oracle", "se1", "bring-your-own"),
    ("4", "oracle", "se", "bring-your-own"),
    ("5", "oracle", "ee", "bring-your-own"),
    ("6", "oracle", "se1", "included"),
    ("10", "sql-server", "express", "included"),
    ("11", "sql-server", "web", "included"),
    ("12", "sql-server", "standard", "included"),
    ("14", "postgresql", "", ""),
    ("15", "sql-server", "enterprise", "included"),
    ("16", "aurora-mysql", "", ""),
    ("18", "mariadb", "", ""),
    ("19", "oracle", "se2", "bring-your-own"),
    ("20", "oracle", "se2", "included"),
    ("21", "aurora-postgresql", "", ""),
];

/// Names under which the list repeats the price of a code.
const REPEATED: [(&str, &str); 5] =
    [("MySQL", "2"), ("PostgreSQL", "14"), ("Aurora MySQL", "16"), ("MariaDB", "18"), ("Aurora PostgreSQL", "21")];

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let machines: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|e| json_reason(&e))?;
    for (n, raw) in machines.into_iter().enumerate() {
        match serde_json::from_str::<Machine<'_>>(raw.get()) {
            Ok(machine) => read_machine(&machine, reader),
            Err(e) => reader.reject(&format_args!("entry {}", n + 1), json_reason(&e)),
        }
    }
    Ok(())
}

fn read_machine(machine: &Machine<'_>, reader: &mut Reader<'_>) {
    let is_rds = machine.servicecode.as_deref() == Some("AmazonRDS") || machine.instance_type.starts_with("db.");
    let mut base = reader.row("aws", if is_rds { "AmazonRDS" } else { "AmazonEC2" });
    base.resource_type = machine.instance_type.clone().into_owned();
    let mut size = |raw: Option<&RawValue>| raw.and_then(|raw| reader.amount(&number_text(raw)).ok());
    base.vcpu = size(machine.vcpu.or(machine.vcpu_lower));
    base.memory_gib = size(machine.memory);
    for (region, systems) in &machine.pricing {
        base.region = region.clone().into_owned();
        for (system, raw) in systems {
            let at = || format!("{} {region} {system}", machine.instance_type);
            let attributes = if is_rds { engine(system, systems) } else { operating_system(system) };
            let attributes = match attributes {
                Ok(attributes) => attributes,
                Err(Skip::Note(what)) => {
                    reader.note(what);
                    continue;
                }
                Err(Skip::Repeated) => continue,
            };
            let prices = match serde_json::from_str::<Prices<'_>>(raw.get()) {
                Ok(prices) => prices,
                Err(e) => {
                    reader.reject(&at(), json_reason(&e));
                    continue;
                }
            };
            base.attributes = attributes;
            if let Some(price) = prices.ondemand {
                keep(reader, &at(), price, base.clone());
            }
            for (key, price) in prices.reserved.unwrap_or_default() {
                // RDS lists add the raw fee (`-quantity`) and rate (`-hrs`) from which the price was made.
                if key.ends_with("-quantity") || key.ends_with("-hrs") {
                    continue;
                }
                match reserved(&key, base.clone()) {
                    Some(row) => keep(reader, &format_args!("{} {key}", at()), price, row),
                    None => reader.reject(&at(), format!("{key:?} is no known reservation")),
                }
            }
        }
    }
}

fn keep(reader: &mut Reader<'_>, at: &dyn std::fmt::Display, price: &RawValue, mut row: PriceRow) {
    match reader.amount(&number_text(price)) {
        Ok(amount) => {
            row.price = amount;
            reader.keep(at, row);
        }
        Err(reason) => reader.reject(at, reason),
    }
}

/// `yrTerm1Standard.allUpfront`, `yrTerm3Convertible.noUpfront`, `yrTerm1.partialUpfront`.
fn reserved(key: &str, mut row: PriceRow) -> Option<PriceRow> {
    let (term, payment) = key.split_once('.')?;
    let term = term.strip_prefix("yrTerm")?;
    let (years, class) = term.split_at_checked(1)?;
    row.term = match years {
        "1" => "1y",
        "3" => "3y",
        _ => return None,
    }
    .to_owned();
    row.offering_class = match class {
        "" | "Standard" => "standard",
        "Convertible" => "convertible",
        _ => return None,
    }
    .to_owned();
    row.payment = match payment {
        "noUpfront" => "no-upfront",
        "partialUpfront" => "partial-upfront",
        "allUpfront" => "all-upfront",
        _ => return None,
    }
    .to_owned();
    row.purchase_option = "reserved".to_owned();
    Some(row)
}

enum Skip {
    Note(String),
    Repeated,
}

type Attributes = Vec<(String, String)>;

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn operating_system(system: &str) -> Result<Attributes, Skip> {
    let known = SYSTEMS.iter().find(|(name, ..)| *name == system);
    let (_, os, software) = known.ok_or_else(|| Skip::Note(format!("prices of {system:?} are not read")))?;
    Ok(attributes(&[("operating_system", os), ("preinstalled_software", software), ("tenancy", "shared")]))
}

fn engine(key: &str, siblings: &BTreeMap<Cow<'_, str>, &RawValue>) -> Result<Attributes, Skip> {
    let repeated = REPEATED.iter().find(|(name, _)| *name == key);
    if let Some((_, code)) = repeated
        && siblings.contains_key(*code)
    {
        return Err(Skip::Repeated);
    }
    let code = repeated.map_or(key, |(_, code)| *code);
    let known = ENGINES.iter().find(|(c, ..)| *c == code);
    let (_, engine, edition, licence) =
        known.ok_or_else(|| Skip::Note(format!("prices of engine {key:?}, which names no edition, are not read")))?;
    let single = ("deployment", "single-az");
    Ok(attributes(&[("engine", engine), ("edition", edition), ("licence", licence), single]))
}
