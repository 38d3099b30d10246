//! Provisioning as the binary wires it: the desk over its database, what it asks of engine, store and network, and the loop that goes on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use grid_act::Executor;
use grid_act::executor::Time;
use grid_analytics::price::PriceQuery;
use grid_analytics::promql::PromqlRequest;
use grid_analytics::{Engine, Lender};
use grid_api::finance;
use grid_api::findings::decide::accept_if_open;
use grid_api::findings::list::{ListAsk, list};
use grid_api::findings::recommended;
use grid_desk::{Desk, FILE_NAME, Language, Options, Outside, Recommended, Site, Surveyor, Tables, Workshop};
use grid_estimate::book::Machine;
use grid_finance::calendar::Day;
use grid_finance::relation::{Relation, quote};
use grid_findings::ledger::{DAYS_BEFORE, Outcome, compare};
use grid_findings::size::MONTH_HOURS;
use grid_insight::read;
use grid_model::lent::Batch;
use grid_model::{Amount, Lent, TenantId, Timestamp};
use grid_notify::{AddressGuard, GuardedResolver};
use grid_plan::gate::Answer;
use grid_plan::gate::health::Smoke;
use grid_promql::points::{Grid, Point};
use grid_promql::query::Value as Promql;
use grid_store::Store;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock;
use crate::config::Config;

/// Who asks, in the list of queries.
const CLIENT: &str = "provisioning";
/// How long a query of a gate may take.
const QUERY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a page or a webhook may take.
const PAGE_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a page that are read.
const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Distinct machines whose prices are asked for at once.
const MACHINES_MAX: usize = 500;
/// How long an answer of the price books is good for: one change of an environment asks many times.
const PRICES_HOLD: Duration = Duration::from_secs(30);
/// Answers of the price books that are remembered.
const PRICES_KNOWN_MAX: usize = 5_000;
/// Steps of a range of samples.
const SAMPLES_MAX: i64 = 240;
/// How long after the start accounts are first looked at.
const FIRST_SURVEY: Duration = Duration::from_secs(10);
/// How often it is looked whether something goes on by itself.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The machine's clock, and real waiting.
pub(crate) struct Wall;

#[async_trait]
impl Time for Wall {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn wait(&self, ns: i64) {
        tokio::time::sleep(Duration::from_nanos(ns.max(0).unsigned_abs())).await;
    }
}

/// Opens the desk of a data directory. `inline` where no loop goes on with it.
pub(crate) async fn open(
    config: &Config,
    data_dir: &Path,
    engine: &Arc<Engine>,
    store: &Store,
    time: Arc<dyn Time>,
    inline: bool,
) -> anyhow::Result<Desk> {
    let guard = Arc::new(crate::alerting::options(config)?.guard);
    let client = reqwest::Client::builder()
        .timeout(PAGE_TIME_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&guard))))
        .build()
        .context("build the client of gates")?;
    let house = House { engine: Arc::clone(engine), store: store.clone(), client, guard, prices: Mutex::default() };
    let (executors, surveyors) = drivers(config, &time).await?;
    let workshops = workshops(config, data_dir)?;
    let options = Options { outside: Arc::new(house), executors, workshops, surveyors, time, inline };
    let desk = Desk::open(&data_dir.join(FILE_NAME), options).await;
    let desk = desk.context("open the database of environments and releases")?;
    engine.borrow_from(Arc::new(Shelf(desk.tables())));
    Ok(desk)
}

/// Lets SQL on a data directory that no server holds read what its desk keeps, if it has one. To be closed in the end.
pub(crate) async fn lend(engine: &Engine, data_dir: &Path) -> anyhow::Result<Option<Tables>> {
    let path = data_dir.join(FILE_NAME);
    if !path.exists() {
        return Ok(None);
    }
    let tables = Tables::open(&path, Arc::new(Wall)).await;
    let tables = tables.context("open the database of environments and releases")?;
    engine.borrow_from(Arc::new(Shelf(tables.clone())));
    Ok(Some(tables))
}

/// The desk's tables, for SQL.
struct Shelf(Tables);

