//! Cases, many of them from Prometheus' language tests; properties in `properties.rs`.

use grid_model::histogram::{Counts, Histogram, HistogramKind};

use super::text::{GoFloat, parse};
use super::*;

mod properties;

fn h(text: &str) -> FloatHistogram {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn close(got: f64, wanted: f64) {
    let same = got == wanted || (got.is_nan() && wanted.is_nan());
    assert!(same || (got - wanted).abs() <= 1e-9 * wanted.abs(), "got {got}, wanted {wanted}");
}

/// All counts within rounding, buckets compacted.
#[track_caller]
fn alike(mut got: FloatHistogram, mut wanted: FloatHistogram) {
    got.compact(0);
    wanted.compact(0);
    let shape = |h: &FloatHistogram| (h.schema, h.zero_threshold, h.positive_spans.clone(), h.negative_spans.clone());
    assert_eq!(shape(&got), shape(&wanted), "{} {}", got.test_expression(), wanted.test_expression());
    assert_eq!(got.custom_values, wanted.custom_values);
    let counts = |h: &FloatHistogram| {
        let mut all = vec![h.count, h.sum, h.zero_count];
        all.extend(h.positive_buckets.iter().chain(&h.negative_buckets));
        all
    };
    for (got, wanted) in counts(&got).into_iter().zip(counts(&wanted)) {
        close(got, wanted);
    }
}

#[test]
fn boundaries_are_prometheus() {
    for (index, schema, wanted) in [
        (0, 0, 1.0),
        (10, 0, 1024.0),
        (1, 3, 1.0905077326652577),
        (-3, 8, 0.9919100824251095),
        (1024, 0, f64::MAX),
        (1025, 0, f64::INFINITY),
        (512, -1, f64::MAX),
        (64, -4, f64::MAX),
        (65, -4, f64::INFINITY),
        (-1074, 0, 5e-324),
        (-1075, 0, 0.0),
        (1, 5, 1.0218971486541166),
        (262_144, 8, f64::MAX),
        (0, 9, f64::NAN),
    ] {
        let got = bounds::bound(index, schema, &[]);
        assert!(got.to_bits() == wanted.to_bits() || (got.is_nan() && wanted.is_nan()), "{index} {schema}: {got}");
    }
    // Subnormals are rounded once.
    assert_eq!(bounds::bound(-1073 * 256 + 1, 8, &[]), 2.0 * f64::from_bits(1));
    assert_eq!(bounds::bound(-1, CUSTOM_SCHEMA, &[1.0]), f64::NEG_INFINITY);
    assert_eq!(bounds::bound(1, CUSTOM_SCHEMA, &[1.0]), f64::INFINITY);
}

#[test]
fn floats_are_written_as_go_does() {
    for (value, wanted) in [
        (100_000.0, "100000"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (123_456.5, "123456.5"),
        (0.0001, "0.0001"),
        (1.5e-5, "1.5e-05"),
        (f64::INFINITY, "+Inf"),
        (-0.0, "-0"),
        (f64::NAN, "NaN"),
        (1e100, "1e+100"),
    ] {
        assert_eq!(GoFloat(value).to_string(), wanted);
    }
}

#[test]
fn text_forms() {
    for (expression, text) in [
        ("{{}}", "{count:0, sum:0}"),
        (
            "{{schema:1 count:12 sum:18.4 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:gauge offset:2 buckets:[1 0 2] \
             n_offset:-1 n_buckets:[4]}}",
            "{count:12, sum:18.4, [-0.7071067811865475,-0.5):4, [-0.001,0.001]:2, (1.414213562373095,2]:1, \
             (2.82842712474619,4]:2}",
        ),
        (
            "{{schema:-53 count:3 sum:4 custom_values:[-1 5] buckets:[1 1 1]}}",
            "{count:3, sum:4, [-Inf,-1]:1, (-1,5]:1, (5,+Inf]:1}",
        ),
    ] {
        let parsed = h(expression);
        assert_eq!(parsed.to_string(), text);
        assert_eq!(parsed.test_expression(), expression);
    }
    assert_eq!(h(" {{ schema: 0  count:0x0 }} "), FloatHistogram::default());
    for bad in [
        "",
        "{}",
        "{{x:1}}",
        "{{count}}",
        "{{count:x}}",
        "{{count:1 count:2}}",
        "{{buckets:[1}}",
        "{{buckets:1}}",
        "{{schema:99}}",
        "{{schema:1.5}}",
        "{{counter_reset_hint:maybe}}",
        "{{schema:-53 custom_values:[2 1]}}",
        "{{schema:-53 custom_values:[1] buckets:[1 2 3]}}",
        "{{offset:2147483647 buckets:[1]}}",
        "{{z_bucket_w:NaN}}",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn sums_and_differences() {
    for (a, b, sum, reconciled) in [
        (
            "{{schema:0 count:4 sum:5 buckets:[1 2 1]}}",
            "{{count:1 sum:1 buckets:[0 0 0 1]}}",
            "{{count:5 sum:6 buckets:[1 2 1 1]}}",
            false,
        ),
        // Resolution goes down to the lower one.
        (
            "{{schema:-1 sum:4 count:1 buckets:[1] offset:1}}",
            "{{schema:0 sum:4 count:4 buckets:[2 2] offset:1}}",
            "{{schema:-1 count:5 sum:8 offset:1 buckets:[5]}}",
            false,
        ),
        (
            "{{schema:1 count:3 buckets:[1 1 1]}}",
            "{{schema:0 count:1 buckets:[0 0 1]}}",
            "{{schema:0 count:4 buckets:[1 2 1]}}",
            false,
        ),
        // The wider zero bucket takes in what lies in it, and moves to the end of the bucket it cuts.
        (
            "{{count:4 z_bucket:1 z_bucket_w:0.1 offset:-3 buckets:[1 1 1]}}",
            "{{count:2 z_bucket:2 z_bucket_w:0.2}}",
            "{{count:6 z_bucket:5 z_bucket_w:0.25 offset:-1 buckets:[1]}}",
            false,
        ),
        (
            "{{count:2 z_bucket:2 z_bucket_w:0.2}}",
            "{{count:4 z_bucket:1 z_bucket_w:0.1 offset:-3 n_offset:-3 n_buckets:[1 1 1]}}",
            "{{count:6 z_bucket:5 z_bucket_w:0.25 n_offset:-1 n_buckets:[1]}}",
            false,
        ),
        // Only common bounds stay.
        (
            "{{schema:-53 sum:1 count:1 custom_values:[5 10] buckets:[1]}}",
            "{{schema:-53 sum:1 count:1 custom_values:[2 10] buckets:[1]}}",
            "{{schema:-53 count:2 sum:2 custom_values:[10] buckets:[2]}}",
            true,
        ),
        (
            "{{schema:-53 sum:1 count:6 custom_values:[1 2 3] buckets:[1 2 2 1]}}",
            "{{schema:-53 sum:1 count:1 custom_values:[7] buckets:[0 1]}}",
            "{{schema:-53 count:7 sum:2 custom_values:[] buckets:[7]}}",
            true,
        ),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 0 2]}}",
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[0 3]}}",
            "{{schema:-53 count:6 custom_values:[1 2] buckets:[1 3 2]}}",
            false,
        ),
    ] {
        let (a, b, sum) = (h(a), h(b), h(sum));
        let mut plain = a.clone();
        assert_eq!(plain.add(&b).expect("same kind").bounds_reconciled, reconciled);
        alike(plain.clone(), sum.clone());
        let (mut careful, mut lost) = (a.clone(), None);
        assert_eq!(careful.kahan_add(&b, &mut lost).expect("same kind").bounds_reconciled, reconciled);
        careful.add(&lost.expect("there is one")).expect("same layout");
        alike(careful, sum.clone());
        // Subtracting a summand leaves the other, at the resolution of the sum.
        plain.sub(&b).expect("same kind");
        let mut other = a;
        other.add(&plain.clone_empty()).expect("same kind");
        alike(plain, other);
    }
    assert!(h("{{}}").add(&h("{{schema:-53}}")).is_err());
    assert!(h("{{schema:-53}}").kahan_add(&h("{{}}"), &mut None).is_err());
}

