//! FOCUS 1.0 to 1.4 into `charges`: a column goes where its name says; what FOCUS does not know goes to `x_columns`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use grid_model::table::charges::{ChargeRow, Column, Kind};
use serde_json::value::RawValue;

use crate::bill::declared::is_cost;
use crate::bill::{BillError, BillFormat, MapContext, Row, canonical, quoted};

/// Columns that every FOCUS version demands and without which a row is no charge.
const MANDATORY: &[Column] = &[
    Column::BilledCost,
    Column::BillingAccountId,
    Column::BillingCurrency,
    Column::BillingPeriodEnd,
    Column::BillingPeriodStart,
    Column::ChargeCategory,
    Column::ChargePeriodEnd,
    Column::ChargePeriodStart,
    Column::ContractedCost,
    Column::EffectiveCost,
    Column::ListCost,
    Column::ServiceName,
];

/// Columns that every FOCUS version demands too, but that only describe: their absence is told of, and costs nothing.
const DESCRIPTIVE: &[(Column, &str)] = &[
    (Column::InvoiceIssuerName, "InvoiceIssuerName is null"),
    (Column::ServiceCategory, "ServiceCategory is null"),
    (Column::ServiceProviderName, "ServiceProviderName is null"),
];

/// The version in which a column appeared, newest first: the newest column present dates the file.
const SINCE: &[(&str, &[Column])] = &[
    ("1.4", &[Column::CommitmentProgramEligibilityDetails, Column::InvoiceDetailId]),
    (
        "1.3",
        &[
            Column::AllocatedMethodDetails,
            Column::AllocatedMethodId,
            Column::AllocatedResourceId,
            Column::AllocatedResourceName,
            Column::AllocatedTags,
            Column::ContractApplied,
            Column::HostProviderName,
            Column::ServiceProviderName,
        ],
    ),
    (
        "1.2",
        &[
            Column::BillingAccountType,
            Column::InvoiceId,
            Column::PricingCurrency,
            Column::PricingCurrencyContractedUnitPrice,
            Column::PricingCurrencyEffectiveCost,
            Column::PricingCurrencyListUnitPrice,
            Column::SubAccountType,
        ],
    ),
    (
        "1.1",
        &[
            Column::CapacityReservationId,
            Column::CapacityReservationStatus,
            Column::CommitmentDiscountQuantity,
            Column::CommitmentDiscountUnit,
            Column::ServiceSubcategory,
            Column::SkuMeter,
            Column::SkuPriceDetails,
        ],
    ),
];

/// The closed set of values of a column, if it has one; others are kept and told of.
fn allowed(column: Column) -> Option<&'static [&'static str]> {
    Some(match column {
        Column::ChargeCategory => &["Usage", "Purchase", "Tax", "Credit", "Adjustment"],
        Column::ChargeClass => &["Correction"],
        Column::ChargeFrequency => &["One-Time", "Recurring", "Usage-Based"],
        Column::CommitmentDiscountCategory => &["Spend", "Usage"],
        Column::CommitmentDiscountStatus | Column::CapacityReservationStatus => &["Used", "Unused"],
        Column::PricingCategory => &["Standard", "Dynamic", "Committed", "Other"],
        _ => return None,
    })
}

enum Target {
    Column(Column),
    Tags,
    Extra(String),
}

/// Where each column of one file goes.
pub(crate) struct FocusMapping {
    targets: Vec<Target>,
    cost: usize,
    currency: usize,
    version: &'static str,
}

impl FocusMapping {
    /// Reads a header, telling of what does not conform.
    pub(crate) fn new(header: &[String], note: &mut dyn FnMut(String)) -> Result<Self, BillError> {
        let known: Vec<(String, Column)> = Column::ALL.iter().map(|c| (canonical(c.focus_name()), *c)).collect();
        let mut index: Vec<Option<usize>> = vec![None; Column::ALL.len()];
        let mut tags = None;
        let mut targets = Vec::with_capacity(header.len());
        for (i, name) in header.iter().enumerate() {
            let key = if is_extension(name) { String::new() } else { canonical(name) };
            let column = known.iter().find(|(k, _)| *k == key).map(|(_, c)| *c);
            targets.push(match column {
                Some(c) if index[c as usize].is_none() => {
                    index[c as usize] = Some(i);
                    Target::Column(c)
                }
                None if key == "tags" && tags.is_none() => {
                    tags = Some(i);
                    Target::Tags
                }
                _ => {
                    if !is_extension(name) {
                        note(format!("column {} is neither of FOCUS nor named x_...: kept in x_columns", quoted(name)));
                    }
                    Target::Extra(distinct(name, i, &targets))
                }
            });
        }
        let has = |c: &Column| index[*c as usize].is_some();
        let missing: Vec<&'static str> = MANDATORY.iter().filter(|c| !has(c)).map(|c| c.focus_name()).collect();
        let (Some(cost), Some(currency), true) =
            (index[Column::BilledCost as usize], index[Column::BillingCurrency as usize], missing.is_empty())
        else {
            return Err(BillError::MissingColumns { format: BillFormat::Focus, columns: missing });
        };
        let version = SINCE.iter().find(|(_, columns)| columns.iter().any(has)).map_or("1.0", |(version, _)| version);
        Ok(Self { targets, cost, currency, version })
    }

