#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use grid_model::Labels;
use grid_model::histogram::Counts;
use proptest::prelude::*;

use super::*;
use crate::exposition::Format;
use crate::testing::{self, ctx, shared_data};
use crate::wire::{Writer, zigzag};

const NATIVE: ProtobufOptions = ProtobufOptions { native_histograms: true, classic_histograms: false };
const CLASSIC: ProtobufOptions = ProtobufOptions { native_histograms: false, classic_histograms: false };
const BOTH: ProtobufOptions = ProtobufOptions { native_histograms: true, classic_histograms: true };

fn delimited(message: Writer, out: &mut Writer) {
    out.raw_varint(message.out.len() as u64);
    out.out.extend_from_slice(&message.out);
}

fn family(name: &str, kind: u64, out: &mut Writer, metrics: impl FnOnce(&mut Writer)) {
    let mut w = Writer::default();
    w.text(1, name);
    w.text(2, "Help.");
    w.uint(3, kind);
    metrics(&mut w);
    delimited(w, out);
}

fn labels(w: &mut Writer, field: u32, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        w.message(field, |w| {
            w.text(1, name);
            w.text(2, value);
        });
    }
}

fn seconds(w: &mut Writer, field: u32, seconds: i64) {
    w.message(field, |w| w.int(1, seconds));
}

fn exemplar(w: &mut Writer, field: u32, value: f64) {
    w.message(field, |w| {
        labels(w, 1, &[("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736")]);
        w.double_always(2, value);
        seconds(w, 3, 1_767_225_000);
    });
}

/// Every type once.
fn page() -> Vec<u8> {
    let mut out = Writer::default();
    family("c_total", 0, &mut out, |w| {
        w.message(4, |w| {
            labels(w, 1, &[("z", "1"), ("a", ""), ("é", "ü")]);
            w.message(3, |w| {
                w.double_always(1, 7.0);
                exemplar(w, 2, 0.5);
                seconds(w, 3, 1_767_220_000);
            });
            w.int(6, 1_767_225_600_001);
        });
    });
    family("g", 1, &mut out, |w| w.message(4, |w| w.message(2, |w| w.double_always(1, f64::NAN))));
    family("s", 2, &mut out, |w| {
        w.message(4, |w| {
            w.message(4, |w| {
                w.uint(1, 3);
                w.double_always(2, 1.5);
                w.message(3, |w| {
                    w.double_always(1, 0.5);
                    w.double_always(2, 9.0);
                });
            });
        });
    });
    family("u", 3, &mut out, |w| w.message(4, |w| w.message(5, |w| w.double_always(1, 4.0))));
    family("h", 4, &mut out, |w| {
        w.message(4, |w| {
            labels(w, 1, &[("x", "y")]);
            w.message(7, |w| {
                w.uint(1, 6);
                w.double_always(2, 3.25);
                for (upper, count) in [(1.0, 2), (2.5, 5)] {
                    w.message(3, |w| {
                        w.uint(1, count);
                        w.double_always(2, upper);
                        if count == 5 {
                            exemplar(w, 3, 2.0);
                        }
                    });
                }
                w.uint_always(5, zigzag(3));
                w.double_always(6, 0.001);
                w.uint(7, 1);
                w.message(12, |w| {
                    w.uint(1, zigzag(-1));
                    w.uint(2, 2);
                });
                w.packed_uints(13, [zigzag(2), zigzag(1)].into_iter());
            });
        });
    });
    family("gh", 5, &mut out, |w| {
        w.message(4, |w| {
            w.message(7, |w| {
                w.double_always(4, 2.5);
                w.double_always(2, 1.0);
                w.message(9, |w| {
                    w.uint(1, zigzag(0));
                    w.uint(2, 1);
                });
                w.packed_doubles(11, &[2.5]);
            });
        });
    });
    family("only_classic", 4, &mut out, |w| w.message(4, |w| w.message(7, |w| w.uint(1, 2))));
    out.out
}

fn show(page: &Page) -> String {
    let mut out = String::new();
    for s in testing::samples(&page.decoded) {
        let labels: Vec<_> =
            s.labels.iter().filter(|(k, _)| *k != "__name__").map(|(k, v)| format!("{k}={v:?}")).collect();
        write!(out, "{}{{{}}}", s.labels.metric(), labels.join(",")).unwrap();
        match (s.value, &s.histogram) {
            (Some(bits), _) => write!(out, " {}", f64::from_bits(bits)).unwrap(),
            (None, Some(h)) => {
                let side = |counts: &Counts| match counts {
                    Counts::Int(c) => format!("{c:?}"),
                    Counts::Float(c) => format!("{c:?}"),
                };
                let count = h.count_float.unwrap_or(h.count as f64);
                let (positive, negative) = (side(&h.positive_counts), side(&h.negative_counts));
                write!(out, " count {count} sum {:?} +{positive} -{negative} hint {}", h.sum, h.reset_hint).unwrap();
            }
            _ => out.push_str(" ?"),
        }
        if let Some(start) = s.start {
            write!(out, " since {start}").unwrap();
        }
        if s.time != testing::NOW.nanos() {
            write!(out, " @{}", s.time).unwrap();
        }
        out.push('\n');
    }
    for e in testing::exemplars(&page.decoded) {
        writeln!(out, "exemplar {} {} @{}", e.value.unwrap(), e.trace_id, e.time.nanos()).unwrap();
    }
    if let Some(m) = &page.malformed {
        writeln!(out, "message {}: {}", m.position, m.reason).unwrap();
    }
    out
}