impl FloatHistogram {
    /// The same grid without observations.
    fn clone_empty(&self) -> Self {
        Self {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            custom_values: self.custom_values.clone(),
            ..Self::default()
        }
    }
}

#[test]
fn compensation_keeps_small_values() {
    let mut sum = h("{{count:1 sum:5.3}}");
    let mut lost = None;
    for (position, more) in ["1e100", "1", "-1e100", "2", "1e50", "-1e50"].into_iter().enumerate() {
        sum.kahan_add(&h(&format!("{{{{count:1 sum:{more} buckets:[{more}]}}}}")), &mut lost).expect("same kind");
        if position == 2 {
            // What only changes the layout must not lose the compensation.
            sum.compact(0);
        }
    }
    sum.add(&lost.expect("some")).expect("same kind");
    close(sum.sum, 8.3);
    assert_eq!(sum.positive_buckets, [3.0]);
}

#[test]
fn hints() {
    use ResetHint::{CounterReset, Gauge, NotCounterReset, Unknown};
    for (a, b, wanted, collision) in [
        (Unknown, Unknown, Unknown, false),
        (Gauge, CounterReset, Gauge, false),
        (NotCounterReset, Gauge, Gauge, false),
        (NotCounterReset, Unknown, Unknown, false),
        (NotCounterReset, NotCounterReset, NotCounterReset, false),
        (NotCounterReset, CounterReset, Unknown, true),
    ] {
        let with = |reset_hint| FloatHistogram { reset_hint, ..FloatHistogram::default() };
        let mut sum = with(a);
        assert_eq!(sum.add(&with(b)).expect("same kind").counter_reset_collision, collision);
        assert_eq!(sum.reset_hint, wanted);
    }
    assert_eq!(h("{{count:1}}").mul(2.0).reset_hint, Unknown);
    assert_eq!(h("{{count:1}}").neg().reset_hint, Gauge);
    assert_eq!(h("{{count:1}}").div(-2.0).reset_hint, Gauge);
    let mut divided = h("{{count:30 sum:33 z_bucket:3 z_bucket_w:0.001 buckets:[3 3 3] n_buckets:[6 6 6]}}");
    assert_eq!(*divided.div(0.0), h("{{count:Inf sum:Inf z_bucket_w:0.001 z_bucket:Inf}}"));
    assert!(divided.has_overflow());
}

