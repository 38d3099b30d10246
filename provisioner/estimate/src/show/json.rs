//! JSON in the shape of Infracost's output, format 0.2, so that what reads that reads this. Every decimal is a string. Where
//! something is unknown the key holds `null`, never `"0"`; what is Grid's own beside that shape begins with `grid`.

use grid_model::Amount;
use serde_json::{Value as Json, json};

use crate::compare::{Comparison, Verdict};
use crate::component::MONTH_HOURS;
use crate::estimate::{Estimate, Estimated, Line, Monthly, Priced, Status, Total, by_hour};
use crate::quantity::{quotient, whole};

/// The whole document. `before` is what the plan starts from, or another option.
pub fn json(
    name: &str,
    estimate: &Estimate,
    change: Option<(&Estimate, &Comparison<'_>)>,
    budget: Option<(Amount, Verdict)>,
) -> Json {
    let breakdown = breakdown(estimate);
    let total = totals(&estimate.total);
    let mut project = json!({
        "name": name,
        "metadata": {},
        "breakdown": breakdown,
        "pastBreakdown": null,
        "diff": null,
        "summary": summary(estimate),
    });
    let mut document = json!({
        "version": "0.2",
        "currency": estimate.currency.0,
        "totalHourlyCost": total.0,
        "totalMonthlyCost": total.1,
        "totalMonthlyUsageCost": text(Some(estimate.total.usage)),
        "pastTotalHourlyCost": null,
        "pastTotalMonthlyCost": null,
        "diffTotalHourlyCost": null,
        "diffTotalMonthlyCost": null,
        "summary": summary(estimate),
        "gridUnknown": estimate.total.unknown,
        "gridUsageUnset": estimate.total.unset,
        "gridLowerBound": text(Some(estimate.total.monthly)),
        "gridNotes": estimate.notes.told,
    });
    if let Some((before, comparison)) = change {
        let past = totals(&before.total);
        let difference = comparison.certain.then_some(comparison.difference);
        project["pastBreakdown"] = self::breakdown(before);
        project["diff"] = difference_of(comparison);
        document["pastTotalHourlyCost"] = past.0;
        document["pastTotalMonthlyCost"] = past.1;
        document["diffTotalHourlyCost"] = text(difference.and_then(by_hour));
        document["diffTotalMonthlyCost"] = text(difference);
        document["gridKnownDifference"] = text(Some(comparison.difference));
    }
    if let Some((limit, verdict)) = budget {
        let verdict = match verdict {
            Verdict::Within => "within",
            Verdict::Above => "above",
            Verdict::Unknown => "unknown",
        };
        document["gridBudget"] = json!({ "monthly": limit.to_string(), "verdict": verdict });
    }
    document["projects"] = json!([project]);
    document
}

fn text(amount: Option<Amount>) -> Json {
    amount.map_or(Json::Null, |a| Json::String(a.to_string()))
}

/// Hourly and monthly; `null` while a part is unknown.
fn totals(total: &Total) -> (Json, Json) {
    let known = (total.unknown == 0).then_some(total.monthly);
    (text(known.and_then(by_hour)), text(known))
}

fn breakdown(estimate: &Estimate) -> Json {
    let total = totals(&estimate.total);
    let of = |test: fn(&Status) -> bool| estimate.resources.iter().filter(move |r| test(&r.status));
    let free = of(|s| matches!(s, Status::Free)).map(|r| json!({ "name": r.address, "resourceType": r.kind }));
    let unpriced = estimate.resources.iter().filter_map(|r| {
        let why = match &r.status {
            Status::Unsupported(why) => why.clone(),
            Status::Unknown(attribute) => format!("{attribute} is known only after apply"),
            _ => return None,
        };
        Some(json!({ "name": r.address, "resourceType": r.kind, "gridReason": why }))
    });
    json!({
        "resources": of(|s| matches!(s, Status::Estimated(_))).map(resource).collect::<Vec<_>>(),
        "freeResources": free.collect::<Vec<_>>(),
        "unsupportedResources": unpriced.collect::<Vec<_>>(),
        "totalHourlyCost": total.0,
        "totalMonthlyCost": total.1,
        "totalMonthlyUsageCost": text(Some(estimate.total.usage)),
    })
}

fn resource(estimated: &Estimated) -> Json {
    let total = totals(&estimated.total);
    let mut json = json!({
        "name": estimated.address,
        "resourceType": estimated.kind,
        "metadata": {},
        "hourlyCost": total.0,
        "monthlyCost": total.1,
        "gridRegion": estimated.region,
        "gridAssumed": estimated.assumed,
    });
    if let Status::Estimated(priced) = &estimated.status {
        fill(&mut json, priced);
    }
    json
}

fn fill(json: &mut Json, priced: &Priced) {
    json["costComponents"] = priced.lines.iter().map(component).collect();
    let parts = priced.parts.iter().map(|(name, part)| {
        let total = totals(&part.total());
        let mut json = json!({ "name": name, "metadata": {}, "hourlyCost": total.0, "monthlyCost": total.1 });
        fill(&mut json, part);
        json
    });
    json["subresources"] = parts.collect();
}

fn component(line: &Line) -> Json {
    let quantity = line.component.quantity.0;
    let monthly = match line.monthly {
        Monthly::Known(amount) => Some(amount),
        Monthly::Unset | Monthly::Unknown => None,
    };
    let hourly = |a: Option<Amount>| a.and_then(|a| quotient(a, whole(MONTH_HOURS)));
    json!({
        "name": line.component.name,
        "unit": line.component.unit,
        "hourlyQuantity": text(hourly(quantity)),
        "monthlyQuantity": text(quantity),
        "price": text(line.price),
        "hourlyCost": text(hourly(monthly)),
        "monthlyCost": text(monthly),
        "usageBased": line.component.usage,
        "priceNotFound": line.price.is_none(),
        "gridStatus": match line.monthly {
            Monthly::Known(_) => "known",
            Monthly::Unset => "depends_on_usage",
            Monthly::Unknown => "unknown",
        },
        "gridPriceQuery": {
            "provider": line.component.query.provider,
            "service": line.component.query.service,
            "region": line.component.query.region,
            "resourceType": line.component.query.kind,
            "attributes": line.component.query.attributes,
        },
    })
}

fn difference_of(comparison: &Comparison<'_>) -> Json {
    let changed = comparison.pairs.iter().filter(|(_, p)| p.change != crate::compare::Change::Same);
    let resources = changed.map(|(address, pair)| {
        let known = pair.certain.then_some(pair.difference);
        let kind = pair.after.or(pair.before).map(|e| e.kind.as_str());
        json!({
            "name": address,
            "resourceType": kind,
            "metadata": {},
            "hourlyCost": text(known.and_then(by_hour)),
            "monthlyCost": text(known),
            "gridKnownDifference": text(Some(pair.difference)),
            "gridChange": format!("{:?}", pair.change).to_lowercase(),
        })
    });
    let known = comparison.certain.then_some(comparison.difference);
    json!({
        "resources": resources.collect::<Vec<_>>(),
        "totalHourlyCost": text(known.and_then(by_hour)),
        "totalMonthlyCost": text(known),
    })
}

fn summary(estimate: &Estimate) -> Json {
    let supported = estimate.count(|s| matches!(s, Status::Estimated(_) | Status::Unknown(_)));
    let unsupported = estimate.unsupported();
    json!({
        "totalDetectedResources": estimate.resources.len(),
        "totalSupportedResources": supported,
        "totalUnsupportedResources": unsupported.values().sum::<u64>(),
        "totalUsageBasedResources": estimate.resources.iter().filter(|r| r.total.unset > 0 || r.total.usage.0 > 0).count(),
        "totalNoPriceResources": estimate.count(|s| matches!(s, Status::Free)),
        "unsupportedResourceCounts": unsupported,
        "noPriceResourceCounts": free_counts(estimate),
        "gridUnknownResources": estimate.count(|s| matches!(s, Status::Unknown(_))),
    })
}

fn free_counts(estimate: &Estimate) -> std::collections::BTreeMap<&str, u64> {
    let mut counts = std::collections::BTreeMap::new();
    for resource in estimate.resources.iter().filter(|r| matches!(r.status, Status::Free)) {
        *counts.entry(resource.kind.as_str()).or_insert(0) += 1;
    }
    counts
}