#[async_trait]
impl Lender for Shelf {
    async fn rows(&self, tenant: &TenantId, table: Lent) -> Result<Batch, String> {
        self.0.rows(tenant, table).await.map_err(|e| format!("{:#}", anyhow::Error::from(e)))
    }
}

/// Who carries plans out, and who looks at what accounts have, by the driver's name.
type Drivers = (BTreeMap<String, Arc<dyn Executor>>, BTreeMap<String, Arc<dyn Surveyor>>);

/// The drivers that the settings name, beside the one that touches no cloud.
async fn drivers(config: &Config, time: &Arc<dyn Time>) -> anyhow::Result<Drivers> {
    let mut all: Vec<Driver> = Vec::new();
    if !config.text("provision.aws_region").is_empty() {
        all.push(aws(config, config.text("provision.aws_region"), time).await?);
    }
    if !config.text("provision.kubeconfig").is_empty() {
        all.push(kube(config, config.text("provision.kubeconfig"), time).await?);
    }
    if !config.text("provision.azure_subscription").is_empty() {
        all.push(Box::pin(azure(config, config.text("provision.azure_subscription"), time)).await?);
    }
    if !config.text("provision.gcp_project").is_empty() {
        all.push(Box::pin(gcp(config, config.text("provision.gcp_project"), time)).await?);
    }
    let mut drivers = Drivers::default();
    for (executor, surveyor) in all {
        let name = executor.name().to_owned();
        drivers.0.insert(name.clone(), executor);
        drivers.1.insert(name, surveyor);
    }
    Ok(drivers)
}

/// Drivers that keep something of each environment.
fn workshops(config: &Config, data_dir: &Path) -> anyhow::Result<BTreeMap<String, Arc<dyn Workshop>>> {
    let program = config.text("provision.terraform");
    if program.is_empty() {
        return Ok(BTreeMap::new());
    }
    let overrides = config.text("provision.terraform_overrides");
    let settings = grid_terraform::Settings {
        program: program.to_owned(),
        overrides: (!overrides.is_empty()).then(|| overrides.into()),
        ..grid_terraform::Settings::new(data_dir.join(grid_terraform::DRIVER))
    };
    let modules = Modules(grid_terraform::Terraform::new(settings)?);
    Ok(BTreeMap::from([(grid_terraform::DRIVER.to_owned(), Arc::new(modules) as Arc<dyn Workshop>)]))
}

/// Each environment as a root module of Terraform.
struct Modules(grid_terraform::Terraform);

#[async_trait]
impl Workshop for Modules {
    fn driver(&self, site: Site) -> Result<Arc<dyn Executor>, String> {
        let Site { tenant, environment, target, wanted } = site;
        let place = grid_terraform::Place { tenant: tenant.as_str().to_owned(), environment, target, wanted };
        Ok(Arc::new(self.0.module(place)?))
    }

    async fn copy_to(&self, folder: &Path) -> Result<(), String> {
        self.0.copy_to(&folder.join(grid_terraform::DRIVER)).await
    }
}

/// Who carries plans out in one place, and who looks at what is there.
type Driver = (Arc<dyn Executor>, Arc<dyn Surveyor>);

#[cfg(feature = "aws")]
async fn aws(config: &Config, region: &str, time: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    let endpoint = config.text("provision.aws_endpoint_url");
    let settings = grid_aws::Settings {
        endpoint_url: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
        ..grid_aws::Settings::new(region, config.text("provision.aws_prefix"))
    };
    let aws = Arc::new(grid_aws::Aws::new(settings, Arc::clone(time)).await);
    Ok((Arc::clone(&aws) as Arc<dyn Executor>, Arc::new(Account(aws))))
}

/// An account of AWS, to be looked at.
#[cfg(feature = "aws")]
struct Account(Arc<grid_aws::Aws>);

#[cfg(feature = "aws")]
#[async_trait]
impl Surveyor for Account {
    async fn survey(&self, now: Timestamp) -> grid_desk::Survey {
        self.0.inventory(now).await.into()
    }
}