#[test]
fn resets() {
    for (before, after, wanted) in [
        ("{{count:4 buckets:[1 2 1]}}", "{{count:5 buckets:[1 1 3]}}", true),
        ("{{count:4 buckets:[1 2 1]}}", "{{count:5 buckets:[1 2 2]}}", false),
        ("{{count:4 buckets:[1 2 1]}}", "{{count:3 buckets:[1 2 0]}}", true),
        ("{{count:4 sum:5}}", "{{count:4 sum:1}}", false),
        ("{{count:4}}", "{{count:5 counter_reset_hint:reset}}", true),
        ("{{count:4}}", "{{count:3 counter_reset_hint:not_reset}}", false),
        ("{{count:4}}", "{{count:3 counter_reset_hint:gauge}}", true),
        ("{{schema:0 count:1}}", "{{schema:1 count:1}}", true),
        ("{{schema:1 count:2 buckets:[0 1 1]}}", "{{schema:0 count:2 buckets:[0 2]}}", false),
        ("{{schema:1 count:2 buckets:[0 1 1]}}", "{{schema:0 count:2 buckets:[0 1 1]}}", true),
        ("{{count:1 z_bucket_w:0.2}}", "{{count:1 z_bucket_w:0.1}}", true),
        ("{{count:1 z_bucket_w:0.1 offset:-3 buckets:[1]}}", "{{count:1 z_bucket:1 z_bucket_w:0.125}}", false),
        ("{{count:1 z_bucket_w:0.1 offset:-2 buckets:[1]}}", "{{count:1 z_bucket:1 z_bucket_w:0.2}}", true),
        ("{{count:1 n_buckets:[1]}}", "{{count:1 buckets:[1]}}", true),
        ("{{count:1 n_buckets:[0 0]}}", "{{count:1 buckets:[1]}}", false),
        ("{{count:1}}", "{{schema:-53 count:1}}", true),
        ("{{schema:-53 count:1}}", "{{count:1}}", true),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}",
            "{{schema:-53 count:3 custom_values:[2 3] buckets:[3]}}",
            false,
        ),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}",
            "{{schema:-53 count:4 custom_values:[2 3] buckets:[2 2]}}",
            true,
        ),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}",
            "{{schema:-53 count:4 custom_values:[1 2] buckets:[0 4]}}",
            true,
        ),
    ] {
        assert_eq!(h(after).detect_reset(&h(before)), wanted, "{before} then {after}");
    }
}

