//! The DataFusion session of one query. What all sessions share (functions, rules, settings) is made once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::config::Dialect;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults, TaskContext};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::SessionConfig;
use grid_model::Timestamp;
use grid_store::Store;
use tokio_util::sync::CancellationToken;

use crate::catalog::{CATALOG, PUBLIC, TenantCatalog};
use crate::exact::ExactDecimals;
use crate::function;
use crate::function::attr::{Attr, AttrPlanner};
use crate::interrupt::Interrupt;
use crate::limits::{BATCH_ROWS, QueryLimits};
use crate::memory::{Budget, QueryPool};
use crate::newest::NewestFirst;
use crate::promql::PromqlSettings;
use crate::promql::function::PromqlFunction;
use crate::table::charges::ChargesAsOf;

/// Under this URL DataFusion finds the store's files. It is in no statement's reach: nothing there takes a URL.
pub(crate) const FILES_URL: &str = "grid-data://files/";
/// Values of an IN list up to which row groups and pages are compared with each.
const IN_LIST_PRUNED_MAX: usize = 64;

/// What the sessions of one engine share.
pub(crate) struct Sessions {
    template: SessionState,
    runtime: Arc<RuntimeEnv>,
    budget: Arc<Budget>,
    query_memory_bytes: usize,
    promql: PromqlSettings,
    timeout_max: Duration,
    pub url: ObjectStoreUrl,
}

impl Sessions {
    pub(crate) fn new(store: &Store, limits: &QueryLimits, threads: usize) -> Result<Self> {
        let mode = match &limits.spill_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(limits.spill_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(limits.metadata_cache_bytes)
            .build_arc()?;
        let url = ObjectStoreUrl::parse(FILES_URL)?;
        let (files, _) = store.objects().parts();
        runtime.register_object_store(url.as_ref(), files);
        Ok(Self {
            template: template(threads, Arc::clone(&runtime)),
            runtime,
            budget: Budget::new(limits.memory_bytes),
            query_memory_bytes: limits.query_memory_bytes.min(limits.memory_bytes),
            promql: limits.promql.clone(),
            timeout_max: limits.timeout_max,
            url,
        })
    }

    /// Bytes that queries hold now.
    pub(crate) fn memory_used(&self) -> usize {
        self.budget.used()
    }

    /// What plans reads of files, and sees no table.
    pub(crate) fn planning(&self) -> &SessionState {
        &self.template
    }

    /// What such reads run in: memory of its own, no functions by name.
    pub(crate) fn task(&self) -> Result<Arc<TaskContext>> {
        let config = self.template.config().clone();
        let context = TaskContext::new(
            None,
            "promql".to_owned(),
            config,
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            self.runtime()?,
        );
        Ok(Arc::new(context))
    }

    /// The shared runtime with a query's own share of memory.
    fn runtime(&self) -> Result<Arc<RuntimeEnv>> {
        let pool = Arc::new(QueryPool::new(self.query_memory_bytes, Arc::clone(&self.budget)));
        RuntimeEnvBuilder::from_runtime_env(&self.runtime).with_memory_pool(pool).build_arc()
    }

    /// A session that sees one catalog, with memory of its own; `now()` is `now`, `token` ends its queries.
    pub(crate) fn open(
        &self,
        catalog: Arc<TenantCatalog>,
        now: Timestamp,
        token: CancellationToken,
    ) -> Result<SessionState, DataFusionError> {
        let runtime = self.runtime()?;
        let mut state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_catalog_list(Arc::clone(&catalog) as _)
            .with_runtime_env(runtime)
            .with_physical_optimizer_rule(Arc::new(Interrupt { token }))
            .build();
        let promql = PromqlFunction {
            source: Arc::clone(catalog.source()),
            settings: self.promql.clone(),
            memory_bytes: self.query_memory_bytes,
            timeout: self.timeout_max,
        };
        state.register_udtf("promql", Arc::new(promql));
        state.register_udtf("charges_as_of", Arc::new(ChargesAsOf { source: Arc::clone(catalog.source()) }));
        let config = Arc::clone(state.config_options());
        let props = state.execution_props_mut();
        props.query_execution_start_time = Some(chrono::DateTime::from_timestamp_nanos(now.0));
        props.config_options = Some(config);
        Ok(state)
    }
}

fn template(threads: usize, runtime: Arc<RuntimeEnv>) -> SessionState {
    let mut config = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_target_partitions(threads)
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_create_default_catalog_and_schema(false)
        // The catalog brings its own, without the engine's settings.
        .with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    // See the module `exact`.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    // Buffer and files must agree on the type of text, see `table::files::scan_schema`.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // Decided per query, see `table::prune::late_materialisation`.
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.max_in_list_size = IN_LIST_PRUNED_MAX;
    // Wrong in DataFusion 55.2: a bound that is not known yet is left out of the filter instead of letting all rows through
    // (apache/datafusion#24816 and restatedev/restate#5214), so that `min` and `max` of one statement take rows from each other.
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;

    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(AttrPlanner { udf: Arc::new(Attr::default().into()) })];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let mut analyzer = Analyzer::new();
    analyzer.rules.insert(0, Arc::new(ExactDecimals::default()));
    let mut scalars = function::bounded::bound(SessionStateDefaults::default_scalar_functions());
    scalars.extend(function::scalars());
    let mut aggregates = SessionStateDefaults::default_aggregate_functions();
    aggregates.extend(function::aggregates());
    // No file formats and no table factories: no statement can make a table of a file.
    let footers = runtime.cache_manager.get_file_metadata_cache();
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(planners)
        .with_analyzer_rules(analyzer.rules)
        .with_scalar_functions(scalars)
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(aggregates)
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .with_file_formats(Vec::new())
        .with_physical_optimizer_rule(Arc::new(NewestFirst { footers }))
        .build()
}
