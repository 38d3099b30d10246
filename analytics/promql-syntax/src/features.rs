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
        for name in names.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty()) {
            match features.switches().into_iter().find(|(known, _)| *known == name) {
                Some((_, on)) => *on = true,
                None => unknown.push(name),
            }
        }
        (features, unknown)
    }

    /// The words for what is on.
    pub fn names(mut self) -> Vec<&'static str> {
        self.switches().into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }

    /// Every feature by its word.
    fn switches(&mut self) -> [(&'static str, &mut bool); 8] {
        [
            ("promql-experimental-functions", &mut self.experimental_functions),
            ("promql-duration-expr", &mut self.duration_expressions),
            ("promql-extended-range-selectors", &mut self.extended_range_selectors),
            ("promql-binop-fill-modifiers", &mut self.binop_fill_modifiers),
            ("promql-delayed-name-removal", &mut self.delayed_name_removal),
            ("promql-per-step-stats", &mut self.per_step_stats),
            ("type-and-unit-labels", &mut self.type_and_unit_labels),
            ("use-start-timestamps", &mut self.start_timestamps),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_have_the_names_by_which_they_are_turned_on() {
        let list = Features::ALL.names().join(",");
        assert_eq!(Features::from_names([list.as_str()]), (Features::ALL, Vec::new()));
        assert_eq!(Features::from_names(["", "promql-duration-expr, x"]).1, ["x"]);
        assert!(Features::default().names().is_empty());
    }
}