#[test]
fn quantiles() {
    let all = "{{schema:0 count:12 sum:100 z_bucket:2 z_bucket_w:0.001 n_buckets:[2 3 0 1 4]}}";
    let both = "{{schema:0 count:24 sum:100 z_bucket:4 z_bucket_w:0.001 buckets:[2 3 0 1 4] n_buckets:[2 3 0 1 4]}}";
    let nan = "{{schema:0 count:15 sum:NaN buckets:[12]}}";
    for (histogram, q, wanted, effect) in [
        (all, 1.001, f64::INFINITY, NanEffect::None),
        (all, 1.0, 0.0, NanEffect::None),
        (all, 0.99, -0.00006, NanEffect::None),
        (all, 0.9, -0.0006, NanEffect::None),
        (all, 0.5, -1.5874010519681996, NanEffect::None),
        (all, 0.1, -12.996038341699768, NanEffect::None),
        (all, 0.0, -16.0, NanEffect::None),
        (all, -1.0, f64::NEG_INFINITY, NanEffect::None),
        (all, f64::NAN, f64::NAN, NanEffect::None),
        ("{{}}", 0.5, f64::NAN, NanEffect::None),
        (both, 0.5416666666666666, 0.0005, NanEffect::None),
        (both, 0.4583333333333333, -0.0005, NanEffect::None),
        ("{{schema:-1 sum:6 count:5 buckets:[0 0 5]}}", 0.5, 8.0, NanEffect::None),
        ("{{schema:0 sum:4 count:5 n_buckets:[0 5]}}", 0.5, -std::f64::consts::SQRT_2, NanEffect::None),
        ("{{count:8 sum:0 buckets:[1 2 1] n_buckets:[1 2 1]}}", 0.5, 0.5, NanEffect::None),
        ("{{schema:-53 count:3 sum:3 custom_values:[0 2 4 6] buckets:[0 1 1 1]}}", 0.5, 3.0, NanEffect::None),
        ("{{schema:-53 count:3 sum:3 custom_values:[2 4] buckets:[1 1 1]}}", 0.9, 4.0, NanEffect::None),
        ("{{schema:-53 count:3 sum:3 custom_values:[2 4] buckets:[2 1]}}", 0.25, 0.75, NanEffect::None),
        ("{{schema:-53 count:3 sum:3 custom_values:[-2 4] buckets:[2 1]}}", 0.1, -2.0, NanEffect::None),
        (nan, 0.8, 1.0, NanEffect::SkewedHigher),
        (nan, 0.4, std::f64::consts::FRAC_1_SQRT_2, NanEffect::SkewedHigher),
        (nan, 0.9, f64::NAN, NanEffect::ResultIsNan),
        ("{{count:3 sum:NaN}}", 0.5, f64::NAN, NanEffect::ResultIsNan),
        ("{{count:12 sum:NaN buckets:[12]}}", 1.0, 1.0, NanEffect::None),
    ] {
        let got = h(histogram).quantile(q);
        close(got.value, wanted);
        assert_eq!(got.nan_effect, effect, "{histogram} {q}");
    }
}

