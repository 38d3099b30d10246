//! Who pays for what, through the real binary: per currency and per resource the allocations are the bill, to the last digit, and each owner's
//! cost is what an independent computation says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use grid_tests::answer::decimal;
use grid_tests::{Grid, figure, run_grid, shared_data, skip};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

/// Decimals that Grid keeps.
const SCALE: u32 = 18;
/// Generated bills of the property.
const BILLS: usize = 500;
/// Owners of the large bill.
const OWNERS: usize = 200;

/// One row of a generated bill.
#[derive(Debug, Clone, Default)]
struct Row {
    provider: &'static str,
    currency: &'static str,
    service: String,
    resource: String,
    category: &'static str,
    unused: bool,
    hour: u32,
    /// Units of 10^-18.
    cost: i128,
    tags: Vec<(String, String)>,
}

/// A bill in FOCUS' words.
fn csv(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "BilledCost",
        "EffectiveCost",
        "ListCost",
        "ContractedCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "ChargeCategory",
        "ServiceName",
        "ProviderName",
        "SubAccountId",
        "ResourceId",
        "CommitmentDiscountStatus",
        "Tags",
    ])?;
    for row in rows {
        let cost = decimal(row.cost, SCALE);
        let (day, hour) = (row.hour / 24 + 1, row.hour % 24);
        let start = format!("2026-09-{day:02}T{hour:02}:00:00Z");
        let next = row.hour + 1;
        let end = format!("2026-09-{:02}T{:02}:00:00Z", next / 24 + 1, next % 24);
        let tags: serde_json::Map<String, Value> = row.tags.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let tags = Value::Object(tags).to_string();
        let cells: [&str; 17] = [
            &cost,
            &cost,
            &cost,
            &cost,
            "acct",
            row.currency,
            "2026-09-01T00:00:00Z",
            "2026-10-01T00:00:00Z",
            &start,
            &end,
            row.category,
            &row.service,
            row.provider,
            "sub-1",
            &row.resource,
            if row.unused { "Unused" } else { "" },
            &tags,
        ];
        out.write_record(cells)?;
    }
    out.into_inner().map_err(|e| anyhow::anyhow!("{e}"))
}

async fn import(grid: &Grid, tenant: &str, dataset: &str, rows: &[Row]) -> anyhow::Result<()> {
    let path = format!("/api/v1/imports?format=focus&name=bill.csv&dataset={dataset}");
    let request = grid.client.post(format!("{}{path}", grid.http)).header("x-scope-orgid", tenant);
    let answer = request.header("content-type", "text/csv").body(csv(rows)?).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    Ok(())
}

async fn call(
    grid: &Grid,
    tenant: &str,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let mut request = grid.client.request(method, format!("{}{path}", grid.http)).header("x-scope-orgid", tenant);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).with_context(|| format!("read {text}"))
}

/// A decimal of an answer in units of 10^-18.
fn units(text: &str) -> anyhow::Result<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |d| (-1, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: i128 = format!("{whole}{fraction:0<18}").parse().with_context(|| format!("read {text}"))?;
    Ok(sign * digits)
}

fn cell<'a>(row: &'a grid_tests::server::Row, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Sums by currency and resource.
async fn by_resource(grid: &Grid, tenant: &str) -> anyhow::Result<BTreeMap<(String, String), i128>> {
    let query =
        "SELECT billing_currency AS c, coalesce(resource_id, '') AS r, sum(cost) AS s FROM allocations GROUP BY 1, 2";
    let rows = grid.sql(tenant, query).await?;
    rows.iter().map(|r| Ok(((cell(r, "c").to_owned(), cell(r, "r").to_owned()), units(cell(r, "s"))?))).collect()
}

/// An amount of up to 13 digits with many decimals; now and then a credit.
fn any_cost(rng: &mut StdRng) -> i128 {
    let digits: u32 = rng.random_range(6..22);
    let units = rng.random_range(0..10_i128.pow(digits));
    if rng.random_bool(0.1) { -units } else { units }
}

const RULES: &str = r#"
[[dimension]]
name = "owner"
from = ["tag.owner", "tag.Owner"]

[[share]]
of = "platform"
by = "proportional"

[[share]]
of = "idle"
by = "proportional"

[[rule]]
name = "shared network"
match = { service = "network" }
split = { by = "proportional" }

[[rule]]
name = "logging"
match = { service = "logs" }
split = { by = "even", to = ["a", "b", "c"] }

[[rule]]
name = "support"
match = { service = "support" }
split = { by = "fixed", shares = { a = 60, b = 39.5, d = 0.5 } }

