//! What can be asked of the demo: a handful of questions with their answers, and where to ask more.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use futures::StreamExt as _;
use grid_analytics::render::{Format, Renderer};
use grid_analytics::{Engine, SqlRequest};
use grid_api::finance::render::document::{money, signed};
use grid_api::finance::{self, CostAsk, Desk};
use grid_api::findings::list::{ListAsk, incidents, list};
use grid_finance::calendar::Day;
use grid_finance::relation::Relation;
use grid_insight::Job;
use grid_model::{TenantId, Timestamp};
use grid_store::Store;

use crate::config::Config;
use crate::out;
use crate::wire::Rooms;

/// Incidents of the tour, the first ones.
const INCIDENTS_SHOWN: usize = 8;
/// Recommendations of the tour.
const SAVINGS_SHOWN: usize = 5;

/// Question and statement.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "Which services speak, and which of them complain?",
        "SELECT service, count(*) AS records, sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS errors
FROM logs GROUP BY service ORDER BY errors DESC LIMIT 8",
    ),
    (
        "When did it hurt? Errors per hour, the worst first",
        "SELECT time_bucket('1h', time) AS hour, service, count(*) AS errors
FROM logs WHERE severity_number >= 17 GROUP BY 1, 2 ORDER BY errors DESC LIMIT 5",
    ),
    (
        "What do the words say? Full text",
        "SELECT time, service, body FROM logs WHERE match(body, 'could AND connection') ORDER BY time LIMIT 3",
    ),
    (
        "Which operations are slow?",
        "SELECT service, name, count(*) AS calls, round(approx_percentile_cont(duration_ns, 0.95) / 1e6, 1) AS p95_ms
FROM spans WHERE kind = 'server' GROUP BY service, name ORDER BY p95_ms DESC LIMIT 5",
    ),
    (
        "What does it cost, per provider and service?",
        "SELECT billing_currency, service_provider_name, service_name, sum(effective_cost) AS cost
FROM charges GROUP BY 1, 2, 3 ORDER BY cost DESC LIMIT 6",
    ),
    (
        "Which bill jumped? The dearest day against the median day, per service",
        "SELECT billing_currency AS currency, service_name, median(cost) AS median_day, max(cost) AS dearest_day
FROM (SELECT billing_currency, service_name, charge_period_start AS day, sum(effective_cost) AS cost
      FROM charges WHERE charge_category = 'Usage' GROUP BY 1, 2, 3)
GROUP BY 1, 2 ORDER BY max(cost) / median(cost) DESC LIMIT 3",
    ),
    (
        "What is in the house?",
        "SELECT \"table\", count(*) AS files, sum(rows) AS rows, sum(bytes) AS bytes FROM grid.files GROUP BY 1 ORDER BY bytes DESC",
    ),
];

/// Asks and prints; the first answer's time is what matters to a newcomer.
pub(super) async fn show(
    config: &Config,
    rooms: &Rooms,
    until: Timestamp,
    url: Option<&str>,
    started: Instant,
) -> anyhow::Result<()> {
    let (engine, store) = (&rooms.engine, &rooms.store);
    // Without a server the tour is what the command is for, and data goes to stdout.
    let tell = |text: &str| match url {
        Some(_) => {
            out::say(text);
            Ok(())
        }
        None => out::line(text),
    };
    for (i, (question, sql)) in QUESTIONS.iter().enumerate() {
        let asked = Instant::now();
        let answer = ask(engine, sql).await.with_context(|| format!("answer {question:?}"))?;
        let took = asked.elapsed();
        tell(&format!("\n# {question}\n{sql};\n{}\n({} ms)", answer.trim_end(), took.as_millis()))?;
        if i == 0 {
            tell(&format!("first answer {:.1} s after the start", started.elapsed().as_secs_f64()))?;
        }
    }
    let asked = Instant::now();
    let (command, answer) = costs(engine, store).await.context("answer about costs")?;
    tell(&format!(
        "\n# Why do the last days cost more, and do budgets hold?\n{command}\n{answer}\n({} ms)",
        asked.elapsed().as_millis()
    ))?;
    // A server's jobs begin by themselves in a moment; without one this is their time.
    if url.is_none() {
        let asked = Instant::now();
        let (command, answer) =
            findings(engine, store, until).await.context("look for what is unusual and what to change")?;
        tell(&format!(
            "\n# What was unusual, why, and what should change? Grid looked by itself\n{command}\n{answer}\n({} ms)",
            asked.elapsed().as_millis()
        ))?;
        let asked = Instant::now();
        let told = super::provision::whole_loop(config, rooms, until).await.context("carry a recommendation out")?;
        tell(&format!(
            "\n# What became of it? From a cost that rose to a saving that was verified, on the dry-run driver\n{told}\n({} ms)",
            asked.elapsed().as_millis()
        ))?;
    }
    if let Some(url) = url {
        out::say(&format!(
            "\nAsk on:   {url}/                     what has arrived, and a place to type SQL
          grid query --url {url} 'SELECT ...'
          curl {url}/api/v1/sql -d '{{\"query\": \"SELECT count(*) FROM spans\"}}' -H 'content-type: application/json'
          {url}/docs                  the API
Look:     grid anomalies --url {url}   what was unusual, and why: known in half a minute
          grid recommend --url {url}   what to change, and what that saves
          grid release list --url {url}   what was released to two environments
Send to:  {url}/v1/logs (OTLP/HTTP), {url}/api/v1/write (remote write), {url}/loki/api/v1/push (Loki)
Stop:     Ctrl-C; the data stays, and `grid demo` does not seed twice"
        ));
    }
    Ok(())
}