#[test]
fn fractions() {
    let (infinity, nan) = (f64::INFINITY, f64::NAN);
    let both = "{{schema:0 count:24 sum:100 z_bucket:4 z_bucket_w:0.001 buckets:[2 3 0 1 4] n_buckets:[2 3 0 1 4]}}";
    let custom = "{{schema:-53 count:100 sum:5 custom_values:[-2 -1 0 1] buckets:[5 5 5 5 80]}}";
    for (histogram, lower, upper, wanted) in [
        (both, 0.0, infinity, 0.5),
        (both, -0.001, 0.0, 2.0 / 24.0),
        (both, -0.0005, 0.0005, 2.0 / 24.0),
        (both, -infinity, 0.0005, 0.5416666666666666),
        (both, 1.5, 6.0, 0.07625312493990366),
        (both, -2.0, -1.5, 0.051879687409855456),
        (both, 42.0, 3.0, 0.0),
        (both, nan, 3.0, nan),
        (both, -infinity, infinity, 1.0),
        ("{{}}", 0.0, 1.0, nan),
        (custom, -1.0, 1.0, 0.1),
        (custom, -infinity, 5.0, 0.2),
        ("{{schema:-53 count:100 sum:5 custom_values:[1 2 3] buckets:[1 2 3 94]}}", 0.0, 1.5, 0.02),
        ("{{schema:-53 count:100 sum:5 custom_values:[1 2 3] buckets:[1 2 3 94]}}", 400.0, infinity, 0.94),
        ("{{schema:-53 count:100 sum:5 custom_values:[-3 -2 -1] buckets:[10 2 3 85]}}", -4.0, -2.0, 0.02),
        ("{{schema:-53 count:100 sum:5 custom_values:[-3 -2 -1] buckets:[10 2 3 85]}}", -infinity, -1.5, 0.135),
    ] {
        close(h(histogram).fraction(lower, upper).value, wanted);
    }
    let skewed = h("{{count:15 sum:NaN buckets:[12]}}").fraction(-infinity, infinity);
    assert_eq!(skewed, Fraction { value: 0.8, nan_observations: true });
    for (histogram, stdvar) in [
        ("{{schema:2 count:4 sum:10 buckets:[1 0 0 0 1 0 0 1 1]}}", 1.163807968526718),
        ("{{schema:0 count:10 sum:-100 z_bucket:0 n_buckets:[0 0 0 0 10]}}", 1.725830020304794),
        ("{{schema:0 count:2 sum:Inf buckets:[1 1]}}", infinity),
        ("{{schema:-53 count:110 sum:330 custom_values:[0 0.1 0.2 1] buckets:[0 50 20 40]}}", 7.527045454545455),
        ("{{}}", nan),
    ] {
        close(h(histogram).stdvar(), stdvar);
        close(h(histogram).stddev(), stdvar.sqrt());
    }
}