[[rule]]
name = "owner tag"
assign = { owner = "{dim.owner}" }
"#;

fn random_bill(rng: &mut StdRng) -> Vec<Row> {
    let count = rng.random_range(1..40);
    let one = |rng: &mut StdRng| {
        let pick = |rng: &mut StdRng, words: &[&'static str]| words[rng.random_range(0..words.len())];
        let mut tags = Vec::new();
        if rng.random_bool(0.7) {
            let owner = pick(rng, &["a", "b", "c", "d", "platform", "e'é"]);
            tags.push((pick(rng, &["owner", "Owner"]).to_owned(), owner.to_owned()));
        }
        Row {
            provider: pick(rng, &["AWS", "Microsoft", "Google Cloud"]),
            currency: pick(rng, &["USD", "USD", "EUR", "JPY"]),
            service: pick(rng, &["compute", "compute", "db", "network", "logs", "support"]).to_owned(),
            resource: if rng.random_bool(0.9) { format!("r{}", rng.random_range(0..12)) } else { String::new() },
            category: pick(rng, &["Usage", "Usage", "Tax", "Credit"]),
            unused: rng.random_bool(0.1),
            hour: rng.random_range(0..48),
            cost: any_cost(rng),
            tags,
        }
    };
    (0..count).map(|_| one(rng)).collect()
}

#[tokio::test]
async fn allocations_are_the_bill_on_500_generated_ones() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let tenant = "generated";
    let body = json!({ "text": RULES, "expected_version": 0 });
    call(&grid, tenant, reqwest::Method::PUT, "/api/v1/costs/rules", Some(body)).await?;
    let mut rng = StdRng::seed_from_u64(26);
    let mut expected: BTreeMap<(String, String), i128> = BTreeMap::new();
    let mut totals: BTreeMap<(String, String), i128> = BTreeMap::new();
    for n in 0..BILLS {
        let mut rows = random_bill(&mut rng);
        for row in &mut rows {
            // Resources of their own, so that one query compares every bill's.
            if !row.resource.is_empty() {
                row.resource = format!("b{n}-{}", row.resource);
            }
            *expected.entry((row.currency.to_owned(), row.resource.clone())).or_default() += row.cost;
            *totals.entry((format!("bill-{n}"), row.currency.to_owned())).or_default() += row.cost;
        }
        import(&grid, tenant, &format!("bill-{n}"), &rows).await?;
    }
    call(&grid, tenant, reqwest::Method::POST, "/api/v1/costs/allocation", Some(json!({}))).await?;
    let found = by_resource(&grid, tenant).await?;
    let wrong_resources = expected.iter().filter(|(key, cost)| found.get(*key).unwrap_or(&0) != *cost).count();
    ensure!(found.keys().all(|key| expected.contains_key(key)), "resources that no bill has");

    let query = "SELECT DISTINCT i.dataset AS d, a.billing_currency AS c, a.s AS s FROM \
         (SELECT import_id, billing_currency, sum(cost) AS s FROM allocations GROUP BY 1, 2) a \
         JOIN (SELECT DISTINCT import_id, dataset FROM grid.imports) i ON i.import_id = a.import_id";
    let mut per_bill: BTreeMap<(String, String), i128> = BTreeMap::new();
    for row in grid.sql(tenant, query).await? {
        per_bill.insert((cell(&row, "d").to_owned(), cell(&row, "c").to_owned()), units(cell(&row, "s"))?);
    }
    let wrong_bills = totals.iter().filter(|(key, cost)| per_bill.get(*key).unwrap_or(&0) != *cost).count();
    let negative = "SELECT count(*) FROM allocations WHERE kind = 'idle' AND cost < 0";
    let negative_idle = grid.count(tenant, negative).await?;
    let measured = format!(
        "{BILLS} bills, {} sums by currency, {wrong_bills} differ; {} resources, {wrong_resources} differ; {negative_idle} rows of negative idle",
        totals.len(),
        expected.len()
    );
    let held = figure("allocation_property", wrong_bills + wrong_resources == 0 && negative_idle == 0, measured);
    ensure!(held, "allocations differ from their bills");
    Ok(())
}