/// The effects behind the change of the last days (at most five) against as many before, and the states of budgets; with the commands for them.
async fn costs(engine: &Engine, store: &Store) -> anyhow::Result<(String, String)> {
    let desk = Desk { engine, store, tenant: TenantId::default_tenant(), client: "tour".to_owned(), as_of: None };
    let Some(known) = desk.known(Relation::Charges, None).await? else {
        return Ok((String::new(), "no bill has come yet".to_owned()));
    };
    let days = (known.days() / 2).clamp(1, 5);
    let (from, before) = (known.end.plus(-days), known.end.plus(-2 * days));
    let compare = format!("{before}..{from}");
    let ask = CostAsk { from: Some(from.to_string()), to: Some(known.end.to_string()), ..CostAsk::default() };
    let found = finance::variance::variance(&desk, &ask, &compare, 3).await?;
    let mut lines = Vec::new();
    for currency in &found.currencies {
        lines.push(format!(
            "{}: {} after {}, a change of {}",
            currency.currency,
            money(&currency.cost),
            money(&currency.before),
            signed(&currency.change)
        ));
        let effects: Vec<String> =
            currency.effects.iter().map(|(name, change)| format!("{name} {}", signed(change))).collect();
        if !effects.is_empty() {
            lines.push(format!("  {}", effects.join(", ")));
        }
    }
    for mover in &found.movers {
        let what = format!("{} {} in {}", mover.service, mover.item, mover.region);
        lines.push(format!("  {}: {what}: {} {}", mover.effect, signed(&mover.change), mover.currency));
    }
    for status in finance::budget::statuses(&desk, Day::of(store.now())).await? {
        let forecast = status.forecast.as_deref().map_or("unknown".to_owned(), money);
        let spent = format!("{} of {} {} spent", money(&status.spent), money(&status.amount), status.currency);
        lines.push(format!(
            "budget {}: {}: {spent}, at the end of {} {forecast}",
            status.name,
            status.state.replace('_', " "),
            status.period
        ));
    }
    let command =
        format!("grid cost variance --from {from} --to {} --compare {compare}; grid cost budget list", known.end);
    Ok((command, lines.join("\n")))
}

/// Runs the jobs over the demo's time, and shows the last incidents and the largest savings.
async fn findings(engine: &Arc<Engine>, store: &Store, until: Timestamp) -> anyhow::Result<(String, String)> {
    let tenant = TenantId::default_tenant();
    let insight = crate::watch::insight(engine, store);
    for job in Job::ALL {
        let done = insight.run_until(&tenant, job, until).await;
        let done = done.with_context(|| format!("run the job {}", job.name()))?;
        anyhow::ensure!(done.failed.is_empty(), "run the job {}: {}", job.name(), done.failed.join("; "));
    }
    let desk = Desk { engine, store, tenant, client: "tour".to_owned(), as_of: None };
    let all = |sort: &str| ListAsk { sort: Some(sort.to_owned()), ..ListAsk::default() };
    let anomalies = list(&desk, Relation::Anomalies, &all("start_time")).await?.items;
    let recommended = list(&desk, Relation::Recommendations, &all("saving")).await?.items;
    let mut lines = Vec::new();
    for incident in incidents(anomalies).iter().rev().take(INCIDENTS_SHOWN) {
        let word = |name: &str| incident[name].as_str().unwrap_or_default().to_owned();
        let signs = incident["anomalies"].as_array().map_or(0, Vec::len);
        let start: String = word("start_time").chars().take(16).collect();
        lines.push(format!("{}  {} ({signs} signs)", start.replace('T', " "), word("cause")));
    }
    for item in recommended.iter().take(SAVINGS_SHOWN) {
        lines.push(item["title"].as_str().unwrap_or_default().to_owned());
    }
    Ok(("grid anomalies; grid recommend; grid capacity".to_owned(), lines.join("\n")))
}

async fn ask(engine: &Engine, sql: &str) -> anyhow::Result<String> {
    let mut answer = engine.sql(SqlRequest::new(TenantId::default_tenant(), sql)).await?;
    let mut renderer = Renderer::new(Format::Table, answer.schema.clone())?;
    while let Some(batch) = answer.stream.next().await {
        renderer.batch(&batch?)?;
    }
    let table = renderer.tail(None)?;
    Ok(String::from_utf8_lossy(&table).into_owned())
}
