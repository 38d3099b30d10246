//! The bars on costs: faults injected into accounts of made-up companies over 50 seeds. A spike of 30% and more is found within a day, a drift of 10%
//! within 7 days, besides new services, new regions and usage that moved; few false alerts; the right cause first.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it measured")]

use grid_finance::calendar::Day;
use grid_findings::cost::{Cube, Kind, Row, detect};
use grid_model::Amount;

const SEEDS: u64 = 50;
const DAYS: usize = 84;
const FIRST: Day = Day(20_400);

struct Rng(u64);

impl Rng {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize % n
    }
    /// About normal: a sum of twelve uniforms.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Spike,
    Drift,
    NewService,
    NewRegion,
    Moved,
}

const FAULTS: [Fault; 6] = [Fault::None, Fault::Spike, Fault::Drift, Fault::NewService, Fault::NewRegion, Fault::Moved];
const SERVICES: [&str; 9] = ["vm", "db", "disk", "object", "cache", "queue", "gateway", "functions", "search"];
const REGIONS: [&str; 3] = ["us-east", "eu-west", "ap-south"];

struct Planted {
    fault: Fault,
    start: usize,
    end: usize,
    /// Dimension and value that the first cause must name.
    truth: (&'static str, String),
    rows: Vec<Row>,
}

fn account(rng: &mut Rng, fault: Fault) -> Planted {
    let services = 5 + rng.below(5);
    let regions = 2 + rng.below(2);
    let growth = rng.real(-0.0015, 0.003);
    let shared_weekend = rng.real(0.75, 1.0);
    // (keys, base a day, deviation, factor on weekends)
    let mut leaves: Vec<([String; 4], f64, f64, f64)> = Vec::new();
    for service in &SERVICES[..services] {
        let size = 30.0 * rng.real(0.0, 3.5).exp();
        let team = format!("team-{}", rng.below(4));
        let weekend = if rng.unit() < 0.5 { shared_weekend } else { 1.0 };
        for region in &REGIONS[..regions] {
            if rng.unit() < 0.25 {
                continue;
            }
            let share = rng.real(0.2, 1.0);
            for usage in 0..1 + rng.below(3) {
                let keys = [(*service).to_owned(), (*region).to_owned(), team.clone(), format!("{service}:{usage}")];
                leaves.push((keys, size * share * rng.real(0.3, 1.0), rng.real(0.01, 0.05), weekend));
            }
        }
    }
    let start = 48 + rng.below(18);
    let end = match fault {
        Fault::Spike => start + 1 + rng.below(3),
        _ => DAYS,
    };
    let total: f64 = leaves.iter().map(|l| l.1).sum();
    let share = |s: &str, leaves: &[([String; 4], f64, f64, f64)]| {
        leaves.iter().filter(|l| l.0[0] == s).map(|l| l.1).sum::<f64>() / total
    };
    // A fault is in a service that matters: at least a twentieth of the account.
    let large: Vec<&str> = SERVICES.into_iter().filter(|s| share(s, &leaves) >= 0.05).collect();
    let service = large[rng.below(large.len())];
    let mut factor = (1.0, String::new(), "");
    let mut truth = ("service", service.to_owned());
    let mut new: Vec<([String; 4], f64, f64, f64)> = Vec::new();
    match fault {
        Fault::None => {}
        Fault::Spike => factor = (rng.real(1.3, 3.0), service.to_owned(), "service"),
        Fault::Drift => factor = (1.1, service.to_owned(), "service"),
        Fault::NewService => {
            truth.1 = "ai".to_owned();
            let keys = ["ai", REGIONS[0], "team-0", "ai:tokens"].map(str::to_owned);
            new.push((keys, total * rng.real(0.02, 0.3), 0.05, 1.0));
        }
        Fault::NewRegion => {
            truth = ("region", "sa-east".to_owned());
            let keys = [service, "sa-east", "team-0"].map(str::to_owned);
            let [s, r, t] = keys;
            new.push(([s, r, t, format!("{service}:0")], total * rng.real(0.02, 0.2), 0.05, 1.0));
        }
        Fault::Moved => {
            truth = ("region", "sa-east".to_owned());
            for leaf in leaves.iter().filter(|l| l.0[0] == service) {
                let mut moved = leaf.clone();
                moved.0[1] = "sa-east".to_owned();
                new.push(moved);
            }
        }
    }
    let mut rows = Vec::new();
    for (n, (keys, base, deviation, weekend)) in leaves.iter().chain(&new).enumerate() {
        let is_new = n >= leaves.len();
        let costs = (0..DAYS).map(|day| {
            let is_weekend = FIRST.plus(day as i64).weekday() >= 5;
            let inside = (start..end).contains(&day);
            let mut cost = base * (1.0 + growth).powi(day as i32) * if is_weekend { *weekend } else { 1.0 };
            cost *= 1.0 + deviation * rng.noise();
            if inside && factor.2 == "service" && keys[0] == factor.1 {
                cost *= factor.0;
            }
            let gone = fault == Fault::Moved && inside && !is_new && keys[0] == service;
            if (is_new && !inside) || gone {
                cost = 0.0;
            }
            Amount((cost.max(0.0) * 1e6) as i128 * 1_000_000_000_000)
        });
        rows.push(Row { keys: keys.clone(), costs: costs.collect() });
    }
    Planted { fault, start, end, truth, rows }
}

#[test]
fn injected_faults_are_found_with_their_cause() {
    let (mut planted, mut found, mut first, mut right_kind) = (0, 0, 0, 0);
    let (mut accounts, mut false_alerts) = (0, 0);
    let mut missed: Vec<String> = Vec::new();
    for seed in 0..SEEDS {
        for fault in FAULTS {
            let mut rng = Rng(seed.wrapping_mul(7919) ^ fault as u64);
            let account = account(&mut rng, fault);
            let cube = Cube::new(FIRST, DAYS, account.rows.clone());
            let events = detect(&cube);
            if seed == 0 {
                assert_eq!(events, detect(&cube), "the same input gives the same findings");
            }
            accounts += 1;
            let delay = if fault == Fault::Drift { 7 } else { 1 };
            let day = |d: Day| (d.0 - FIRST.0) as usize;
            let of_fault = |e: &&grid_findings::cost::Event| {
                let seen = day(e.seen);
                account.fault != Fault::None && (account.start..account.end.max(account.start + delay)).contains(&seen)
            };
            false_alerts += events.iter().filter(|e| !of_fault(e)).count();
            if fault == Fault::None {
                continue;
            }
            planted += 1;
            let hit = events.iter().filter(of_fault).find(|e| day(e.seen) < account.start + delay);
            let Some(event) = hit else {
                missed.push(format!("{fault:?} of seed {seed}"));
                continue;
            };
            found += 1;
            let names = event.causes[0].pattern.parts().any(|(k, v)| (k, v) == (account.truth.0, &account.truth.1));
            // A new service is told by what only it uses as well.
            let names = names
                || fault == Fault::NewService && event.causes[0].pattern.parts().any(|(_, v)| v.starts_with("ai"));
            first += usize::from(names);
            if !names {
                missed
                    .push(format!("cause of {fault:?} of seed {seed}: {:?}, not {:?}", event.causes[0], account.truth));
            }
            let kind = match fault {
                Fault::Spike => event.kind == Kind::Spike,
                Fault::Drift => matches!(event.kind, Kind::Drift | Kind::Spike),
                Fault::Moved => event.kind == Kind::Moved,
                _ => event.kind == Kind::New,
            };
            right_kind += usize::from(kind);
        }
    }
    let recall = found as f64 / planted as f64;
    let causes = first as f64 / found as f64;
    // The first week only fills the history.
    let months = accounts as f64 * (DAYS - 7) as f64 / 30.0;
    let per_month = false_alerts as f64 / months;
    println!(
        "recall {recall:.3} of {planted}, cause first {causes:.3}, right kind {right_kind} of {found}, false alerts {per_month:.3} per account and month"
    );
    println!("{}", missed.join("\n"));
    let holds = recall >= 0.9 && causes >= 0.8 && per_month <= 1.0;
    note(holds, recall, causes, per_month);
    assert!(holds);
}

/// Notes the figures of the bar where the scorecard collects them.
fn note(holds: bool, recall: f64, causes: f64, per_month: f64) {
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    use std::io::Write as _;
    let measured = format!(
        "recall {recall:.3}, {per_month:.2} false alerts per account and month, cause first in {:.0}%",
        causes * 100.0
    );
    let line = serde_json::json!({ "bar": "cost_faults", "measured": measured, "pass": holds });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}