#[tokio::test]
async fn allocations_are_the_bill_on_every_sample() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("allocation_samples", "no ../shared/data here") };
    let samples = ["bills/aws_cur_sample.csv", "focus/focus_sample_500.csv", "bills/azure_ea_sample.csv"];
    let (mut told, mut exact) = (String::new(), true);
    for sample in samples {
        let folder = tempfile::tempdir()?;
        let dir = folder.path().join("data").to_string_lossy().into_owned();
        let file = data.join(sample).to_string_lossy().into_owned();
        if let Err(e) = run_grid(&["import", "bill", &file, "--dataset", "sample", "--data-dir", &dir]).await {
            write!(
                told,
                "{sample}: no format that this build imports ({}); ",
                e.to_string().lines().next().unwrap_or_default()
            )?;
            continue;
        }
        let answer = run_grid(&["cost", "allocate", "--data-dir", &dir, "-o", "json"]).await?;
        let answer: Value = serde_json::from_str(&answer)?;
        for sum in answer["state"]["reconciliation"].as_array().context("read the reconciliation")? {
            exact &= sum["difference"] == "0" && sum["charged"] != "";
            write!(
                told,
                "{sample}: {} {} charged, difference {}; ",
                sum["currency"], sum["charged"], sum["difference"]
            )?;
        }
        let differ = "SELECT count(*) AS n FROM (SELECT billing_currency AS c, coalesce(resource_id, '') AS r, sum(effective_cost) AS s \
             FROM charges GROUP BY 1, 2) b FULL JOIN (SELECT billing_currency AS c, coalesce(resource_id, '') AS r, sum(cost) AS s \
             FROM allocations GROUP BY 1, 2) a ON a.c = b.c AND a.r = b.r WHERE a.s IS DISTINCT FROM b.s";
        let rows: Vec<Value> =
            serde_json::from_str(&run_grid(&["query", differ, "--data-dir", &dir, "-o", "json"]).await?)?;
        exact &= rows.first().is_some_and(|r| r["n"] == 0);
    }
    ensure!(figure("allocation_samples", exact, told.trim_end_matches("; ")), "{told}");
    Ok(())
}

/// `a * b / c` rounded down, and the remainder, by long division: the independent computation shares no code with Grid's.
fn mul_div(a: u128, b: u128, c: u128) -> (u128, u128) {
    // The product as two halves, by 64-bit digits.
    let (a1, a0, b1, b0) = (a >> 64, a & u128::from(u64::MAX), b >> 64, b & u128::from(u64::MAX));
    let middle = a1 * b0 + ((a0 * b0) >> 64);
    let (carry, middle) = (middle >> 64, (middle & u128::from(u64::MAX)) + a0 * b1);
    let high = a1 * b1 + carry + (middle >> 64);
    let low = (middle << 64) | ((a0 * b0) & u128::from(u64::MAX));
    let (mut quotient, mut rest) = (0_u128, high % c);
    assert_eq!(high / c, 0, "the quotient fits");
    for bit in (0..128).rev() {
        rest = (rest << 1) | (low >> bit & 1);
        quotient <<= 1;
        if rest >= c {
            rest -= c;
            quotient |= 1;
        }
    }
    (quotient, rest)
}

/// Shares of an amount by weights: largest remainders, the first of equals first.
fn shares(amount: i128, weights: &[u128]) -> Vec<i128> {
    let total: u128 = weights.iter().sum();
    let whole = amount.unsigned_abs();
    let exact: Vec<(u128, u128)> = weights.iter().map(|w| mul_div(whole, *w, total)).collect();
    let mut parts: Vec<u128> = exact.iter().map(|(q, _)| *q).collect();
    let left = usize::try_from(whole - parts.iter().sum::<u128>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| exact[*b].1.cmp(&exact[*a].1).then(a.cmp(b)));
    for i in order.into_iter().take(left) {
        parts[i] += 1;
    }
    parts.into_iter().map(|p| if amount < 0 { -(p as i128) } else { p as i128 }).collect()
}

/// The rules of the large bill: five shared costs, and owners whose tags drift.
fn large_rules() -> String {
    let mut rules = String::from(
        r#"
[[dimension]]
name = "owner"
from = ["tag.owner", "tag.Owner", "tag.team"]

[[rule]]
name = "network"
match = { service = "Network" }
split = { by = "proportional" }

[[rule]]
name = "tax"
match = { charge_category = "Tax" }
split = { by = "proportional" }

[[rule]]
name = "logs"
match = { service = "Logs" }
split = { by = "even", to = ["o003", "o001", "o002"] }

[[rule]]
name = "support"
match = { service = "Support" }
split = { by = "fixed", shares = { o010 = 50, o011 = 30, o012 = 19.5, o013 = 0.5 } }

[[rule]]
name = "security"
match = { service = "Security" }
split = { by = "proportional", to = ["o020", "o021", "o022", "o023"] }

[[rule]]
name = "owner tag"
assign = { owner = "{dim.owner}" }
"#,
    );
    for n in 0..OWNERS {
        rules.push_str(&format!(
            "\n[owners.o{n:03}]\naliases = [\"Owner {n}\", \"team-{n}-*\"]\nteam = \"t{}\"\n",
            n % 10
        ));
    }
    rules
}