#[cfg(not(feature = "aws"))]
async fn aws(_: &Config, _: &str, _: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    anyhow::bail!(
        "provision.aws_region is set, but this build cannot reach AWS: leave it empty, or build with `cargo build --workspace --features grid/aws`"
    )
}

#[cfg(feature = "kube")]
async fn kube(config: &Config, file: &str, time: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    let named = |key| Some(config.text(key)).filter(|t: &&str| !t.is_empty()).map(str::to_owned);
    let access = match file {
        "in-cluster" => grid_kube::Access::InCluster,
        path => grid_kube::Access::File { path: path.into(), context: named("provision.kube_context") },
    };
    let namespace = named("provision.kube_namespace");
    let settings = grid_kube::Settings { namespace, ..grid_kube::Settings::new(access) };
    let driver = grid_kube::Kube::new(settings, Arc::clone(time)).await;
    let kube = Arc::new(driver.context("reach the cluster of provision.kubeconfig")?);
    Ok((Arc::clone(&kube) as Arc<dyn Executor>, Arc::new(Cluster(kube))))
}

/// A cluster, to be looked at.
#[cfg(feature = "kube")]
struct Cluster(Arc<grid_kube::Kube>);

#[cfg(feature = "kube")]
#[async_trait]
impl Surveyor for Cluster {
    async fn survey(&self, now: Timestamp) -> grid_desk::Survey {
        self.0.inventory(now).await.into()
    }
}

#[cfg(not(feature = "kube"))]
async fn kube(_: &Config, _: &str, _: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    anyhow::bail!(
        "provision.kubeconfig is set, but this build cannot reach Kubernetes: leave it empty, or build with `cargo build --workspace --features grid/kube`"
    )
}

#[cfg(feature = "azure")]
async fn azure(config: &Config, subscription: &str, time: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    let named = |key| Some(config.text(key)).filter(|t: &&str| !t.is_empty()).map(str::to_owned);
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let credentials = match variable("AZURE_ACCESS_TOKEN") {
        Some(token) => grid_azure::Credentials::Token(token),
        None => grid_azure::Credentials::of_variables(variable).map_err(|name| {
            anyhow::anyhow!("provision.azure_subscription is set, but {name} is not: see docs/azure.md")
        })?,
    };
    let mut settings = grid_azure::Settings::new(subscription, credentials);
    settings.resource_group = named("provision.azure_resource_group");
    settings.endpoint_url = named("provision.azure_endpoint_url").unwrap_or(settings.endpoint_url);
    let driver = Box::pin(grid_azure::Azure::new(settings, Arc::clone(time))).await;
    let azure = Arc::new(driver.context("reach the subscription of provision.azure_subscription")?);
    Ok((Arc::clone(&azure) as Arc<dyn Executor>, Arc::new(Subscription(azure))))
}

/// A subscription of Azure, to be looked at.
#[cfg(feature = "azure")]
struct Subscription(Arc<grid_azure::Azure>);

#[cfg(feature = "azure")]
#[async_trait]
impl Surveyor for Subscription {
    async fn survey(&self, now: Timestamp) -> grid_desk::Survey {
        self.0.inventory(now).await.into()
    }
}

#[cfg(not(feature = "azure"))]
async fn azure(_: &Config, _: &str, _: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    anyhow::bail!(
        "provision.azure_subscription is set, but this build cannot reach Azure: leave it empty, or build with `cargo build --workspace --features grid/azure`"
    )
}

#[cfg(feature = "gcp")]
async fn gcp(config: &Config, project: &str, time: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    let region = config.text("provision.gcp_region");
    anyhow::ensure!(
        !region.is_empty(),
        "provision.gcp_project is set, but provision.gcp_region is not: it is the region of the driver \"gcp\""
    );
    let endpoint = config.text("provision.gcp_endpoint_url");
    let credentials = match std::env::var("GOOGLE_OAUTH_ACCESS_TOKEN").ok().filter(|v| !v.is_empty()) {
        Some(token) => grid_gcp::Credentials::Token(token),
        None => grid_gcp::Credentials::Default,
    };
    let settings = grid_gcp::Settings {
        endpoint_url: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
        credentials,
        ..grid_gcp::Settings::new(project, region)
    };
    let driver = Box::pin(grid_gcp::Gcp::new(settings, Arc::clone(time))).await;
    let gcp = Arc::new(driver.context("reach the project of provision.gcp_project")?);
    Ok((Arc::clone(&gcp) as Arc<dyn Executor>, Arc::new(Project(gcp))))
}

