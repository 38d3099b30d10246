//! `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`: of native histograms one by one, of classic ones by their
//! buckets, which are series with a label `le`.

use std::collections::HashMap;

use grid_promql_syntax::function::Function;

use super::over_time::invalid_quantile;
use super::{Collected, Context, Overlap, Parts, held};
use crate::annotation::for_metric;
use crate::error::Error;
use crate::histogram::{self, ClassicBucket, FloatHistogram, NanEffect};
use crate::labels::Labels;
use crate::number;
use crate::plan::Node;
use crate::points::{Grid, Point, Points, Series};

/// The label of a classic bucket's upper bound.
const LE: &str = "le";

/// What is asked of each histogram.
enum Asked {
    /// One quantile per step.
    Quantile(Vec<f64>),
    /// Lower and upper bound per step.
    Fraction(Vec<f64>, Vec<f64>),
}

/// A classic histogram: its buckets by ascending bound.
struct Classic {
    labels: Labels,
    drop_name: bool,
    buckets: Vec<(f64, Points)>,
    /// At which steps a native histogram has the same labels.
    native: Vec<bool>,
}

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let (vector, label, asked) = match function {
        Function::HistogramQuantile => {
            let q = context.scalar(&args[0], grid)?;
            q.iter().for_each(|q| invalid_quantile(context, &args[0], *q));
            (&args[1], None, vec![Asked::Quantile(q)])
        }
        Function::HistogramFraction => {
            let (lower, upper) = (context.scalar(&args[0], grid)?, context.scalar(&args[1], grid)?);
            (&args[2], None, vec![Asked::Fraction(lower, upper)])
        }
        _ => {
            let mut asked = Vec::with_capacity(args.len());
            for arg in args.get(2..).unwrap_or(&[]) {
                let q = context.scalar(arg, grid)?;
                q.iter().for_each(|q| invalid_quantile(context, arg, *q));
                asked.push(Asked::Quantile(q));
            }
            (&args[0], Some(context.text(&args[1])?), asked)
        }
    };
    let of = Of { context, function, vector, grid };
    let (natives, classics, mut reservation) = of.gather()?;
    let mut out: Vec<Series> = Vec::with_capacity((natives.len() + classics.len()) * asked.len());
    for asked in &asked {
        for native in &natives {
            of.push(&mut out, native.labels.clone(), native.drop_name, label, asked, |step| {
                match native.points.get(step) {
                    Some(Point::Histogram(h)) => Some(of.native(asked, step, h, &native.labels)),
                    _ => None,
                }
            });
        }
        let mut buckets = Vec::new();
        for classic in &classics {
            of.push(&mut out, classic.labels.clone(), classic.drop_name, label, asked, |step| {
                of.classic(asked, step, classic, &mut buckets)
            });
        }
    }
    out.iter().try_for_each(|s| reservation.grow(s.points.bytes() + s.labels.bytes()))?;
    let parts = held(Collected { series: out, held: reservation });
    if label.is_some() {
        return Ok(context.all_distinct(parts, Overlap::Refused));
    }
    Ok(context.distinct(vector, parts, Overlap::Refused))
}

struct Of<'a> {
    context: &'a Context<'a>,
    function: Function,
    vector: &'a Node,
    grid: Grid,
}