#[test]
fn classic_buckets() {
    let make = |pairs: &[(f64, f64)]| -> Vec<ClassicBucket> {
        pairs.iter().map(|(upper_bound, count)| ClassicBucket { upper_bound: *upper_bound, count: *count }).collect()
    };
    let inf = f64::INFINITY;
    let plain = [(4.0, 2.0), (2.0, 1.0), (0.0, 0.0), (6.0, 3.0), (inf, 3.0)];
    for (q, wanted) in
        [(0.5, 3.0), (1.0 / 6.0, 1.0), (5.0 / 6.0, 5.0), (1.0, 6.0), (-1.0, -inf), (2.0, inf), (f64::NAN, f64::NAN)]
    {
        close(bucket_quantile(q, &mut make(&plain)).value, wanted);
    }
    for pairs in [&[][..], &[(inf, 3.0)], &[(1.0, 0.0), (inf, 0.0)], &[(1.0, 1.0), (2.0, 2.0)]] {
        close(bucket_quantile(0.5, &mut make(pairs)).value, f64::NAN);
    }
    close(bucket_quantile(0.1, &mut make(&[(-0.2, 1.0), (-0.1, 2.0), (inf, 3.0)])).value, -0.2);
    let forced = bucket_quantile(
        0.5,
        &mut make(&[(0.1, 2.0), (1.0, 1.0), (10.0, 5.0), (100.0, 4.0), (1000.0, 9.0), (inf, 8.0)]),
    );
    close(forced.value, 8.5);
    assert!(forced.fix.forced_monotonic && !forced.fix.fixed_precision);
    assert_eq!((forced.fix.min_bucket, forced.fix.max_bucket, forced.fix.max_diff), (1.0, inf, 1.0));
    let fixed = bucket_quantile(0.5, &mut make(&[(1.0, 1.0), (2.0, 1.0 - 1e-14), (inf, 2.0)])).fix;
    assert!(fixed.fixed_precision && !fixed.forced_monotonic);
    // Equal bounds are joined.
    close(bucket_quantile(0.5, &mut make(&[(1.0, 1.0), (1.0, 1.0), (inf, 4.0)])).value, 1.0);
    close(bucket_fraction(0.0, 3.5, &mut make(&plain)), 0.5833333333333334);
    close(bucket_fraction(-inf, -1.5, &mut make(&[(-3.0, 10.0), (-2.0, 12.0), (-1.0, 15.0), (inf, 100.0)])), 0.135);
    close(bucket_fraction(0.1, 0.75, &mut make(&[(0.5, 2.5), (1.0, 7.5), (inf, 100.0)])), 0.045);
    close(bucket_fraction(0.0, f64::NAN, &mut make(&plain)), f64::NAN);
    close(bucket_fraction(0.0, 1.0, &mut []), f64::NAN);

    let nhcb = |pairs: &[(f64, f64)], count| nhcb_from_classic(&make(pairs), count, 7.0);
    let wanted = h("{{schema:-53 count:9 sum:7 custom_values:[1 2 4] buckets:[1 2 0 6]}}");
    assert_eq!(
        nhcb(&[(2.0, 3.0), (1.0, 1.0), (4.0, 3.0), (inf, 9.0)], Some(9.0)).as_ref(),
        Ok(wanted.clone().compact(0) as &_)
    );
    assert_eq!(
        nhcb(&[(2.0, 3.0), (1.0, 1.0), (2.0, 3.5), (4.0, 3.0)], Some(9.0)),
        Ok(wanted.clone()).map(|mut w| {
            w.compact(0);
            w
        })
    );
    assert_eq!(nhcb(&[(1.0, 3.0)], None).map(|h| (h.count, h.custom_values.len())), Ok((3.0, 1)));
    assert!(nhcb(&[(1.0, 3.0), (2.0, 2.0)], None).is_err());
    assert!(nhcb(&[(1.0, 3.0), (inf, 3.0)], Some(4.0)).is_err());
    assert!(nhcb(&[(f64::NAN, 3.0)], None).is_err());
    assert!(nhcb(&[(1.0, -3.0)], None).is_err());
}

#[test]
fn plain_quantiles() {
    let nan = f64::NAN;
    for (q, values, wanted) in [
        (0.8, &[0.0, 1.0][..], 0.8),
        (0.8, &[0.0, 1.0, 4.0], 2.8),
        (0.8, &[0.0, 1.0, nan], 0.6),
        (0.2, &[0.0, 1.0, nan], nan),
        (0.5, &[], nan),
        (-0.1, &[1.0], f64::NEG_INFINITY),
        (1.1, &[1.0], f64::INFINITY),
        (1.0, &[3.0, 1.0], 3.0),
    ] {
        close(quantile(q, &mut values.to_vec()), wanted);
    }
}

#[test]
fn trims() {
    let exponential = "{{count:4 sum:5 buckets:[1 2 1]}}";
    let custom = "{{schema:-53 count:6 sum:20 custom_values:[5 10] buckets:[1 4 1]}}";
    for (histogram, below, value, wanted) in [
        (exponential, true, 4.0, exponential.to_owned()),
        (exponential, true, 0.25, "{{}}".to_owned()),
        (exponential, true, 2.0, format!("{{{{count:3 sum:{} buckets:[1 2]}}}}", 0.5_f64.sqrt() + 2.0 * 2_f64.sqrt())),
        (
            exponential,
            true,
            2_f64.sqrt(),
            format!("{{{{count:2 sum:{} buckets:[1 1]}}}}", 0.5_f64.sqrt() + 2_f64.powf(0.25)),
        ),
        (
            exponential,
            false,
            2_f64.sqrt(),
            format!("{{{{count:2 sum:{} offset:1 buckets:[1 1]}}}}", 8_f64.sqrt() + 2_f64.powf(0.75)),
        ),
        (
            "{{count:2 sum:-4 n_buckets:[0 2]}}",
            true,
            -(2_f64.sqrt()),
            format!("{{{{count:1 sum:{} n_offset:1 n_buckets:[1]}}}}", -(2_f64.powf(0.75))),
        ),
        (
            "{{count:2 sum:9 z_bucket:2 z_bucket_w:0.5}}",
            false,
            0.25,
            "{{count:0.5 sum:0.1875 z_bucket:0.5 z_bucket_w:0.5}}".to_owned(),
        ),
        (
            "{{count:3 sum:9 z_bucket:2 z_bucket_w:0.5 buckets:[1]}}",
            true,
            0.25,
            "{{count:1 sum:0.125 z_bucket:1 z_bucket_w:0.5}}".to_owned(),
        ),
        (custom, true, 7.5, "{{schema:-53 count:3 sum:15 custom_values:[5 10] buckets:[1 2]}}".to_owned()),
        (custom, true, 20.0, "{{schema:-53 count:5 sum:32.5 custom_values:[5 10] buckets:[1 4]}}".to_owned()),
        (custom, true, 2.0, "{{schema:-53 count:0.4 sum:0.4 custom_values:[5 10] buckets:[0.4]}}".to_owned()),
        (custom, false, 20.0, "{{schema:-53 count:1 sum:20 custom_values:[5 10] buckets:[0 0 1]}}".to_owned()),
        (custom, false, f64::NEG_INFINITY, custom.to_owned()),
    ] {
        let trimmed = if below { h(histogram).trim_upper(value) } else { h(histogram).trim_lower(value) };
        alike(trimmed, h(&wanted));
    }
}

