//! What can be bought: committed prices from the price book, discounts that the tenant's own commitments show, and a ratio given by hand.
//! No price is assumed: usage without one is listed as unpriced.

use std::collections::BTreeMap;

use grid_analytics::Engine;
use grid_analytics::price::{PriceQuery, Quote, choose};
use grid_ml::commit::{Offer, Payment, Program, Ratio, Term};
use grid_model::table::prices::PriceRow;
use grid_model::{Amount, TenantId, Timestamp};
use serde_json::{Value, json};

use super::recommend::{Facts, Held, RecommendError, Request, Usage};

/// Kinds of usage for which prices are looked up.
const PRICED_MAX: usize = 30;
/// A savings plan is bought in tenths of a cent per hour.
const PLAN_STEP: Amount = Amount(10_i128.pow(15));

/// What a scope's offers have in common. Offers of different kinds compete for the same usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One family of machines in one region.
    Family,
    /// Spend on everything of a provider.
    Spend,
    /// More of a commitment that is there.
    More,
    /// The ratio given by hand.
    Given,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Spend => "spend",
            Self::More => "more-of-existing",
            Self::Given => "given-ratio",
        }
    }
}

/// Offers that exclude each other: of one scope, one is bought.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) offers: Vec<Offer>,
    /// Per line: where its ratio comes from.
    pub(super) evidence: Vec<Value>,
}

/// All scopes, and the kinds of usage that no committed price is known for.
pub(super) async fn scopes(
    engine: &Engine,
    tenant: &TenantId,
    now: Timestamp,
    usage: &BTreeMap<Usage, Facts>,
    held: &[Held],
    request: &Request,
) -> Result<(Vec<Scope>, Vec<String>), RecommendError> {
    let mut out = Vec::new();
    let mut unpriced = Vec::new();
    let mut plans: BTreeMap<String, Scope> = BTreeMap::new();
    let mut largest: Vec<(&Usage, &Facts)> = usage.iter().collect();
    largest.sort_by_key(|(_, facts)| std::cmp::Reverse(facts.cost));
    for (kind, facts) in largest.into_iter().take(PRICED_MAX) {
        let Some((machine, _)) = facts.types.iter().filter(|(m, _)| !m.is_empty()).max_by_key(|(_, cost)| **cost)
        else {
            unpriced.push(kind.key());
            continue;
        };
        let found = committed_prices(engine, tenant, now, kind, machine, request).await?;
        if found.is_empty() {
            unpriced.push(kind.key());
        }
        let mut family = Scope { kind: Kind::Family, name: kind.key(), offers: Vec::new(), evidence: Vec::new() };
        for price in found {
            let line = (kind.key(), price.ratio);
            if price.program == Program::SavingsPlan {
                let name = format!("{} savings plan", kind.provider);
                let plan = plans.entry(kind.provider.clone()).or_insert_with(|| Scope {
                    kind: Kind::Spend,
                    name: name.clone(),
                    offers: Vec::new(),
                    evidence: Vec::new(),
                });
                let name = format!("{name} {} {}", price.term.name(), price.payment.name());
                match plan.offers.iter_mut().find(|o| o.name == name) {
                    Some(offer) => offer.rates.push(line),
                    None => plan.offers.push(offer(name, &price, vec![line], PLAN_STEP)),
                }
                plan.evidence.push(price.evidence(&kind.key(), machine));
            } else {
                let name =
                    format!("{} {} {} {}", price.program.name(), machine, price.term.name(), price.payment.name());
                family.evidence.push(price.evidence(&kind.key(), machine));
                family.offers.push(offer(name, &price, vec![line], price.committed));
            }
        }
        if !family.offers.is_empty() {
            out.push(family);
        }
    }
    out.extend(plans.into_values());
    out.extend(held.iter().filter_map(|h| more_of(h, usage, request)));
    out.extend(given(usage, request));
    Ok((out, unpriced))
}

/// A committed price beside the on-demand price of the same thing.
struct Committed {
    program: Program,
    term: Term,
    payment: Payment,
    committed: Amount,
    ratio: Ratio,
    with: Quote,
    without: Quote,
}

impl Committed {
    fn evidence(&self, line: &str, machine: &str) -> Value {
        json!({
            "line": line, "resource_type": machine, "term": self.term.name(), "payment": self.payment.name(),
            "ratio": self.ratio.value().to_string(),
            "committed_price": self.with.price().to_string(), "on_demand_price": self.without.price().to_string(),
            "currency": self.with.row.currency,
            "committed_source": self.with.provenance(), "on_demand_source": self.without.provenance(),
            "age_days": self.with.age_days.max(self.without.age_days),
            "stale": self.with.is_stale || self.without.is_stale,
        })
    }
}