/// A project of Google Cloud, to be looked at.
#[cfg(feature = "gcp")]
struct Project(Arc<grid_gcp::Gcp>);

#[cfg(feature = "gcp")]
#[async_trait]
impl Surveyor for Project {
    async fn survey(&self, now: Timestamp) -> grid_desk::Survey {
        self.0.inventory(now).await.into()
    }
}

#[cfg(not(feature = "gcp"))]
async fn gcp(_: &Config, _: &str, _: &Arc<dyn Time>) -> anyhow::Result<Driver> {
    anyhow::bail!(
        "provision.gcp_project is set, but this build cannot reach Google Cloud: leave it empty, or build with `cargo build --workspace --features grid/gcp`"
    )
}

/// Copies the desk's database of a directory that no server holds, if it has one.
pub(crate) async fn copy(
    config: &Config,
    data_dir: &Path,
    engine: &Arc<Engine>,
    store: &Store,
    to: &Path,
) -> anyhow::Result<()> {
    if !data_dir.join(FILE_NAME).exists() {
        return Ok(());
    }
    let desk = open(config, data_dir, engine, store, Arc::new(Wall), true).await?;
    let copied = desk.copy_to(&to.join(FILE_NAME)).await.context("copy the database of environments and releases");
    desk.close().await;
    copied
}

/// Goes on with environments until the token is cancelled: when something was asked for, and every now and then, because gates open by themselves.
pub(crate) async fn go_on(desk: Desk, token: CancellationToken) -> anyhow::Result<()> {
    let mut told: BTreeSet<String> = BTreeSet::new();
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            () = desk.asked_for() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // A run that is dropped here goes on by its journal after the next start.
        let Some(failed) = token.run_until_cancelled(desk.work()).await else { break };
        let mut now = BTreeSet::new();
        for (tenant, environment, error) in failed {
            let text = format!("{tenant} {environment} {error}");
            if !told.contains(&text) {
                warn!(%tenant, environment, error = %error, "an environment cannot go on");
            }
            now.insert(text);
        }
        told = now;
    }
    desk.close().await;
    Ok(())
}

/// Looks at what accounts have until the token is cancelled: soon after the start, and then at each interval.
pub(crate) async fn survey(desk: Desk, every: Duration, token: CancellationToken) -> anyhow::Result<()> {
    if every.is_zero() {
        token.cancelled().await;
        return Ok(());
    }
    let mut wait = FIRST_SURVEY.min(every);
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
        wait = every;
        // What is dropped here was not written, and is seen the next time.
        let Some(failed) = token.run_until_cancelled(desk.survey()).await else { return Ok(()) };
        for (tenant, driver, error) in failed {
            warn!(%tenant, driver, error = %error, "what an account has cannot be written down");
        }
    }
}

/// What the desk asks, answered by the rest of the house.
struct House {
    engine: Arc<Engine>,
    store: Store,
    client: reqwest::Client,
    guard: Arc<AddressGuard>,
    prices: Mutex<BTreeMap<(TenantId, Machine, String), (Instant, Option<Amount>)>>,
}

