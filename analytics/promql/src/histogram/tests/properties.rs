//! Properties that hold for any histogram, and for what only pretends to be one.

use grid_model::histogram::{Counts, Histogram, HistogramKind};
use proptest::prelude::*;

use super::super::text::parse;
use super::super::*;
use super::close;

fn compacted_of(histogram: &FloatHistogram) -> FloatHistogram {
    let mut compacted = histogram.clone();
    compacted.compact(0);
    compacted
}

fn side() -> impl Strategy<Value = (Vec<Span>, Vec<f64>)> {
    proptest::collection::vec((0..4_i32, proptest::collection::vec(0..50_u32, 0..5)), 0..5).prop_flat_map(|runs| {
        (-40..40_i32).prop_map(move |start| {
            let mut spans: Vec<Span> =
                runs.iter().map(|(offset, counts)| Span { offset: *offset, length: counts.len() as u32 }).collect();
            if let Some(first) = spans.first_mut() {
                first.offset += start;
            }
            (spans, runs.iter().flat_map(|(_, counts)| counts.iter().map(|count| f64::from(*count))).collect())
        })
    })
}

fn histogram() -> impl Strategy<Value = FloatHistogram> {
    (side(), side(), -4..=8_i32, 0..9_u32, prop_oneof![Just(0.0), Just(1e-3), Just(0.3), Just(1.5)]).prop_map(
        |(positive, negative, schema, zero_count, zero_threshold)| {
            let zero_count = f64::from(zero_count);
            let count = zero_count + positive.1.iter().chain(&negative.1).sum::<f64>();
            FloatHistogram {
                schema,
                zero_threshold,
                zero_count,
                count,
                sum: count * 2.0,
                positive_spans: positive.0,
                positive_buckets: positive.1,
                negative_spans: negative.0,
                negative_buckets: negative.1,
                ..FloatHistogram::default()
            }
        },
    )
}

/// A histogram that lies about everything.
fn hostile() -> impl Strategy<Value = Histogram> {
    let span = prop_oneof![(any::<i32>(), any::<u32>()), (-3..3_i32, 0..4_u32),]
        .prop_map(|(offset, length)| Span { offset, length });
    let spans = || proptest::collection::vec(span.clone(), 0..5);
    let float = || prop_oneof![any::<f64>(), Just(0.0), Just(1.0), Just(f64::NAN), Just(f64::INFINITY)];
    let counts = || {
        prop_oneof![
            proptest::collection::vec(float(), 0..9).prop_map(Counts::Float),
            proptest::collection::vec(any::<u64>(), 0..9).prop_map(Counts::Int),
        ]
    };
    let kind =
        prop_oneof![Just(HistogramKind::Native), Just(HistogramKind::Exponential), Just(HistogramKind::Explicit)];
    let schema = prop_oneof![any::<i32>(), -6..25_i32, Just(-53)];
    (
        (kind, schema, any::<i32>(), float(), float(), float(), float()),
        (spans(), counts(), spans(), counts(), proptest::collection::vec(float(), 0..5)),
    )
        .prop_map(|((kind, schema, hint, count, sum, zero, threshold), (ps, pc, ns, nc, bounds))| Histogram {
            kind,
            schema: Some(schema),
            reset_hint: hint,
            count_float: Some(count),
            sum: Some(sum),
            zero_count_float: Some(zero),
            zero_threshold: Some(threshold),
            positive_spans: ps,
            positive_counts: pc,
            negative_spans: ns,
            negative_counts: nc,
            bounds,
            ..Histogram::default()
        })
}

/// Every operation once; whatever comes out, it comes out.
fn exercise(a: &FloatHistogram, b: &FloatHistogram) {
    let _ = a.validate();
    let _ = (a.to_string(), a.test_expression(), a.api_buckets().count(), a.all_buckets().rev().count());
    for q in [0.0, 0.3, 0.7, 1.0] {
        let _ = (a.quantile(q), a.fraction(q - 0.5, q), a.trim_lower(q), a.trim_upper(-q));
    }
    let _ = (a.stddev(), a.detect_reset(b), a.copy_to_schema(-4), a == b, a.clone().compact(3).size_bytes());
    let (mut sum, mut difference, mut careful, mut lost) = (a.clone(), a.clone(), a.clone(), None);
    let _ = (sum.add(b), difference.sub(b), careful.kahan_add(b, &mut lost), careful.kahan_add(a, &mut lost));
    let _ = sum.into_model();
}