#[tokio::test]
async fn each_owner_pays_what_an_independent_computation_says() -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(200);
    let clouds = [("AWS", "USD"), ("Microsoft", "EUR"), ("Google Cloud", "USD")];
    let mut rows: Vec<Row> = Vec::new();
    // What each row's owner is, known from how the row is made and not from its tags.
    let mut owner_of: Vec<Option<usize>> = Vec::new();
    for n in 0..20_000_usize {
        let (provider, currency) = clouds[n % 3];
        let owner = rng.random_bool(0.95).then(|| rng.random_range(0..OWNERS));
        let tags = owner.map(|o| {
            let key = ["owner", "Owner", "team"][rng.random_range(0..3)];
            let value = [
                format!("o{o:03}"),
                format!("O{o:03}"),
                format!(" o{o:03} "),
                format!("Owner {o}"),
                format!("owner {o}"),
                format!("TEAM-{o}-prod"),
            ][rng.random_range(0..6)]
            .clone();
            (key.to_owned(), value)
        });
        rows.push(Row {
            provider,
            currency,
            service: ["Compute", "Database", "Storage"][rng.random_range(0..3)].to_owned(),
            resource: format!("res-{}", rng.random_range(0..4000)),
            category: if rng.random_bool(0.02) { "Credit" } else { "Usage" },
            hour: rng.random_range(0..24 * 20),
            cost: any_cost(&mut rng),
            tags: tags.into_iter().collect(),
            ..Row::default()
        });
        owner_of.push(owner);
    }
    let direct_rows = rows.len();
    for n in 0..500 {
        let (provider, currency) = clouds[n % 3];
        let service = ["Network", "Taxed", "Logs", "Support", "Security"][n % 5];
        rows.push(Row {
            provider,
            currency,
            service: service.to_owned(),
            // Each of its own resource: one group of charges, one split.
            resource: format!("shared-{n}"),
            category: if service == "Taxed" { "Tax" } else { "Usage" },
            hour: 1,
            cost: any_cost(&mut rng),
            ..Row::default()
        });
    }

    // The independent computation.
    let mut direct: BTreeMap<(&str, usize), i128> = BTreeMap::new();
    let mut expected: BTreeMap<(String, String), i128> = BTreeMap::new();
    let mut unallocated: BTreeMap<String, i128> = BTreeMap::new();
    for (row, owner) in rows[..direct_rows].iter().zip(&owner_of) {
        match owner {
            Some(o) => *direct.entry((row.currency, *o)).or_default() += row.cost,
            None => *unallocated.entry(row.currency.to_owned()).or_default() += row.cost,
        }
    }
    for ((currency, owner), cost) in &direct {
        *expected.entry(((*currency).to_owned(), format!("o{owner:03}"))).or_default() += cost;
    }
    let cost_of =
        |currency: &str, owner: usize| direct.get(&(currency, owner)).copied().unwrap_or(0).max(0).unsigned_abs();
    for row in &rows[direct_rows..] {
        let everyone = || direct.keys().filter(|(c, _)| *c == row.currency).map(|(_, o)| *o).collect::<Vec<_>>();
        let (owners, weights): (Vec<usize>, Vec<u128>) = match row.service.as_str() {
            "Network" | "Taxed" => (everyone(), everyone().iter().map(|o| cost_of(row.currency, *o)).collect()),
            "Logs" => (vec![3, 1, 2], vec![1, 1, 1]),
            "Support" => (vec![10, 11, 12, 13], vec![500, 300, 195, 5]),
            _ => ((20..24).collect(), (20..24).map(|o| cost_of(row.currency, o)).collect()),
        };
        for (owner, part) in owners.iter().zip(shares(row.cost, &weights)) {
            *expected.entry((row.currency.to_owned(), format!("o{owner:03}"))).or_default() += part;
        }
    }

    let grid = Grid::start().await?;
    let tenant = "large";
    call(&grid, tenant, reqwest::Method::PUT, "/api/v1/costs/rules", Some(json!({ "text": large_rules() }))).await?;
    import(&grid, tenant, "clouds", &rows).await?;
    call(&grid, tenant, reqwest::Method::POST, "/api/v1/costs/allocation", Some(json!({}))).await?;
    let query = "SELECT billing_currency AS c, coalesce(owner, '') AS o, kind AS k, sum(cost) AS s FROM allocations GROUP BY 1, 2, 3";
    let mut found: BTreeMap<(String, String), i128> = BTreeMap::new();
    for row in grid.sql(tenant, query).await? {
        let (currency, cost) = (cell(&row, "c").to_owned(), units(cell(&row, "s"))?);
        match cell(&row, "k") {
            "allocated" => *found.entry((currency, cell(&row, "o").to_owned())).or_default() += cost,
            kind => {
                ensure!(kind == "unallocated" && unallocated.get(&currency) == Some(&cost), "{kind} {currency} {cost}");
            }
        }
    }
    let wrong = expected.iter().filter(|(key, cost)| found.get(*key) != Some(cost)).count();
    let extra = found.keys().filter(|key| !expected.contains_key(*key)).count();
    let measured = format!(
        "{} charges of 3 clouds, {OWNERS} owners, 5 shared costs: {} costs of owners by currency, {wrong} differ, {extra} unknown",
        rows.len(),
        expected.len()
    );
    ensure!(figure("allocation_owners", wrong + extra == 0, measured), "owners differ");

    // A report of the API is the same sums, and its link leads to the rows.
    let report =
        call(&grid, tenant, reqwest::Method::GET, "/api/v1/costs?group_by=owner&filter=owner=o001&limit=10", None)
            .await?;
    for item in report["items"].as_array().context("read items")? {
        let key = (item["currency"].as_str().unwrap_or_default().to_owned(), "o001".to_owned());
        ensure!(expected.get(&key) == Some(&units(item["cost"].as_str().unwrap_or_default())?), "{item}");
        let rows =
            call(&grid, tenant, reqwest::Method::GET, item["rows"].as_str().context("read the link")?, None).await?;
        ensure!(
            rows["rows"].as_array().is_some_and(|r| !r.is_empty() && r.iter().all(|r| r["owner"] == "o001")),
            "{rows}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_rules_or_bills_is_followed() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let tenant = "follow";
    let row = |resource: &str, cost: i128| Row {
        provider: "AWS",
        currency: "USD",
        service: "db".to_owned(),
        resource: resource.to_owned(),
        category: "Usage",
        cost: cost * 10_i128.pow(18),
        tags: vec![("owner".to_owned(), "a".to_owned())],
        ..Row::default()
    };
    import(&grid, tenant, "one", &[row("r1", 5)]).await?;
    let owners = "SELECT owner AS o, sum(cost) AS s FROM allocations GROUP BY 1";
    // Nobody asks for it: the import is enough, then the change of rules, then the next bill.
    wait_for(&grid, tenant, owners, &[("a", "5")]).await?;
    let text = "[[rule]]\nname = \"all\"\nassign = { owner = \"b\" }\n";
    call(&grid, tenant, reqwest::Method::PUT, "/api/v1/costs/rules", Some(json!({ "text": text }))).await?;
    wait_for(&grid, tenant, owners, &[("b", "5")]).await?;
    import(&grid, tenant, "two", &[row("r2", 7)]).await?;
    wait_for(&grid, tenant, owners, &[("b", "12")]).await?;
    let state = call(&grid, tenant, reqwest::Method::GET, "/api/v1/costs/allocation", None).await?;
    ensure!(state["reconciliation"][0]["difference"] == "0" && state["parts"][0]["stale"] == false, "{state}");

    // A mistake is refused with its place, a stale change with the version.
    let put = |body: Value| {
        grid.client.put(format!("{}/api/v1/costs/rules", grid.http)).header("x-scope-orgid", tenant).json(&body).send()
    };
    let refused = put(json!({ "text": "[[rule]]\nname = \"x\"\nmatch = { sevice = \"x\" }\nidle = true\n" })).await?;
    let (status, problem) = (refused.status().as_u16(), refused.json::<Value>().await?);
    ensure!(status == 422 && problem["line"] == 3 && problem["column"] == 11, "{status} {problem}");
    let refused = put(json!({ "text": text, "expected_version": 7 })).await?;
    ensure!(refused.status().as_u16() == 409, "{}", refused.text().await?);
    Ok(())
}

async fn wait_for(grid: &Grid, tenant: &str, query: &str, want: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut last = Vec::new();
    for _ in 0..120 {
        let rows = grid.sql(tenant, query).await?;
        last = rows.iter().map(|r| (cell(r, "o").to_owned(), cell(r, "s").to_owned())).collect();
        if last.iter().map(|(o, s)| (o.as_str(), s.as_str())).eq(want.iter().copied()) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    anyhow::bail!("{last:?} instead of {want:?}; log:\n{}", grid.log())
}
