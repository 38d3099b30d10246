//! DataFusion as it comes, on the files that Grid wrote.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::file_format::options::ReadOptions as _;
use datafusion::datasource::listing::{ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use super::THREADS;

/// The raw files of samples, under the view that restores their numbers.
const AT_REST: &str = "samples_at_rest";
/// The view of docs/formats/parquet.md, "Numbers".
const VALUE: &str = "coalesce(value, CASE WHEN value_scale < 1 THEN (value_mantissa + coalesce(value_base, 0)) * abs(value_scale) \
                     ELSE (value_mantissa + coalesce(value_base, 0)) / value_scale END)";

/// A session with a table per table of Grid's.
pub(crate) struct Bare {
    session: SessionContext,
}

impl Bare {
    pub(crate) async fn open(files: &BTreeMap<String, Vec<String>>) -> anyhow::Result<Self> {
        let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(THREADS));
        for (table, paths) in files {
            let urls = paths.iter().map(ListingTableUrl::parse).collect::<Result<Vec<_>, _>>()?;
            let options = ParquetReadOptions::default();
            let options = options.to_listing_options(&session.copied_config(), session.copied_table_options());
            let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
            let config = config.infer_schema(&session.state()).await?;
            let name = if table == "samples" { AT_REST } else { table.as_str() };
            session.register_table(name, Arc::new(ListingTable::try_new(config)?))?;
        }
        session
            .sql(&format!("CREATE VIEW samples AS SELECT metric, series_id, time, {VALUE} AS value FROM {AT_REST}"))
            .await?;
        Ok(Self { session })
    }

    /// Milliseconds from the text of a query to all its rows, and the rows.
    pub(crate) async fn ask(&mut self, sql: &str) -> anyhow::Result<(f64, Vec<RecordBatch>)> {
        let started = Instant::now();
        let rows = self.session.sql(sql).await?.collect().await?;
        Ok((started.elapsed().as_secs_f64() * 1e3, rows))
    }
}