proptest! {
    #[test]
    fn adding_and_subtracting_gives_back(a in histogram(), b in histogram()) {
        let mut sum = a.clone();
        sum.add(&b).expect("both exponential");
        prop_assert!(sum.check_structure().is_ok());
        let total = |h: &FloatHistogram| h.zero_count + h.positive_buckets.iter().chain(&h.negative_buckets).sum::<f64>();
        // Buckets of `b` within the zero bucket of the same width are left out, as in Prometheus.
        if a.zero_threshold == 0.0 && b.zero_threshold == 0.0 {
            prop_assert_eq!(total(&sum), sum.count);
        }
        let mut careful = a.clone();
        let mut lost = None;
        careful.kahan_add(&b, &mut lost).expect("both exponential");
        careful.add(&lost.expect("some")).expect("both exponential");
        careful.compact(0);
        let mut compacted = sum.clone();
        compacted.compact(0);
        prop_assert_eq!(&careful, &compacted);
        sum.sub(&b).expect("both exponential");
        let mut back = a.clone();
        back.add(&sum.clone_empty()).expect("both exponential");
        if a.zero_threshold == b.zero_threshold && a.zero_threshold == 0.0 {
            prop_assert_eq!(sum.compact(0), back.compact(0));
        }
    }

    #[test]
    fn compacting_keeps_buckets(a in histogram(), max_empty in 0..4_usize) {
        let populated = |h: &FloatHistogram| h.all_buckets().filter(|b| b.count != 0.0).collect::<Vec<_>>();
        let mut compacted = a.clone();
        compacted.compact(max_empty);
        prop_assert_eq!(populated(&compacted), populated(&a));
        prop_assert!(compacted.check_structure().is_ok());
        prop_assert_eq!(compacted_of(&compacted), compacted_of(&a));
    }

    #[test]
    fn lower_schemas_keep_counts(a in histogram()) {
        for schema in -4..a.schema {
            let lower = a.copy_to_schema(schema).expect("lower");
            prop_assert!(lower.check_structure().is_ok());
            prop_assert_eq!(lower.positive_buckets.iter().sum::<f64>(), a.positive_buckets.iter().sum::<f64>());
            prop_assert_eq!(lower.negative_buckets.iter().sum::<f64>(), a.negative_buckets.iter().sum::<f64>());
            prop_assert!(!lower.detect_reset(&a));
        }
    }

    #[test]
    fn quantiles_ascend_and_fractions_invert(a in histogram()) {
        // Overlapping buckets have no order.
        let a = FloatHistogram { zero_threshold: 0.0, ..a };
        let mut before = f64::NEG_INFINITY;
        for q in (0..=20).map(|step| f64::from(step) / 20.0) {
            let value = a.quantile(q).value;
            if a.count == 0.0 {
                prop_assert!(value.is_nan());
                continue;
            }
            prop_assert!(value >= before - before.abs() * 1e-12, "{q}: {value} after {before}");
            before = value;
        }
        if a.count > 0.0 {
            close(a.fraction(f64::NEG_INFINITY, f64::INFINITY).value, 1.0);
        }
    }

    #[test]
    fn trims_split(a in histogram(), at in -30.0..30.0_f64) {
        let (below, above) = (a.trim_upper(at), a.trim_lower(at));
        if below != a && above != a {
            prop_assert!((below.count + above.count - a.count).abs() < 1e-9 * a.count.max(1.0));
        }
    }

    #[test]
    fn text_round_trip(a in histogram()) {
        let back = parse(&a.test_expression()).expect("own text");
        prop_assert_eq!(compacted_of(&back), compacted_of(&a));
        prop_assert_eq!(back.test_expression(), a.test_expression());
    }

    #[test]
    fn walks_agree(a in histogram()) {
        let forward: Vec<_> = a.all_buckets().collect();
        let mut backward: Vec<_> = a.all_buckets().rev().collect();
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn hostile_histograms_do_no_harm(a in hostile(), b in hostile()) {
        let raw = |model: &Histogram| {
            // Past the checks of `from_model`, as code that fills the public fields may.
            let floats = |counts: &Counts| match counts {
                Counts::Float(counts) => counts.clone(),
                Counts::Int(counts) => counts.iter().map(|count| *count as f64).collect(),
            };
            FloatHistogram {
                schema: model.schema.unwrap_or(0),
                zero_threshold: model.zero_threshold.unwrap_or(0.0),
                zero_count: model.zero_count_float.unwrap_or(0.0),
                count: model.count_float.unwrap_or(0.0),
                sum: model.sum.unwrap_or(0.0),
                positive_spans: model.positive_spans.clone(),
                negative_spans: model.negative_spans.clone(),
                positive_buckets: floats(&model.positive_counts),
                negative_buckets: floats(&model.negative_counts),
                custom_values: model.bounds.as_slice().into(),
                ..FloatHistogram::default()
            }
        };
        exercise(&raw(&a), &raw(&b));
        if let (Some(a), Some(b)) = (FloatHistogram::from_model(&a), FloatHistogram::from_model(&b)) {
            prop_assert!(a.check_structure().is_ok());
            exercise(&a, &b);
        }
    }

    #[test]
    fn parsing_never_panics(text in "[{]{2}([a-z_]{1,8}:[-\\[\\]0-9 .a-zA-Z]{0,8} ?){0,4}[}]{2}") {
        let _ = parse(&text);
    }
}
