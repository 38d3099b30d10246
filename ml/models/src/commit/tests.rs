//! The promises of the models, held over generated demand.
#![allow(clippy::unwrap_used, clippy::cloned_ref_to_slice_refs)]

use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, Timestamp};
use proptest::prelude::*;

use super::hindsight::least_cost;
use super::ladder::{Existing, ladder};
use super::online::{Contract, Policy, cost};
use super::optimum::{in_steps, optimum, quantile};
use super::replay::Stack;
use super::synthetic::{self, Shape};
use super::*;
use crate::NotEnoughData;

const ONE: i128 = 10_i128.pow(18);

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap().0
}

fn units(demand: &[u32]) -> Vec<Amount> {
    demand.iter().map(|d| Amount(i128::from(*d) * ONE)).collect()
}

fn ratio(percent: i128) -> Ratio {
    Ratio::new(Amount(percent * ONE), Amount(100 * ONE)).unwrap()
}

fn offer(percent: i128, term: Term, payment: Payment) -> Offer {
    let rates = vec![("m5".to_owned(), ratio(percent))];
    let name = format!("{percent} {} {}", term.name(), payment.name());
    Offer { name, program: Program::SavingsPlan, term, payment, rates, step: Amount::ZERO }
}

fn demand(hourly: Vec<Amount>) -> Demand {
    Demand::of_line(Timestamp(0), "m5", hourly).unwrap()
}

/// The paper's Algorithm 1 as it is printed.
fn printed(contract: &Contract, demand: &[u32]) -> Vec<u32> {
    let (tau, n) = (contract.term_hours, demand.len());
    let enough = contract.break_even_hours();
    let mut x = vec![0_u32; n + tau];
    let mut active = Vec::new();
    for t in 0..n {
        let from = (t + 1).saturating_sub(tau);
        while enough.is_some_and(|m| (from..=t).filter(|i| demand[*i] > x[*i]).count() >= m) {
            (from..t + tau).for_each(|i| x[i] += 1);
        }
        active.push(x[t]);
    }
    active
}

/// The least cost by trying every number of reservations in every hour.
fn by_hand(demand: &[u32], contract: &Contract) -> i128 {
    fn go(t: usize, bought: &mut Vec<u32>, demand: &[u32], c: &Contract, peak: u32) -> i128 {
        if t == demand.len() {
            return 0;
        }
        let mut best = i128::MAX;
        for r in 0..=peak {
            bought.push(r);
            let active: u32 = bought[(t + 1).saturating_sub(c.term_hours)..].iter().sum();
            let on_demand = demand[t].saturating_sub(active);
            let now = i128::from(r) * c.fee.0
                + i128::from(on_demand) * c.on_demand.0
                + i128::from(demand[t] - on_demand) * c.reserved.0;
            best = best.min(now + go(t + 1, bought, demand, c, peak));
            bought.pop();
        }
        best
    }
    go(0, &mut Vec::new(), demand, contract, demand.iter().copied().max().unwrap_or(0))
}

