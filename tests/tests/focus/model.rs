//! The requirement model as published, read into the words of our table.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use grid_focus_rules::{Check, Column, Criterion, When};
use serde_json::Value;

/// One rule as published.
pub(crate) struct Published {
    pub(crate) kind: String,
    pub(crate) keyword: String,
    pub(crate) needs: Vec<Criterion>,
    /// Of a static rule.
    pub(crate) demand: Option<Demand>,
    pub(crate) when: When,
}

/// What a static rule demands.
pub(crate) enum Demand {
    Check(Check),
    Parts(Vec<String>),
    /// Allowed values, or pairs of child and parent.
    Values(Column, BTreeSet<(String, String)>),
}

/// All rules by id.
pub(crate) fn read(model: &Value) -> anyhow::Result<BTreeMap<String, Published>> {
    let rules = model["ModelRules"].as_object().context("find ModelRules")?;
    rules
        .iter()
        .map(|(id, rule)| Ok((id.clone(), published(rule).with_context(|| format!("read rule {id}"))?)))
        .collect()
}

fn published(rule: &Value) -> anyhow::Result<Published> {
    let criteria = &rule["ValidationCriteria"];
    let kind = text(&rule["Type"])?.to_ascii_lowercase();
    let names = rule["ApplicabilityCriteria"].as_array().into_iter().flatten();
    let needs = names
        .map(|n| Criterion::ALL.iter().copied().find(|c| Some(c.name()) == n.as_str()).context("know a criterion"));
    let demand = (kind == "static").then(|| demand(&criteria["Requirement"])).transpose()?;
    // Conditions of rules in words are read by eye: some are published, some are in the words alone.
    let when = if kind == "static" { when(&criteria["Condition"])? } else { When::Always };
    Ok(Published {
        kind,
        keyword: text(&criteria["Keyword"])?,
        needs: needs.collect::<anyhow::Result<_>>()?,
        demand,
        when,
    })
}

fn demand(requirement: &Value) -> anyhow::Result<Demand> {
    let column = || column(&requirement["ColumnName"]);
    let named = |key: &str| self::column(&requirement[key]);
    let items = || requirement["Items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_null = requirement["Value"].is_null();
    let check = match text(&requirement["CheckFunction"])?.as_str() {
        "AND" | "OR" if items().iter().all(|i| i["CheckFunction"] == "CheckModelRule") => {
            return Ok(Demand::Parts(items().iter().map(|i| text(&i["ModelRuleId"])).collect::<anyhow::Result<_>>()?));
        }
        "OR" => {
            let mut values = BTreeSet::new();
            let mut of = None;
            for item in items() {
                let pair = item["Items"].as_array().map_or(std::slice::from_ref(item), Vec::as_slice);
                of = Some(self::column(&pair[0]["ColumnName"])?);
                let parent = pair.get(1).map(|p| text(&p["Value"])).transpose()?.unwrap_or_default();
                values.insert((text(&pair[0]["Value"])?, parent));
            }
            return Ok(Demand::Values(of.context("find a column")?, values));
        }
        "ColumnPresent" => Check::Present(column()?),
        "TypeString" => Check::Text(column()?),
        "TypeDecimal" | "CheckDecimalValue" => Check::Number(column()?),
        "TypeDateTime" => Check::Time(column()?),
        "FormatString" => Check::PlainText(column()?),
        "FormatNumeric" => Check::PlainNumber(column()?),
        "FormatDateTime" => Check::PlainTime(column()?),
        "FormatCurrency" => Check::Currency(column()?),
        "FormatUnit" => Check::Unit(column()?),
        "FormatKeyValue" => Check::KeyValue(column()?),
        "CheckNationalCurrency" => Check::NationalCurrency(column()?),
        "CheckGreaterOrEqualThanValue" => Check::NotNegative(column()?),
        "CheckValue" if is_null => Check::Null(column()?),
        "CheckValue" if requirement["Value"] == 0 => Check::Zero(column()?),
        "CheckValue" => Check::Is(column()?, leaked(&requirement["Value"])?),
        "CheckNotValue" if is_null => Check::NotNull(column()?),
        "CheckNotValue" => Check::IsNot(column()?, leaked(&requirement["Value"])?),
        "CheckSameValue" => Check::Same(named("ColumnAName")?, named("ColumnBName")?),
        "CheckDistinctCount" => Check::OnePer(named("ColumnBName")?, named("ColumnAName")?),
        "ColumnByColumnEqualsColumnValue" => Check::Product(named("ColumnAName")?, named("ResultColumnName")?),
        other => bail!("unknown check {other}"),
    };
    Ok(Demand::Check(check))
}

fn when(condition: &Value) -> anyhow::Result<When> {
    if condition["CheckFunction"].is_null() {
        return Ok(When::Always);
    }
    // One rule calls its column `CheckCondition`.
    let column = || column(condition.get("ColumnName").unwrap_or(&condition["CheckCondition"]));
    let items = || -> anyhow::Result<&'static [When]> {
        let items = condition["Items"].as_array().into_iter().flatten();
        Ok(items.map(when).collect::<anyhow::Result<Vec<_>>>()?.leak())
    };
    let is_null = condition["Value"].is_null();
    Ok(match text(&condition["CheckFunction"])?.as_str() {
        "AND" => When::All(items()?),
        "OR" => When::Any(items()?),
        "CheckValue" if is_null => When::No(column()?),
        "CheckValue" => When::Is(column()?, leaked(&condition["Value"])?),
        "CheckNotValue" if is_null => When::Has(column()?),
        "CheckNotValue" => When::IsNot(column()?, leaked(&condition["Value"])?),
        "CheckNotSameValue" => {
            When::Differ(self::column(&condition["ColumnAName"])?, self::column(&condition["ColumnBName"])?)
        }
        other => bail!("unknown condition {other}"),
    })
}

/// Whether two conditions are one: the order of their parts says nothing.
pub(crate) fn same(a: &When, b: &When) -> bool {
    let all = |a: &[When], b: &[When]| a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| same(x, y)));
    match (a, b) {
        (When::All(a), When::All(b)) | (When::Any(a), When::Any(b)) => all(a, b),
        _ => a == b,
    }
}

fn column(value: &Value) -> anyhow::Result<Column> {
    let name = text(value)?;
    Column::parse(&name).with_context(|| format!("know a column {name}"))
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("read {value} as text"))?.to_owned())
}

fn leaked(value: &Value) -> anyhow::Result<&'static str> {
    Ok(text(value)?.leak())
}
