//! What of the language is behind a flag.

/// Which experimental parts of the language are on. `Default` is all off, as in Prometheus without `--enable-feature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `promql-experimental-functions`: functions and aggregations marked experimental.
    pub experimental_functions: bool,
    /// `promql-duration-expr`: arithmetic, `step()`, `range()`, `min_of()` and `max_of()` in durations.
    pub duration_expressions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
    /// `promql-delayed-name-removal`: metric names are dropped after evaluation. The parser does not look at it.
    pub delayed_name_removal: bool,
    /// `promql-per-step-stats`: samples are counted per step. The parser does not look at it.
    pub per_step_stats: bool,
    /// `type-and-unit-labels`: a metric's type and unit are labels. The parser does not look at it.
    pub type_and_unit_labels: bool,
    /// `use-start-timestamps`: counters count from zero where their samples say that they started. The parser does not look at it.
    pub start_timestamps: bool,
}

impl Features {
    /// Everything on.
    pub const ALL: Self = Self {
        experimental_functions: true,
        duration_expressions: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
        delayed_name_removal: true,
        per_step_stats: true,
        type_and_unit_labels: true,
        start_timestamps: true,
    };

    /// Features by the words of Prometheus' `--enable-feature`, each possibly a list with commas; and the words that name none.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> (Self, Vec<&'a str>) {
        let mut features = Self::default();
        let mut unknown = Vec::new();
        for name in names.into_iter().flat_map(|list| list.split(',')).map(str::trim) {
            match name {
                "" => {}
                "promql-experimental-functions" => features.experimental_functions = true,
                "promql-duration-expr" => features.duration_expressions = true,
                "promql-extended-range-selectors" => features.extended_range_selectors = true,
                "promql-binop-fill-modifiers" => features.binop_fill_modifiers = true,
                "promql-delayed-name-removal" => features.delayed_name_removal = true,
                "promql-per-step-stats" => features.per_step_stats = true,
                "type-and-unit-labels" => features.type_and_unit_labels = true,
                "use-start-timestamps" => features.start_timestamps = true,
                other => unknown.push(other),
            }
        }
        (features, unknown)
    }
}