impl House {
    fn finance(&self, tenant: &TenantId) -> finance::Desk<'_> {
        finance::Desk {
            engine: &self.engine,
            store: &self.store,
            tenant: tenant.clone(),
            client: CLIENT.to_owned(),
            as_of: None,
        }
    }

    async fn promql(&self, tenant: &TenantId, query: &str, grid: Grid) -> Result<Vec<(String, Vec<f64>)>, String> {
        let request = PromqlRequest {
            tenant: tenant.clone(),
            query: query.to_owned(),
            grid,
            lookback: None,
            timeout: Some(QUERY_TIME_MAX),
            client: Some(CLIENT.to_owned()),
        };
        let answer = self.engine.promql(request).await.map_err(|e| e.to_string())?;
        match answer.answer.value {
            Promql::Scalar(values) => Ok(vec![("scalar".to_owned(), values)]),
            Promql::Series(series) => Ok(series
                .into_iter()
                .map(|s| {
                    let float = |n| match s.points.get(n) {
                        Some(Point::Float(v)) => Some(v),
                        // A histogram is no number.
                        Some(Point::Histogram(_)) => Some(f64::NAN),
                        None => None,
                    };
                    (s.labels.to_string(), (0..grid.len()).filter_map(float).collect())
                })
                .collect()),
            Promql::Text(_) | Promql::Ranges(_) => Err("the answer is no vector or scalar".to_owned()),
        }
    }

    /// Whether an address may be called. Names are checked by the resolver.
    fn permitted(&self, url: &str) -> Result<reqwest::Url, String> {
        let url = reqwest::Url::parse(url).map_err(|_| format!("{url:?} is no address"))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(ip) if !self.guard.permits(ip) => {
                Err("this address is not public, and `alerting.webhook_networks` does not name it".to_owned())
            }
            _ => Ok(url),
        }
    }

    async fn read(mut response: reqwest::Response) -> String {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk[..chunk.len().min(PAGE_BYTES_MAX - bytes.len())]);
            if bytes.len() >= PAGE_BYTES_MAX {
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The one number of a row, and what else it says.
fn number(row: &Value) -> Option<(String, f64)> {
    let fields = row.as_object()?;
    let parse = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse::<f64>().ok());
    let value = match fields.get("value") {
        Some(value) => ("value", parse(value)?),
        None => {
            let mut numbers = fields.iter().filter_map(|(name, v)| Some((name.as_str(), parse(v)?)));
            let only = numbers.next()?;
            // Two numbers are one too many.
            numbers.next().is_none().then_some(only)?
        }
    };
    let rest = fields.iter().filter(|(name, _)| *name != value.0);
    let name: Vec<String> =
        rest.map(|(name, v)| format!("{name}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect();
    Some((if name.is_empty() { value.0.to_owned() } else { name.join(" ") }, value.1))
}

#[async_trait]
impl Outside for House {
    async fn query(
        &self,
        tenant: &TenantId,
        language: Language,
        query: &str,
        now: Timestamp,
    ) -> Answer<Vec<(String, f64)>> {
        let found = match language {
            Language::Promql => self
                .promql(tenant, query, Grid::instant(now.0.div_euclid(1_000_000)))
                .await
                .map(|all| all.into_iter().filter_map(|(name, values)| Some((name, *values.first()?))).collect()),
            Language::Sql => match read::rows(&self.engine, tenant, query).await {
                Ok(rows) => rows
                    .iter()
                    .map(|row| {
                        number(row).ok_or_else(|| "a row has no column `value` and not one number alone".to_owned())
                    })
                    .collect(),
                Err(e) => Err(e.to_string()),
            },
        };
        found.map_or_else(Answer::Missing, Answer::Here)
    }

    async fn samples(&self, tenant: &TenantId, query: &str, from: Timestamp, until: Timestamp) -> Answer<Vec<f64>> {
        let (start, end) = (from.0.div_euclid(1_000_000), until.0.div_euclid(1_000_000));
        let step = ((end - start) / SAMPLES_MAX).max(15_000);
        match self.promql(tenant, query, Grid { start, end, step }).await {
            Ok(all) => Answer::Here(all.into_iter().flat_map(|(_, values)| values).collect()),
            Err(why) => Answer::Missing(why),
        }
    }

    async fn get(&self, url: &str) -> Answer<Smoke> {
        let url = match self.permitted(url) {
            Ok(url) => url,
            Err(why) => return Answer::Missing(why),
        };
        let began = Instant::now();
        match self.client.get(url).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let body = Self::read(response).await;
                Answer::Here(Smoke { status, took_ms: began.elapsed().as_secs_f64() * 1e3, body })
            }
            Err(e) => Answer::Missing(format!("{:#}", anyhow::Error::from(e.without_url()))),
        }
    }

    async fn post(&self, url: &str, body: &Value) -> Answer<(u16, String)> {
        let url = match self.permitted(url) {
            Ok(url) => url,
            Err(why) => return Answer::Missing(why),
        };
        match self.client.post(url).json(body).send().await {
            Ok(response) => Answer::Here((response.status().as_u16(), Self::read(response).await)),
            Err(e) => Answer::Missing(format!("{:#}", anyhow::Error::from(e.without_url()))),
        }
    }

    async fn machines(
        &self,
        tenant: &TenantId,
        wanted: BTreeSet<Machine>,
        currency: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<Machine, Amount>, String> {
        let mut known = BTreeMap::new();
        for machine in wanted.into_iter().take(MACHINES_MAX) {
            let key = (tenant.clone(), machine.clone(), currency.to_owned());
            let remembered = self.prices.lock().get(&key).filter(|(at, _)| at.elapsed() < PRICES_HOLD).map(|(_, p)| *p);
            let price = match remembered {
                Some(price) => price,
                None => {
                    let mut query = PriceQuery::machine(machine.provider, &machine.kind, &machine.region, now);
                    query.service = Some(machine.service.to_owned());
                    query.currency = Some(currency.to_owned());
                    if !machine.system.is_empty() {
                        query = query.with("operating_system", &machine.system);
                    }
                    let answer = self.engine.price(tenant, &query).await.map_err(|e| e.to_string())?;
                    let price = answer.ok().map(|quote| quote.price());
                    let mut prices = self.prices.lock();
                    if prices.len() >= PRICES_KNOWN_MAX {
                        prices.clear();
                    }
                    prices.insert(key, (Instant::now(), price));
                    price
                }
            };
            if let Some(price) = price {
                known.insert(machine, price);
            }
        }
        Ok(known)
    }

    async fn billed(
        &self,
        tenant: &TenantId,
        resource_id: &str,
        currency: &str,
        changed: Timestamp,
    ) -> Result<Option<(Amount, Amount)>, String> {
        let desk = self.finance(tenant);
        let text = |e: grid_api::ApiError| e.to_string();
        let Some(known) = desk.known(Relation::Charges, None).await.map_err(text)? else { return Ok(None) };
        let sql = format!(
            "SELECT date_trunc('day', charge_period_start) AS day, sum(effective_cost) AS cost FROM charges \
             WHERE resource_id = {} AND billing_currency = {} AND charge_category = 'Usage' GROUP BY 1 ORDER BY 1",
            quote(resource_id),
            quote(currency)
        );
        let rows = desk.ask(&sql).await.map_err(text)?;
        let daily: Vec<(Day, Amount)> =
            rows.days("day").map_err(text)?.into_iter().zip(rows.costs("cost").map_err(text)?).collect();
        let day = Day::of(changed);
        let entry = compare(&daily, day, known.end, Amount(1));
        if entry.outcome == Outcome::Waiting {
            return Ok(None);
        }
        let before: Vec<Amount> =
            daily.iter().filter(|(d, _)| *d < day && *d >= day.plus(-DAYS_BEFORE)).map(|(_, c)| *c).collect();
        let sum = before.iter().fold(0_i128, |sum, c| sum.saturating_add(c.0));
        let monthly = Amount(sum).mul_div(MONTH_HOURS, 24 * before.len().max(1) as i128).unwrap_or(Amount(sum));
        Ok(Some((monthly, Amount(monthly.0.saturating_sub(entry.realised.0)))))
    }

    async fn advice(&self, tenant: &TenantId) -> Result<Vec<Recommended>, String> {
        let ask = ListAsk { state: Some("open".to_owned()), ..ListAsk::default() };
        let found = list(&self.finance(tenant), Relation::Recommendations, &ask).await.map_err(|e| e.to_string())?;
        Ok(found.items.iter().filter_map(recommended).collect())
    }

    async fn accept(&self, tenant: &TenantId, id: &str, by: &str, why: &str) -> Result<bool, String> {
        accept_if_open(&self.finance(tenant), id, by, why).await.map_err(|e| e.to_string())
    }
}