fn offer(name: String, price: &Committed, rates: Vec<(String, Ratio)>, step: Amount) -> Offer {
    Offer { name, program: price.program, term: price.term, payment: price.payment, rates, step }
}

/// Every committed price that books have for a machine in a region.
async fn committed_prices(
    engine: &Engine,
    tenant: &TenantId,
    now: Timestamp,
    kind: &Usage,
    machine: &str,
    request: &Request,
) -> Result<Vec<Committed>, RecommendError> {
    let rows = engine.prices_of(tenant, &kind.provider, machine).await?;
    let query = |option: &str| PriceQuery {
        purchase_option: option.to_owned(),
        ..PriceQuery::machine(&kind.provider, machine, &kind.region, now)
    };
    let max_age = engine.limits().price_age_days_max;
    let find =
        |query: &PriceQuery, rows: &[PriceRow]| choose(rows.to_vec(), query).ok().map(|quote| quote.aged(now, max_age));
    let mut out = Vec::new();
    let programs = [
        ("reserved", Program::ReservedInstance),
        ("savings-plan", Program::SavingsPlan),
        ("committed-use", Program::CommittedUse),
    ];
    for (option, program) in programs {
        for term in [Term::OneYear, Term::ThreeYears].into_iter().filter(|t| request.term.is_none_or(|want| want == *t))
        {
            for payment in Payment::ALL.into_iter().filter(|p| request.payment.is_none_or(|want| want == *p)) {
                let wanted = PriceQuery {
                    term: Some(term.name().to_owned()),
                    payment: Some(payment.name().to_owned()),
                    ..query(option)
                };
                // Standard reservations before convertible ones, which cost more; lists without classes have one.
                let standard = PriceQuery { offering_class: Some("standard".to_owned()), ..wanted.clone() };
                let Some(with) = find(&standard, &rows).or_else(|| find(&wanted, &rows)) else { continue };
                // The same book's on-demand price if it has one: prices of one day compare best.
                let same_book: Vec<PriceRow> = rows.iter().filter(|r| r.book == with.row.book).cloned().collect();
                let on_demand = query(grid_analytics::price::ON_DEMAND);
                let Some(without) = find(&on_demand, &same_book).or_else(|| find(&on_demand, &rows)) else { continue };
                let comparable = with.row.currency == without.row.currency && with.row.unit == without.row.unit;
                let Some(ratio) = Ratio::new(with.price(), without.price()).filter(|_| comparable) else { continue };
                out.push(Committed { program, term, payment, committed: with.price(), ratio, with, without });
            }
        }
    }
    Ok(out)
}

/// More of a commitment that is there, at the discounts that it has shown. Bills do not say its term and payment: they are those asked
/// for, else one year by the hour, and the evidence says so.
fn more_of(held: &Held, usage: &BTreeMap<Usage, Facts>, request: &Request) -> Option<Scope> {
    let (mut rates, mut evidence) = (Vec::new(), Vec::new());
    for (kind, facts) in usage {
        let Some((without, with)) = facts.covered.get(&held.id) else { continue };
        let Some(ratio) = Ratio::new(Amount(*with), Amount(*without)) else { continue };
        rates.push((kind.key(), ratio));
        evidence.push(json!({
            "line": kind.key(), "ratio": ratio.value().to_string(), "committed_source": format!("own bills, commitment {}", held.id),
            "effective_cost": Amount(*with).to_string(), "contracted_cost": Amount(*without).to_string(), "stale": false,
            "assumed": "term and payment, which bills do not say",
        }));
    }
    let offer = Offer {
        name: format!("more of {}", if held.name.is_empty() { &held.id } else { &held.name }),
        program: Program::SavingsPlan,
        term: request.term.unwrap_or(Term::OneYear),
        payment: request.payment.unwrap_or(Payment::NoUpfront),
        rates,
        step: PLAN_STEP,
    };
    (!evidence.is_empty()).then(|| Scope { kind: Kind::More, name: held.id.clone(), offers: vec![offer], evidence })
}

/// All usage at the ratio that was given.
fn given(usage: &BTreeMap<Usage, Facts>, request: &Request) -> Option<Scope> {
    let ratio = Ratio::new(request.ratio?, Amount(10_i128.pow(18)))?;
    let rates: Vec<(String, Ratio)> = usage.keys().map(|kind| (kind.key(), ratio)).collect();
    let offer = Offer {
        name: format!("everything at {} of its price", ratio.value()),
        program: Program::SavingsPlan,
        term: request.term.unwrap_or(Term::OneYear),
        payment: request.payment.unwrap_or(Payment::NoUpfront),
        rates,
        step: PLAN_STEP,
    };
    let evidence =
        vec![json!({ "line": "all", "ratio": ratio.value().to_string(), "committed_source": "given", "stale": false })];
    Some(Scope { kind: Kind::Given, name: "given ratio".to_owned(), offers: vec![offer], evidence })
}
