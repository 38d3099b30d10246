//! What a user can name: the catalog of one tenant, and nothing else.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::empty::EmptyTable;
use grid_model::{Lent, Table};

use crate::alerts;
use crate::price::own;
use crate::table::Source;
use crate::table::charges::ChargesTable;
use crate::table::files::FilesTable;
use crate::table::lent::LentTable;
use crate::table::metric::MetricsSchema;
use crate::table::prices::PricesTable;
use crate::table::samples::SamplesTable;
use crate::table::series::SeriesTable;
use crate::table::system::SystemSchema;

/// The one catalog.
pub(crate) const CATALOG: &str = "grid";
/// The schema of tables named without one.
pub(crate) const PUBLIC: &str = "public";
/// The schema of one table per metric.
pub(crate) const METRICS: &str = "metrics";
/// The schema of the own catalog.
pub(crate) const SYSTEM: &str = "grid";
/// Lists the engine's settings, which are no business of a tenant: empty here.
const SETTINGS: &str = "df_settings";

/// All that one query can name.
pub(crate) struct TenantCatalog {
    source: Arc<Source>,
}

impl fmt::Debug for TenantCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantCatalog({:?})", self.source)
    }
}

impl TenantCatalog {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self { source }
    }

    /// What its tables read from.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Names as one would type them, for "did you mean".
    pub(crate) fn names(&self) -> Vec<String> {
        use crate::error::quoted;
        let public = PublicSchema { source: Arc::clone(&self.source) }.table_names();
        let system =
            SystemSchema { source: Arc::clone(&self.source) }.table_names().into_iter().map(|t| format!("grid.{t}"));
        let metrics = MetricsSchema { source: Arc::clone(&self.source) }.table_names().into_iter();
        let metrics = metrics.map(|m| format!("metrics.{}", quoted(&m)));
        public.into_iter().chain(system).chain(metrics).collect()
    }
}

impl CatalogProviderList for TenantCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(Self::new(Arc::clone(&self.source))) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for TenantCatalog {
    fn schema_names(&self) -> Vec<String> {
        [PUBLIC, METRICS, SYSTEM].map(str::to_owned).into()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let source = Arc::clone(&self.source);
        match name {
            PUBLIC => Some(Arc::new(PublicSchema { source })),
            METRICS => Some(Arc::new(MetricsSchema { source })),
            SYSTEM => Some(Arc::new(SystemSchema { source })),
            INFORMATION_SCHEMA => Some(Arc::new(Information::new(source))),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct PublicSchema {
    source: Arc<Source>,
}

#[async_trait]
impl SchemaProvider for PublicSchema {
    fn table_names(&self) -> Vec<String> {
        let lent = Lent::ALL.iter().map(|t| t.name());
        Table::ALL.iter().map(|t| t.name()).chain([own::VIEW, alerts::VIEW]).chain(lent).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let source = Arc::clone(&self.source);
        if name == own::VIEW {
            return Ok(source.own_prices.get().cloned());
        }
        if name == alerts::SAMPLES {
            return Ok(Some(Arc::new(SamplesTable { source, metric: Some(alerts::METRIC) })));
        }
        if name == alerts::VIEW {
            return Ok(source.alerts.get().cloned());
        }
        if let Some(table) = Lent::parse(name) {
            return Ok(Some(Arc::new(LentTable { source, table })));
        }
        let Some(table) = Table::parse(name) else { return Ok(None) };
        Ok(Some(match table {
            Table::Samples => Arc::new(SamplesTable { source, metric: None }),
            Table::Series => Arc::new(SeriesTable { source }),
            Table::Charges => Arc::new(ChargesTable { source }),
            Table::Prices => Arc::new(PricesTable { source }),
            Table::Logs
            | Table::Spans
            | Table::Exemplars
            | Table::Metadata
            | Table::Allocations
            | Table::Anomalies
            | Table::Forecasts
            | Table::Patterns
            | Table::Recommendations => Arc::new(FilesTable { source, table }),
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        Table::parse(name).is_some()
            || Lent::parse(name).is_some()
            || [own::VIEW, alerts::VIEW, alerts::SAMPLES].contains(&name)
    }
}

/// `information_schema` without the engine's settings.
#[derive(Debug)]
struct Information {
    inner: InformationSchemaProvider,
}

impl Information {
    fn new(source: Arc<Source>) -> Self {
        Self { inner: InformationSchemaProvider::new(Arc::new(TenantCatalog::new(source))) }
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        self.inner.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let table = self.inner.table(name).await?;
        Ok(match table {
            Some(settings) if name == SETTINGS => Some(Arc::new(EmptyTable::new(settings.schema()))),
            other => other,
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.table_exist(name)
    }
}