    /// The version as far as the columns tell it: a file without the newer optional columns reads as an older one.
    pub(crate) fn version(&self) -> &'static str {
        self.version
    }

    /// Where the billed cost is.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Where the currency is.
    pub(crate) fn currency(&self) -> usize {
        self.currency
    }

    /// Maps one row whose billed cost is already set.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<(), String> {
        for (i, target) in self.targets.iter().enumerate() {
            let Some(cell) = row.get(i) else {
                if row.raw(i).is_some_and(|s| !s.is_empty()) {
                    cx.placeholder();
                }
                continue;
            };
            match target {
                Target::Column(Column::BilledCost) => {}
                Target::Column(c) => match c.kind() {
                    Kind::Text => set_text(*c, cell, cx, charge),
                    Kind::Time => charge.set_time(*c, cx.date(c.focus_name(), date_slot(*c), cell)?),
                    Kind::Amount => {
                        let name = c.focus_name();
                        let read = if is_cost(*c) { cx.cost(*c, name, cell) } else { cx.amount(name, cell) };
                        match read {
                            Ok(amount) => charge.set_amount(*c, amount),
                            Err(reason) if c.is_required() => return Err(reason),
                            Err(_) => {
                                cx.note_of(format!("{name} is not a number: kept as text in x_columns"));
                                charge.x_columns.push((Cow::Borrowed(name), Cow::Borrowed(cell)));
                            }
                        }
                    }
                },
                Target::Tags => match tags(cell) {
                    Some(tags) => charge.tags = tags,
                    None => {
                        cx.note("Tags is not a JSON object: kept as text in x_columns");
                        charge.x_columns.push((Cow::Borrowed("Tags"), Cow::Borrowed(cell)));
                    }
                },
                Target::Extra(name) => charge.x_columns.push((Cow::Borrowed(name), Cow::Borrowed(cell))),
            }
        }
        // Until 1.2 the seller was called the provider.
        if let (None, Some(provider)) = (charge.text(Column::ServiceProviderName), charge.text(Column::ProviderName)) {
            charge.set_text(Column::ServiceProviderName, provider);
        }
        for (column, missing) in DESCRIPTIVE.iter().filter(|(c, _)| charge.text(*c).is_none()) {
            debug_assert!(missing.starts_with(column.focus_name()));
            cx.note(missing);
        }
        Ok(())
    }
}

/// Sets a column of text, telling of values that FOCUS does not allow.
pub(crate) fn set_text<'r>(column: Column, cell: &'r str, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
    if let Some(allowed) = allowed(column)
        && !allowed.contains(&cell)
    {
        cx.note_of(format!("{} {} is none of {}", column.focus_name(), quoted(cell), allowed.join(", ")));
    }
    let cell = if column == Column::BillingCurrency { cell.trim() } else { cell };
    if column == Column::BillingCurrency && !(cell.len() == 3 && cell.bytes().all(|b| b.is_ascii_uppercase())) {
        cx.note("BillingCurrency is not an ISO 4217 code");
    }
    charge.set_text(column, cell);
}

/// Which of the caches of dates a column has.
pub(crate) fn date_slot(column: Column) -> usize {
    match column {
        Column::BillingPeriodStart => 0,
        Column::BillingPeriodEnd => 1,
        Column::ChargePeriodStart => 2,
        _ => 3,
    }
}

fn is_extension(name: &str) -> bool {
    name.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("x_"))
}

/// A name under which a column can stand in `x_columns`: its own, unless another column has taken it.
fn distinct(name: &str, index: usize, targets: &[Target]) -> String {
    let name = if name.is_empty() { format!("column {}", index + 1) } else { name.to_owned() };
    let taken = |n: &str| {
        targets.iter().any(|t| match t {
            Target::Column(c) => c.focus_name() == n,
            Target::Tags => n == "Tags",
            Target::Extra(e) => e == n,
        })
    };
    let mut free = name;
    while taken(&free) {
        free = format!("{free}#{}", index + 1);
    }
    free
}

/// Tags of a JSON object, values as plain text; also without its braces, as Azure writes them. `None` if it is no object.
pub(crate) fn tags(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    plain_tags(text).or_else(|| all_tags(text))
}