#[test]
fn buckets_of_the_api() {
    let listed: Vec<_> = h("{{count:4 sum:18.4 z_bucket:1 z_bucket_w:0.001 buckets:[1 0 2] n_buckets:[0 1]}}")
        .api_buckets()
        .map(|b| (b.boundary_rule, b.lower, b.upper, b.count))
        .collect();
    assert_eq!(listed, [(1, -2.0, -1.0, 1.0), (3, -0.001, 0.001, 1.0), (0, 0.5, 1.0, 1.0), (0, 2.0, 4.0, 2.0)]);
    let custom: Vec<_> =
        h("{{schema:-53 count:2 custom_values:[5] buckets:[1 1]}}").api_buckets().map(|b| b.boundary_rule).collect();
    assert_eq!(custom, [3, 0]);
    // A bucket that the zero bucket overlaps is cut.
    let cut = h("{{count:2 z_bucket:1 z_bucket_w:0.75 buckets:[1]}}").all_buckets().last().expect("two");
    assert_eq!((cut.lower, cut.upper), (0.75, 1.0));
}

#[test]
fn otlp_moves_to_prometheus_indexes() {
    let otlp = Histogram {
        kind: HistogramKind::Exponential,
        schema: Some(0),
        count: 6,
        sum: Some(9.0),
        positive_spans: vec![Span { offset: 0, length: 3 }],
        positive_counts: Counts::Int(vec![1, 2, 3]),
        ..Histogram::default()
    };
    let wanted = h("{{count:6 sum:9 z_bucket_w:1e-128 offset:1 buckets:[1 2 3]}}");
    assert_eq!(FloatHistogram::from_model(&otlp).as_ref(), Some(&wanted));
    let finer = Histogram { schema: Some(10), ..otlp.clone() };
    let reduced = FloatHistogram::from_model(&finer).expect("scale 10");
    assert_eq!((reduced.schema, reduced.positive_buckets.as_slice()), (8, &[6.0][..]));
    assert_eq!(FloatHistogram::from_model(&Histogram { schema: Some(-5), ..otlp.clone() }), None);
    assert_eq!(FloatHistogram::from_model(&Histogram { kind: HistogramKind::Explicit, ..otlp }), None);
    assert_eq!(FloatHistogram::from_model(&wanted.to_model()).as_ref(), Some(&wanted));
}

#[test]
fn resolution() {
    let histogram = h("{{schema:3 count:3 buckets:[1 1 1] offset:7}}");
    assert_eq!(histogram.copy_to_schema(3), Ok(histogram.clone()));
    alike(histogram.copy_to_schema(0).expect("lower"), h("{{count:3 buckets:[2 1] offset:1}}"));
    assert!(histogram.copy_to_schema(4).is_err() && histogram.copy_to_schema(CUSTOM_SCHEMA).is_err());
    assert!(h("{{schema:-53}}").copy_to_schema(0).is_err());
}