#[test]
fn every_type_is_read() {
    expect_test::expect![[r#"
        c_total{z="1",é="ü"} 7 since 1767220000000000000 @1767225600001000000
        g{} NaN
        s_count{} 3
        s_sum{} 1.5
        s{quantile="0.5"} 9
        u{} 4
        h{x="y"} count 6 sum Some(3.25) +[2, 3] -[] hint 0
        gh{} count 2.5 sum Some(1.0) +[] -[2.5] hint 3
        only_classic_count{} 2
        only_classic_sum{} 0
        only_classic_bucket{le="+Inf"} 2
        exemplar 0.5 4bf92f3577b34da6a3ce929d0e0e4736 @1767225000000000000
        exemplar 2 4bf92f3577b34da6a3ce929d0e0e4736 @1767225000000000000
    "#]]
    .assert_eq(&show(&decode_page(&page(), NATIVE, &ctx())));
    let classic = decode_page(&page(), CLASSIC, &ctx());
    let shown = show(&classic);
    let of_h: Vec<_> = shown.lines().filter(|l| l.starts_with('h') || l.starts_with("gh")).collect();
    assert_eq!(
        of_h,
        [
            "h_count{x=\"y\"} 6",
            "h_sum{x=\"y\"} 3.25",
            "h_bucket{le=\"1.0\",x=\"y\"} 2",
            "h_bucket{le=\"2.5\",x=\"y\"} 5",
            "h_bucket{le=\"+Inf\",x=\"y\"} 6",
            "gh_count{} 2.5",
            "gh_sum{} 1",
            "gh_bucket{le=\"+Inf\"} 2.5",
        ]
    );
    let both = decode_page(&page(), BOTH, &ctx()).decoded.counts;
    assert_eq!((both.histograms, both.samples), (2, classic.decoded.counts.samples - 3));
    assert_eq!(testing::metadata(&classic.decoded).len(), 7);
}

#[test]
fn what_is_malformed_is_told() {
    let one = |name: &str, kind: u64, metric: fn(&mut Writer)| {
        let mut out = Writer::default();
        family(name, kind, &mut out, |w| w.message(4, metric));
        let page = decode_page(&out.out, NATIVE, &ctx());
        page.malformed.map(|m| m.reason).unwrap_or_default()
    };
    assert_eq!(one("", 0, |_| {}), "a metric family has no name");
    assert_eq!(one("x", 9, |_| {}), "metric family \"x\" has the unknown type 9");
    assert!(one("x", 0, |w| labels(w, 1, &[("a", "1"), ("a", "2")])).contains("occurs twice"));
    assert!(
        one("x", 4, |w| w.message(7, |w| {
            w.uint(1, 5);
            w.uint(7, 1);
        }))
        .contains("counts 5 observations")
    );
    for cut in [1, 5, page().len() - 1] {
        assert!(decode_page(&page()[..cut], NATIVE, &ctx()).malformed.is_some(), "{cut}");
    }
    assert!(decode_page(&[0xff; 20], NATIVE, &ctx()).malformed.is_some());
    assert!(decode_page(b"", NATIVE, &ctx()).malformed.is_none());
}

/// The same server's two answers, some moments apart: the same series, the same types, and equal numbers where nothing moved.
#[test]
fn a_real_page_says_what_its_text_says() {
    let Some(root) = shared_data("exposition/live_captured") else { return };
    let bytes = std::fs::read(root.join("prometheus-3.5.3.protobuf")).unwrap();
    let text = std::fs::read(root.join("prometheus-3.5.3.om.txt")).unwrap();
    let by_text = crate::exposition::decode_page(&text, Format::of_text(&text), &ctx());
    let by_protobuf = decode_page(&bytes, CLASSIC, &ctx());
    assert_eq!((by_text.malformed, by_protobuf.malformed), (None, None));
    type Series = BTreeMap<Labels, u64>;
    let series =
        |decoded| -> Series { testing::samples(decoded).into_iter().map(|s| (s.labels, s.value.unwrap())).collect() };
    let (a, b) = (series(&by_text.decoded), series(&by_protobuf.decoded));
    let names = |s: &Series| s.keys().cloned().collect::<BTreeSet<_>>();
    let differ: Vec<_> = names(&a).symmetric_difference(&names(&b)).cloned().collect();
    // Asking in another format makes a new series of the scraped server's own counters, no more.
    assert!(differ.len() < 20, "{} differ: {differ:?}", differ.len());
    let equal = a.iter().filter(|(labels, value)| b.get(*labels) == Some(value)).count();
    assert!(equal * 10 > a.len() * 8, "{equal} of {} are equal", a.len());
    let types = |decoded| -> BTreeMap<String, String> {
        testing::metadata(decoded).into_iter().map(|m| (m.metric, m.kind)).collect()
    };
    let (a_types, b_types) = (types(&by_text.decoded), types(&by_protobuf.decoded));
    for (metric, kind) in &b_types {
        assert_eq!(a_types.get(metric), Some(kind), "{metric}");
    }
    let native = decode_page(&bytes, NATIVE, &ctx());
    assert_eq!(native.malformed, None);
    assert!(native.decoded.counts.histograms > 0);
    eprintln!(
        "{} series, {} differ, {equal} equal; {} native histograms",
        a.len(),
        differ.len(),
        native.decoded.counts.histograms
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), flip in any::<u8>()) {
        let _ = decode_page(&bytes, BOTH, &ctx());
        // Nearly a page.
        bytes = page();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let _ = decode_page(&bytes, BOTH, &ctx());
    }
}