/// Tags whose keys and values are texts without escapes, as nearly all are: nothing is copied. `None` if there is anything else.
fn plain_tags(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let inner = text.trim();
    let mut rest = match inner.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => inner,
    };
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    let quoted = |rest: &str| -> Option<(usize, usize)> {
        let body = rest.trim_ascii_start();
        let start = rest.len() - body.len() + 1;
        let body = body.strip_prefix('"')?;
        let end = memchr::memchr2(b'"', b'\\', body.as_bytes())?;
        // A control character must be escaped: such a text is no JSON.
        (body.as_bytes()[end] == b'"' && !body.as_bytes()[..end].iter().any(u8::is_ascii_control))
            .then_some((start, start + end))
    };
    while !rest.trim_ascii_start().is_empty() {
        let (start, end) = quoted(rest)?;
        let key = &rest[start..end];
        rest = rest[end + 1..].trim_ascii_start().strip_prefix(':')?;
        let (start, end) = quoted(rest)?;
        let value = &rest[start..end];
        rest = rest[end + 1..].trim_ascii_start();
        pairs.push((Cow::Borrowed(key), Cow::Borrowed(value)));
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').filter(|more| !more.trim_ascii_start().is_empty())?;
        }
    }
    pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let distinct = pairs.windows(2).all(|w| w[0].0 != w[1].0);
    (distinct && (!pairs.is_empty() || inner.starts_with('{'))).then_some(pairs)
}

fn all_tags<'r>(text: &str) -> Option<Vec<(Cow<'r, str>, Cow<'r, str>)>> {
    let text = text.trim();
    let braced;
    let object: BTreeMap<String, &RawValue> = match serde_json::from_str(text) {
        Ok(object) => object,
        Err(_) if text.starts_with('"') => {
            braced = format!("{{{text}}}");
            serde_json::from_str(&braced).ok()?
        }
        Err(_) => return None,
    };
    let pair = |(key, value): (String, &RawValue)| {
        // A number keeps its digits as written: only strings and null are rewritten.
        let value = match value.get() {
            "null" => String::new(),
            json => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        };
        (Cow::Owned(key), Cow::Owned(value))
    };
    Some(object.into_iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        let required = MANDATORY.iter().map(|c| c.focus_name());
        required.chain(names.iter().copied()).map(str::to_owned).collect()
    }

    #[test]
    fn columns_date_the_file() {
        let cases = [
            (&["ProviderName", "PublisherName"][..], "1.0"),
            (&["ProviderName", "SkuMeter"], "1.1"),
            (&["ProviderName", "SkuMeter", "InvoiceId"], "1.2"),
            (&["ServiceProviderName"], "1.3"),
            (&["ServiceProviderName", "InvoiceDetailId"], "1.4"),
            (&["service_provider_name", "invoice_detail_id"], "1.4"),
        ];
        for (names, version) in cases {
            assert_eq!(FocusMapping::new(&header(names), &mut |_| ()).unwrap().version(), version, "{names:?}");
        }
    }

    #[test]
    fn missing_columns_are_named() {
        let err = |h: &[String]| FocusMapping::new(h, &mut |_| ()).err().unwrap().to_string();
        for (gone, expected) in [
            (&["ListCost"][..], "column ListCost is missing"),
            (&["BillingCurrency", "ListCost"], "columns BillingCurrency, ListCost are missing"),
        ] {
            let mut h = header(&["ProviderName"]);
            h.retain(|n| !gone.contains(&n.as_str()));
            assert_eq!(err(&h), format!("not a complete FOCUS header: mandatory {expected}"));
        }
    }

    #[test]
    fn stray_and_repeated_columns_are_kept_apart() {
        let mut notes = Vec::new();
        let names = ["ProviderName", "Id", "Id", "BilledCost", "x_Id", "", "Tags", "Tags"];
        let m = FocusMapping::new(&header(&names), &mut |n| notes.push(n)).unwrap();
        let extra = |t: &Target| if let Target::Extra(n) = t { Some(n.clone()) } else { None };
        let extras: Vec<String> = m.targets.iter().filter_map(extra).collect();
        assert_eq!(extras, ["Id", "Id#15", "BilledCost#16", "x_Id", "column 18", "Tags#20"]);
        assert_eq!(notes.len(), 5, "{notes:?}");
    }

    #[test]
    fn tags_of_all_kinds() {
        let cases = [
            (r#"{"b": "1", "a": true, "n": 1.50, "z": null}"#, Some("a=true b=1 n=1.50 z=")),
            (r#""a": "x","b": "y""#, Some("a=x b=y")),
            ("{}", Some("")),
            (r#"{"a" : "x" , "a": "y"}"#, Some("a=y")),
            (r#"{"a": "x\"y"}"#, Some("a=x\"y")),
            (r#"{"a": "x",}"#, None),
            (r#"["a"]"#, None),
            ("a=b", None),
            ("{", None),
        ];
        for (text, expected) in cases {
            let read = tags(text).map(|t| t.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "));
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_fast_path_of_tags_agrees_with_the_slow_one(text in r#"[{]?( ?"[a-c\\"é]{0,3}" ?: ?"[a-c\\u]{0,3}" ?,?){0,3}[}]?"#) {
            if let Some(fast) = plain_tags(&text) {
                proptest::prop_assert_eq!(Some(fast), all_tags(&text));
            }
        }
    }
}