fn contract(fee_hours: i128, a_percent: i128, term: usize) -> Contract {
    // On demand costs 100 per hour; the fee is what `fee_hours` percent of an hour cost.
    Contract {
        fee: Amount(fee_hours * ONE),
        on_demand: Amount(100 * ONE),
        reserved: Amount(a_percent * ONE),
        term_hours: term,
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    proptest::sample::select(Shape::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_deterministic_policy_stays_within_two_minus_a(
        shape in shapes(), seed in any::<u64>(), hours in 1_usize..240, peak in 1_u32..8, term in 2_usize..60,
        fee_percent in 5_i128..99, a in 0_i128..90,
    ) {
        let fee = fee_percent * term as i128;
        let c = contract(fee, a, term);
        let stop = c.break_even_hours().unwrap_or(term);
        let d = synthetic::demand(shape, seed, hours, peak, 12, (stop, term));
        let paid = cost(&mut Policy::deterministic(&c), &c, &units(&d)).unwrap();
        let best = least_cost(&d, &c).unwrap();
        // paid <= (2 - a) x best, without a quotient.
        prop_assert!(paid.0 * 100 <= (200 - a) * best, "{} > (2 - {a}%) x {best}", paid.0);
        prop_assert!(paid.0 >= best);
    }

    #[test]
    fn the_randomised_policy_stays_within_its_promise_on_average(
        shape in shapes(), seed in any::<u64>(), hours in 1_usize..120, peak in 1_u32..4, term in 12_usize..40,
        fee_percent in 20_i128..99, a in 0_i128..60,
    ) {
        let c = contract(fee_percent * term as i128, a, term);
        let stop = c.break_even_hours().unwrap_or(term);
        let d = synthetic::demand(shape, seed, hours, peak, 12, (stop, term));
        // The mean over the draw: thresholds of equal hours are equal policies, each with its probability.
        let (e, a) = (std::f64::consts::E, a as f64 / 100.0);
        let whole = e - 1.0 + a;
        let below = |hours: usize| {
            let z = (hours as f64 * c.on_demand.0 as f64 / c.fee.0 as f64).min(1.0 / (1.0 - a));
            ((1.0 - a) * z).exp_m1() / whole
        };
        let paid = |hours: Option<usize>| cost(&mut Policy::new(&c, hours), &c, &units(&d)).unwrap().0 as f64;
        let longest = c.break_even_hours().unwrap_or(0);
        let mut mean = paid(None) * if longest == 0 { 1.0 } else { a / whole };
        mean += (1..=longest).map(|h| (below(h) - below(h - 1)) * paid(Some(h))).sum::<f64>();
        // And the draw is that distribution.
        for (draw, hours) in [(0.0, 1), (0.999 * below(1), 1)] {
            prop_assert!(longest == 0 || c.random_hours(draw) == Some(hours));
        }
        let bound = e / whole;
        let best = least_cost(&d, &c).unwrap() as f64;
        // Without a break-even within the term nobody reserves, and on demand is the best.
        prop_assert!(mean <= bound * best * (1.0 + 1e-9), "{mean} > {bound} x {best}");
    }

    #[test]
    fn the_policy_is_the_printed_one(
        shape in shapes(), seed in any::<u64>(), hours in 1_usize..80, peak in 1_u32..6, term in 1_usize..20,
        fee_percent in 1_i128..120, a in 0_i128..100,
    ) {
        let c = contract(fee_percent * term as i128, a, term);
        let d = synthetic::demand(shape, seed, hours, peak, 6, (term / 2 + 1, term));
        let mut policy = Policy::deterministic(&c);
        let active: Vec<u32> = units(&d).into_iter().map(|u| (policy.step(u).active.0 / ONE) as u32).collect();
        prop_assert_eq!(active, printed(&c, &d));
    }

    #[test]
    fn hindsight_finds_the_least_cost(
        d in proptest::collection::vec(0_u32..3, 1..7), term in 1_usize..5, fee_percent in 20_i128..150, a in 0_i128..100,
    ) {
        let c = contract(fee_percent * term as i128, a, term);
        prop_assert_eq!(least_cost(&d, &c).unwrap(), by_hand(&d, &c));
    }

    #[test]
    fn the_best_level_is_the_quantile_and_no_other_is_better(
        hourly in proptest::collection::vec(0_u32..20, 1..60), percent in 1_i128..100, other in 0_i128..2500,
    ) {
        let hourly = units(&hourly);
        let stack = Stack::new(&demand(hourly.clone()), &offer(percent, Term::OneYear, Payment::NoUpfront));
        let (level, best) = optimum(&stack);
        prop_assert_eq!(level, ratio(percent).of(quantile(&hourly, ratio(percent))));
        prop_assert!(best.cost() <= stack.replay(Amount(other * ONE / 100)).cost());
    }

    #[test]
    fn of_several_lines_no_level_is_better_either(
        cells in proptest::collection::vec((0_u32..9, 0_u32..9, 0_u32..9), 1..40),
        percents in (10_i128..95, 10_i128..95), other in 0_i128..2500,
    ) {
        let line = |key: &str, of: fn(&(u32, u32, u32)) -> u32| {
            Line { key: key.to_owned(), hourly: units(&cells.iter().map(of).collect::<Vec<_>>()) }
        };
        let d = Demand::new(Timestamp(0), vec![line("a", |c| c.0), line("b", |c| c.1), line("c", |c| c.2)]).unwrap();
        let rates = vec![("a".to_owned(), ratio(percents.0)), ("b".to_owned(), ratio(percents.1))];
        let o = Offer { rates, ..offer(50, Term::OneYear, Payment::NoUpfront) };
        let stack = Stack::new(&d, &o);
        let (level, best) = optimum(&stack);
        let tried = stack.replay(Amount(other * ONE / 100));
        // Half a unit in the last place per hour and line may be lost to rounding.
        prop_assert!(best.cost().0 <= tried.cost().0 + 200);
        for r in [best, tried] {
            prop_assert_eq!(r.cost().0, r.eligible.0 - r.saving().0);
            prop_assert!(r.used <= r.committed && r.covered <= r.eligible && r.used.0 >= 0);
        }
        // What a commitment has covered leaves no more than the rest.
        let left = d.without(&o.rates, level);
        let rest = Stack::new(&left, &o).replay(Amount::ZERO).eligible;
        prop_assert!((rest.0 - best.overage().0).abs() <= 200, "{rest} {}", best.overage());
    }

    #[test]
    fn on_stationary_demand_the_advice_costs_little_more_than_the_best(seed in any::<u64>(), percent in 30_i128..85) {
        let hours = (90 + 180) * 24;
        let all = units(&synthetic::demand(Shape::Stationary, seed, hours, 100, 24, (1, 1)));
        let (past, future) = all.split_at(90 * 24);
        let o = offer(percent, Term::OneYear, Payment::NoUpfront);
        let settings = Settings { paths: 0, ..Settings::default() };
        let answer = recommend(&demand(past.to_vec()), &[o.clone()], &[], Timestamp(0), &settings).unwrap();
        let stack = Stack::new(&demand(future.to_vec()), &o);
        let (_, best) = optimum(&stack);
        let ours = stack.replay(answer.candidates[0].hourly);
        prop_assert!(ours.cost().0 * 100 <= best.cost().0 * 105, "{} > 1.05 x {}", ours.cost(), best.cost());
    }

    #[test]
    fn advice_never_costs_more_than_on_demand_on_what_it_has_seen(shape in shapes(), seed in any::<u64>(), percent in 30_i128..95) {
        let d = units(&synthetic::demand(shape, seed, 60 * 24, 50, 24, (100, 200)));
        let o = offer(percent, Term::ThreeYears, Payment::AllUpfront);
        let answer = recommend(&demand(d), &[o], &[], Timestamp(0), &Settings::default()).unwrap();
        let c = &answer.candidates[0];
        let longest = c.longest().unwrap();
        // The least of the best levels lies left of each window's bend, where cost still falls.
        prop_assert!(longest.replay.saving() >= Amount::ZERO);
        prop_assert!(c.windows.iter().all(|w| w.regret() >= Amount::ZERO && w.replay.saving() >= Amount::ZERO));
        prop_assert!(c.risk.falls.windows(2).all(|f| f[0].saving >= f[1].saving));
        if let Advice::Buy(at) = answer.advice {
            prop_assert!(answer.candidates[at].hourly > Amount::ZERO);
        }
    }
}

#[test]
fn steady_demand_is_committed_whole() {
    // 2 per hour at 60%: 1.2 committed per hour, 0.8 saved.
    let d = demand(vec![amount("2"); 30 * 24]);
    let o = offer(60, Term::OneYear, Payment::PartialUpfront);
    let answer = recommend(&d, &[o], &[], Timestamp(0), &Settings::default()).unwrap();
    assert_eq!(answer.advice, Advice::Buy(0));
    let c = &answer.candidates[0];
    let shown = |a: Amount| a.to_string();
    assert_eq!(shown(c.hourly), "1.2");
    // 1.2 x 8,760 = 10,512: half at once, half over twelve months.
    assert_eq!((shown(c.upfront), shown(c.monthly)), ("5256".to_owned(), "438".to_owned()));
    assert_eq!(shown(c.monthly_saving), "584");
    // 10,512 over 1,460 a month.
    assert_eq!(shown(c.break_even_months.unwrap()), "7.2");
    let last = c.longest().unwrap();
    assert_eq!(
        (last.days, shown(last.replay.utilisation().unwrap()), shown(last.regret())),
        (30, "1".into(), "0".into())
    );
    assert_eq!(shown(last.replay.coverage().unwrap()), "1");
    // A fall to 60% of demand is where it stops to save.
    assert_eq!(c.risk.break_even_fall, Some(40));
    assert_eq!(c.risk.falls.iter().map(|f| shown(f.saving)).collect::<Vec<_>>(), ["432", "216", "-144"]);
    let b = c.risk.bootstrap.unwrap();
    assert_eq!((shown(b.saving_p5), shown(b.saving_p95), b.losing), ("576".into(), "576".into(), 0));
    assert_eq!(shown(c.risk.worst), "10512");
    // Thirty days are not enough for the policy that promises something: it waits for 5,257 hours in use.
    assert_eq!(c.guaranteed_hourly, Amount::ZERO);
}

#[test]
fn existing_commitments_come_first_and_expired_ones_do_not() {
    let d = demand(vec![amount("2"); 30 * 24]);
    let o = offer(50, Term::OneYear, Payment::NoUpfront);
    let held = |ends| Existing { id: "c".into(), rates: o.rates.clone(), hourly: amount("0.75"), ends };
    let level = |existing: &[Existing]| {
        let now = Timestamp(DAY_NS);
        recommend(&d, &[o.clone()], existing, now, &Settings::default()).unwrap().candidates[0].hourly.to_string()
    };
    assert_eq!(level(&[]), "1");
    assert_eq!(level(&[held(None)]), "0.25");
    assert_eq!(level(&[held(Some(Timestamp(DAY_NS)))]), "1");
    let all = Existing { hourly: amount("5"), ..held(None) };
    let answer = recommend(&d, &[o.clone()], &[all], Timestamp(0), &Settings::default()).unwrap();
    assert_eq!(answer.advice, Advice::NothingToCover);
}

#[test]
fn too_little_demand_is_no_answer_and_no_saving_is_no_purchase() {
    let o = offer(60, Term::OneYear, Payment::NoUpfront);
    let short = recommend(&demand(vec![amount("1"); 100]), &[o.clone()], &[], Timestamp(0), &Settings::default());
    assert_eq!(short, Err(NotEnoughData { have: 100, need: 336 }));
    // Half the hours in use cannot pay for 60% of all.
    let half: Vec<Amount> = (0..720).map(|h| if h % 2 == 0 { amount("1") } else { Amount::ZERO }).collect();
    let answer = recommend(&demand(half), &[o], &[], Timestamp(0), &Settings::default()).unwrap();
    assert_eq!((answer.advice, answer.candidates[0].hourly), (Advice::NothingSaves, Amount::ZERO));
}

#[test]
fn a_fresh_fall_is_seen_by_the_short_window() {
    let fallen: Vec<Amount> = (0..90 * 24).map(|h| if h < 80 * 24 { amount("10") } else { amount("3") }).collect();
    let o = offer(50, Term::OneYear, Payment::NoUpfront);
    let answer = recommend(&demand(fallen), &[o], &[], Timestamp(0), &Settings::default()).unwrap();
    let c = &answer.candidates[0];
    assert_eq!(
        c.windows.iter().map(|w| (w.days, w.best.to_string())).collect::<Vec<_>>(),
        [(7, "1.5".to_owned()), (30, "5".to_owned()), (60, "5".to_owned()), (90, "5".to_owned()),]
    );
    assert_eq!(c.hourly.to_string(), "1.5");
}

#[test]
fn three_years_want_ninety_days() {
    let advice = |days: usize, offers: &[Offer]| {
        let d = demand(vec![amount("1"); days * 24]);
        let found = recommend(&d, offers, &[], Timestamp(0), &Settings::default()).unwrap();
        match found.advice {
            Advice::Buy(at) => found.candidates[at].offer.term.name(),
            Advice::TooLittleForTerm => "too little",
            _ => "nothing",
        }
    };
    let (short, long) = (offer(60, Term::OneYear, Payment::NoUpfront), offer(40, Term::ThreeYears, Payment::NoUpfront));
    assert_eq!(advice(89, &[short.clone(), long.clone()]), "1y");
    assert_eq!(advice(89, std::slice::from_ref(&long)), "too little");
    assert_eq!(advice(90, &[short, long]), "3y");
}

#[test]
fn machines_come_whole() {
    let d = demand(vec![amount("2.5"); 48]);
    let o = Offer { step: amount("0.6"), ..offer(60, Term::OneYear, Payment::NoUpfront) };
    let stack = Stack::new(&d, &o);
    // 1.5 committed covers all; two machines at 0.6 leave 0.5 on demand, three lose 0.3: 1.7 against 1.8.
    assert_eq!(in_steps(&stack, optimum(&stack).0, o.step).to_string(), "1.2");
}

#[test]
fn a_ladder_reaches_its_goal_and_replaces_what_ends() {
    let o = offer(50, Term::OneYear, Payment::NoUpfront);
    let show = |existing: &[Existing], hourly: &str| {
        let steps = ladder(&o, amount(hourly), existing, Timestamp(0), 4, 30);
        steps.iter().map(|t| format!("{}:{}", t.buy.0 / DAY_NS, t.hourly)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(show(&[], "8"), "0:2 30:2 60:2 90:2");
    assert_eq!(show(&[], "0"), "");
    let ends =
        Existing { id: "x".into(), rates: o.rates.clone(), hourly: amount("3"), ends: Some(Timestamp(45 * DAY_NS)) };
    assert_eq!(show(std::slice::from_ref(&ends), "8"), "0:2 30:2 60:5 90:2");
    assert_eq!(show(&[ends], "0"), "60:3");
    let whole = ladder(&Offer { step: amount("3"), ..o.clone() }, amount("8"), &[], Timestamp(0), 4, 30);
    assert_eq!(whole.iter().map(|t| t.hourly.to_string()).collect::<Vec<_>>(), ["3", "3"]);
    // The first portion is too small for a whole machine; a year of 8,760 hours follows day 30.
    assert_eq!(whole[0].ends, Timestamp(30 * DAY_NS + 8760 * HOUR_NS));
}

#[test]
fn a_bad_demand_says_what_is_bad() {
    let line = |key: &str, hourly: Vec<Amount>| Line { key: key.to_owned(), hourly };
    let bad = |lines| Demand::new(Timestamp(0), lines).unwrap_err().to_string();
    assert_eq!(bad(vec![line("a", vec![amount("1")]), line("b", vec![])]), "b has 0 hours, the first line has 1");
    assert_eq!(
        bad(vec![line("a", vec![amount("1"), amount("-1")])]),
        "a costs -1 in hour 1, which is not between 0 and 1000000000000"
    );
    assert!(Ratio::new(Amount::ZERO, amount("1")).is_none());
    assert_eq!(ratio(60).break_even_hours(8760), Some(5257));
}
