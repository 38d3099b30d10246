//! A store and an engine under the language tests.

use std::sync::Arc;

use grid_analytics::promql::{PromqlRequest, PromqlSettings};
use grid_analytics::{Engine, QueryLimits};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::{SeriesDef, Table, TenantId, Timestamp, Write};
use grid_promql::Labels;
use grid_promql::points::Grid;
use grid_promql::query::Answer;
use grid_promql::samples::Samples;
use grid_promql_syntax::Features;
use grid_promql_test::Target;
use grid_promql_test::command::At;
use grid_store::{Store, StoreOptions};
use tokio::runtime::Runtime;

/// Where rows rest when a query comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All in the buffer.
    Buffer,
    /// All in files, one for each load.
    Files,
    /// The first half of each series' samples in files, the second in the buffer.
    Both,
    /// All in files, merged.
    Compacted,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Buffer, Self::Files, Self::Both, Self::Compacted];
}

/// A store, an engine, and a tenant for each `clear`.
pub struct StoreTarget {
    runtime: Runtime,
    store: Store,
    engine: Engine,
    /// An engine of its own over the same files, which runs what the other one has planned.
    worker: Option<Engine>,
    place: Place,
    tenants: usize,
    _folder: tempfile::TempDir,
}

impl StoreTarget {
    /// An empty store whose rows rest at `place`, all features of the language on.
    pub fn new(place: Place) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let folder = tempfile::tempdir()?;
        // The tests' times begin at 1970; the clock stands a little later.
        let clock = Arc::new(|| Timestamp(1_000_000_000_000_000));
        let store = runtime.block_on(Store::open(StoreOptions::local(folder.path(), clock)))?;
        let promql = PromqlSettings { features: Features::ALL, ..PromqlSettings::default() };
        let limits = QueryLimits { threads: 2, promql, ..QueryLimits::default() };
        let engine = Engine::new(store.clone(), limits)?;
        Ok(Self { runtime, store, engine, worker: None, place, tenants: 0, _folder: folder })
    }

    /// The same; each query is also sent as bytes to a second engine, whose answer must be the first one's.
    pub fn by_codec(place: Place) -> anyhow::Result<Self> {
        let mut target = Self::new(place)?;
        target.worker = Some(Engine::new(target.store.clone(), target.engine.limits().clone())?);
        Ok(target)
    }

    fn shipped(&self, worker: &Engine, request: PromqlRequest) -> Result<Answer, String> {
        let tenant = request.tenant.clone();
        let shipped = self.runtime.block_on(async {
            let plan = self.engine.promql_plan(request).await?;
            worker.promql_run(tenant, plan.bytes.clone()).await
        });
        shipped.map(|a| a.answer).map_err(|e| e.to_string())
    }

    fn tenant(&self) -> TenantId {
        TenantId::parse(&format!("t{}", self.tenants)).unwrap_or_else(|_| TenantId::default_tenant())
    }

    fn append(&self, series: &[(Labels, Samples)], part: impl Fn(usize, usize) -> bool) -> Result<(), String> {
        let mut write = Write::default();
        let mut rows = SamplesBuilder::default();
        for (labels, samples) in series {
            let def = SeriesDef::of_labels(labels.to_model());
            let id = write.series.add(&def).ok_or("two series of one write share an id")?;
            let ms = |t: i64| Timestamp(t * 1_000_000);
            let start = |starts: &[i64], i: usize| starts.get(i).filter(|s| **s != 0).map(|s| ms(*s));
            for (i, time) in samples.times.iter().enumerate().filter(|(i, _)| part(*i, samples.times.len())) {
                rows.push(id, ms(*time), start(&samples.starts, i), SampleValue::Float(samples.values[i]));
            }
            let all = samples.histograms.len();
            for (i, time) in samples.histogram_times.iter().enumerate().filter(|(i, _)| part(*i, all)) {
                let histogram = Box::new(samples.histograms[i].to_model());
                rows.push(id, ms(*time), start(&samples.histogram_starts, i), SampleValue::Histogram(histogram));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        write.push(Table::Samples, rows.finish());
        self.runtime.block_on(self.store.append(&self.tenant(), write)).map(|_| ()).map_err(|e| e.to_string())
    }
}

impl Target for StoreTarget {
    fn clear(&mut self) -> Result<(), String> {
        // A tenant that nobody has written to is an empty store.
        self.tenants += 1;
        Ok(())
    }

    fn load(&mut self, series: &[(Labels, Samples)]) -> Result<(), String> {
        let flush = || self.runtime.block_on(self.store.flush()).map(|_| ()).map_err(|e| e.to_string());
        match self.place {
            Place::Buffer => self.append(series, |_, _| true),
            Place::Files => {
                self.append(series, |_, _| true)?;
                flush()
            }
            Place::Both | Place::Compacted => {
                self.append(series, |i, n| i < n / 2)?;
                flush()?;
                self.append(series, |i, n| i >= n / 2)?;
                if self.place == Place::Compacted {
                    flush()?;
                    self.runtime.block_on(self.store.compact()).map(|_| ()).map_err(|e| e.to_string())?;
                }
                Ok(())
            }
        }
    }

    fn evaluate(&mut self, query: &str, at: At) -> Result<Answer, String> {
        let grid = match at {
            At::Instant(time) => Grid::instant(time),
            At::Range(grid) => grid,
        };
        let tenant = self.tenant();
        let request =
            PromqlRequest { tenant, query: query.to_owned(), grid, lookback: None, timeout: None, client: None };
        let direct = self.runtime.block_on(self.engine.promql(request.clone()));
        let direct = direct.map(|a| a.answer).map_err(|e| e.to_string());
        let Some(worker) = &self.worker else { return direct };
        let shipped = self.shipped(worker, request);
        // As text, in which a number that is none equals itself.
        if format!("{shipped:?}") != format!("{direct:?}") {
            return Err(format!("shipped as a plan, {query} answers {shipped:?}, here {direct:?}"));
        }
        shipped
    }
}