impl<'a> Of<'a> {
    /// All native histograms, and all buckets put together to classic ones.
    fn gather(&self) -> Result<(Vec<Series>, Vec<Classic>, crate::query::Reservation), Error> {
        let mut reservation = self.context.memory.reserve();
        let mut natives: Vec<Series> = Vec::new();
        let mut classics: Vec<Classic> = Vec::new();
        let mut by_labels: HashMap<Labels, usize> = HashMap::new();
        for mut part in self.context.stream(self.vector, self.grid)? {
            while let Some(mut series) = part.next()? {
                (self.context.interrupt)()?;
                reservation.grow(series.points.bytes() + series.labels.bytes())?;
                if series.points.has_histograms() {
                    let mut native = series.points.clone();
                    for step in 0..native.steps() {
                        match native.get(step) {
                            Some(Point::Histogram(_)) => series.points.unset(step),
                            _ => native.unset(step),
                        }
                    }
                    let (labels, drop_name) = (series.labels.clone(), series.drop_name);
                    natives.push(Series { labels, drop_name, points: native });
                    if series.points.is_empty() {
                        continue;
                    }
                }
                let le = series.labels.get(LE);
                let Some(bound) = parse_bound(le) else {
                    let text = format!("bucket label \"le\" is missing or has a malformed value of {le:?}");
                    let text = format!("{text}{}", for_metric(series.labels.metric()));
                    self.context.annotations.warn(self.vector.span, text);
                    continue;
                };
                let labels = series.labels.with(LE, "");
                let at = *by_labels.entry(labels.clone()).or_insert_with(|| {
                    let native = vec![false; self.grid.len()];
                    classics.push(Classic { labels, drop_name: series.drop_name, buckets: Vec::new(), native });
                    classics.len() - 1
                });
                classics[at].buckets.push((bound, series.points));
            }
        }
        for classic in &mut classics {
            classic.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.tell_apart(&mut natives, &mut classics, &by_labels);
        Ok((natives, classics, reservation))
    }

    /// Where a native and a classic histogram have the same labels, neither is taken.
    fn tell_apart(&self, natives: &mut [Series], classics: &mut [Classic], by_labels: &HashMap<Labels, usize>) {
        for native in natives {
            let Some(at) = by_labels.get(&native.labels.with(LE, "")) else { continue };
            let classic = &mut classics[*at];
            for step in 0..native.points.steps() {
                if native.points.present[step] && classic.buckets.iter().any(|(_, b)| b.present[step]) {
                    let text = "vector contains a mix of classic and native histograms";
                    let text = format!("{text}{}", for_metric(native.labels.metric()));
                    self.context.annotations.warn(self.vector.span, text);
                    native.points.unset(step);
                    classic.native[step] = true;
                }
            }
        }
    }

    fn push(
        &self,
        out: &mut Vec<Series>,
        labels: Labels,
        drop_name: bool,
        label: Option<&str>,
        asked: &Asked,
        mut value: impl FnMut(usize) -> Option<f64>,
    ) {
        // Of quantiles that change from step to step each has a label, hence a series, of its own.
        let mut by_label: Vec<(String, Points)> = Vec::new();
        for step in 0..self.grid.len() {
            let Some(v) = value(step) else { continue };
            let said = match (label, asked) {
                (Some(_), Asked::Quantile(q)) => number::open_metrics(q[step]),
                _ => String::new(),
            };
            let at = by_label.iter().position(|(had, _)| *had == said).unwrap_or_else(|| {
                by_label.push((said, Points::empty(self.grid.len())));
                by_label.len() - 1
            });
            by_label[at].1.set(step, v);
        }
        for (said, points) in by_label {
            let labels = label.map_or_else(|| labels.clone(), |name| labels.with(name, &said));
            let mut series = Series { labels, drop_name, points };
            self.context.drop_name(&mut series);
            out.push(series);
        }
    }

    /// What notes call the function.
    fn name(&self) -> &'static str {
        match self.function {
            Function::HistogramFraction => "histogram_fraction",
            _ => "histogram_quantile",
        }
    }

    fn native(&self, asked: &Asked, step: usize, h: &FloatHistogram, labels: &Labels) -> f64 {
        let info = |text: &str| {
            let text = format!("input to {} {text}{}", self.name(), for_metric(labels.metric()));
            self.context.annotations.info(self.vector.span, text);
        };
        match asked {
            Asked::Quantile(q) => {
                let found = h.quantile(q[step]);
                match found.nan_effect {
                    NanEffect::None => {}
                    NanEffect::ResultIsNan => info("has NaN observations, result is NaN"),
                    NanEffect::SkewedHigher => info("has NaN observations, result is skewed higher"),
                }
                found.value
            }
            Asked::Fraction(lower, upper) => {
                let found = h.fraction(lower[step], upper[step]);
                if found.nan_observations {
                    info("has NaN observations, which are excluded from all fractions");
                }
                found.value
            }
        }
    }

    fn classic(&self, asked: &Asked, step: usize, classic: &Classic, buckets: &mut Vec<ClassicBucket>) -> Option<f64> {
        if classic.native[step] {
            return None;
        }
        buckets.clear();
        for (upper_bound, points) in classic.buckets.iter().filter(|(_, p)| p.present[step]) {
            buckets.push(ClassicBucket { upper_bound: *upper_bound, count: points.values[step] });
        }
        if buckets.is_empty() {
            return None;
        }
        match asked {
            Asked::Fraction(lower, upper) => Some(histogram::bucket_fraction(lower[step], upper[step], buckets)),
            Asked::Quantile(q) => {
                let found = histogram::bucket_quantile(q[step], buckets);
                if found.fix.forced_monotonic {
                    let fix = found.fix;
                    let text = format!(
                        "input to {} needed to be fixed for monotonicity \
                         (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}, \
                         from buckets {} to {}, with a max diff of {}",
                        self.name(),
                        for_metric(classic.labels.metric()),
                        number::format(fix.min_bucket),
                        number::format(fix.max_bucket),
                        number::format(fix.max_diff),
                    );
                    self.context.annotations.info(self.vector.span, text);
                }
                Some(found.value)
            }
        }
    }
}

/// The upper bound that a label `le` says, as Go reads numbers.
fn parse_bound(le: &str) -> Option<f64> {
    match le {
        "+Inf" | "Inf" | "+inf" | "inf" => Some(f64::INFINITY),
        "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        _ if le.bytes().any(|b| b.is_ascii_digit()) => le.parse().ok(),
        _ => None,
    }
}
