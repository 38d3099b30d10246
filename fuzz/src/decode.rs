//! What must hold of every answer of a decoder, at a fixed time of receipt.

use std::sync::{Arc, LazyLock};

use grid_decode::bill::{BillFormat, BillOptions, BillReader, Declared};
use grid_decode::exposition::{self, Exposition, Format};
use grid_decode::limits::Limits;
use grid_decode::lines::{self, Lines};
use grid_decode::price::{self, PriceFormat, PriceOptions};
use grid_decode::{DecodeContext, DecodeError, Decoded};
use grid_model::table::logs::LogOrigin;
use grid_model::{Table, Timestamp};

/// The default limits on 2026-01-01.
pub fn context() -> DecodeContext<'static> {
    static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);
    DecodeContext { now: Timestamp(1_767_225_600_000_000_000), limits: &LIMITS }
}

/// Checks what holds for every answer.
pub fn check(answer: Result<Decoded, DecodeError>) {
    match answer {
        Ok(decoded) => check_decoded(&decoded),
        Err(e) => assert!(!e.reason.is_empty(), "an error without a reason"),
    }
}

/// Checks that rows and counts agree, rejects have reasons, and every series can be read back.
pub fn check_decoded(decoded: &Decoded) {
    let rows = |table: Table| -> u64 {
        decoded.write.batches.iter().filter(|(t, _)| *t == table).map(|(_, b)| b.num_rows() as u64).sum()
    };
    let counts = decoded.counts;
    assert_eq!(rows(Table::Samples), counts.samples + counts.histograms, "samples");
    assert_eq!(rows(Table::Exemplars), counts.exemplars, "exemplars");
    assert_eq!(rows(Table::Logs), counts.logs, "logs");
    assert_eq!(rows(Table::Spans), counts.spans, "spans");
    assert!(rows(Table::Metadata) <= counts.metadata, "metadata");
    assert!(decoded.rejects.count >= decoded.rejects.first.len() as u64, "rejects");
    for reject in &decoded.rejects.first {
        assert!(!reject.reason.is_empty(), "a reject without a reason");
        assert!(reject.reason.len() < 8192, "a reason of {} bytes", reject.reason.len());
    }
    for (id, key) in decoded.write.series.iter() {
        let def = grid_model::series::def_of_key(key).expect("a key that was written reads back");
        assert_eq!(def.id(), id, "a series keeps its id");
    }
}

/// Checks a protobuf page with and without native histograms.
pub fn check_protobuf_page(data: &[u8]) {
    for (native_histograms, classic_histograms) in [(true, true), (true, false), (false, false)] {
        let options = exposition::protobuf::ProtobufOptions { native_histograms, classic_histograms };
        let page = exposition::protobuf::decode_page(data, options, &context());
        check_page(&page);
    }
}

/// Checks a page; its keys may hold labels without a value, so they are no canonical keys.
fn check_page(page: &exposition::Page) {
    let rows: u64 =
        page.decoded.write.batches.iter().filter(|(t, _)| *t == Table::Samples).map(|(_, b)| b.num_rows() as u64).sum();
    assert_eq!(rows, page.decoded.counts.samples + page.decoded.counts.histograms, "samples");
    if let Some(malformed) = &page.malformed {
        assert!(!malformed.reason.is_empty() && malformed.reason.len() < 8192, "{malformed:?}");
    }
    for (_, key) in page.decoded.write.series.iter() {
        let pairs = grid_model::series::label_pairs_of_key(key).expect("a key that was written reads back");
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "{pairs:?}");
    }
}

/// Checks a text, and that cutting it into chunks changes nothing.
pub fn check_exposition(data: &[u8], format: Format) {
    check_page(&exposition::decode_page(data, format, &context()));
    let whole = exposition::decode(data, format, &context());
    let mut stream = Exposition::new(format);
    let mut totals = (0, 0);
    let mut add = |decoded: Decoded| {
        check_decoded(&decoded);
        totals.0 += decoded.counts.samples;
        totals.1 += decoded.rejects.count;
    };
    data.chunks(chunk_bytes(data)).for_each(|chunk| add(stream.feed(chunk, &context())));
    add(stream.finish(&context()));
    if let Ok(whole) = &whole {
        assert_eq!(totals, (whole.counts.samples, whole.rejects.count), "samples and rejects in chunks");
    }
    check(whole);
}

/// Checks a log file, and that cutting it into chunks changes nothing.
pub fn check_lines(data: &[u8]) {
    let origin = LogOrigin::default();
    let whole = lines::decode(data, &origin, &context()).expect("any bytes are lines");
    let mut stream = Lines::new(origin);
    let mut totals = (0, 0);
    let mut add = |decoded: Decoded| {
        check_decoded(&decoded);
        totals.0 += decoded.counts.logs;
        totals.1 += decoded.rejects.count;
    };
    data.chunks(chunk_bytes(data)).for_each(|chunk| add(stream.feed(chunk, &context())));
    add(stream.finish(&context()));
    assert_eq!(totals, (whole.counts.logs, whole.rejects.count), "records and rejects in chunks");
    check_decoded(&whole);
}

/// A size of chunks that the input decides; not so small that empty batches take all the time.
fn chunk_bytes(data: &[u8]) -> usize {
    usize::from(data.first().copied().unwrap_or(0)).max(data.len() / 4) + 1
}

/// Checks a bill: whatever its rows hold, per currency the source is what was stored and what was rejected.
pub fn check_bill(data: &[u8], format: BillFormat) {
    check_bill_by(data, BillOptions { format: Some(format), ..BillOptions::default() });
}

/// Checks a mapping file and a bill that it describes; a line of three dashes stands between the two.
pub fn check_mapping(data: &[u8]) {
    const BETWEEN: &[u8] = b"\n---\n";
    let at = data.windows(BETWEEN.len()).position(|w| w == BETWEEN).unwrap_or(data.len());
    let Ok(mapping) = std::str::from_utf8(&data[..at]) else { return };
    match Declared::parse(mapping) {
        Ok(declared) => {
            let bill = data.get(at + BETWEEN.len()..).unwrap_or_default();
            check_bill_by(bill, BillOptions { mapping: Some(Arc::new(declared)), ..BillOptions::default() });
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "a refusal has a reason");
            for mistake in mistakes {
                assert!(mistake.span.start <= mapping.len(), "a mistake lies in the file");
            }
        }
    }
}

fn check_bill_by(data: &[u8], options: BillOptions) {
    let several = options.format == Some(BillFormat::Gcp);
    let Ok(mut reader) = BillReader::text(Box::new(std::io::Cursor::new(data.to_vec())), options) else { return };
    let mut stored = 0;
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => stored += batch.num_rows() as u64,
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let summary = reader.finish();
    assert_eq!(stored, summary.stored, "charges are counted");
    // A row that carries credits is several charges.
    assert!(several || stored <= summary.rows, "{stored} rows of {}", summary.rows);
    assert_eq!(summary.unreconciled(), None, "source = stored + rejected + left out");
}

/// Checks a list of prices: what is counted was handed out, nothing is sold for less than nothing, and every reject has a reason.
pub fn check_price(data: &[u8], format: PriceFormat) {
    let options = PriceOptions { format: Some(format), file: "list_2026-01-01".to_owned(), ..PriceOptions::default() };
    let mut rows = 0;
    let mut sink = |row: grid_model::table::prices::PriceRow| {
        rows += 1;
        assert!(row.price >= grid_model::Amount::ZERO && !row.currency.is_empty(), "{row:?}");
    };
    let Ok(decoded) = price::decode(data, &options, &mut sink) else { return };
    assert_eq!(decoded.rows, rows, "rows");
    assert!(decoded.rejected >= decoded.rejects.len() as u64, "rejects");
    for reject in &decoded.rejects {
        assert!(!reject.reason.is_empty() && reject.reason.len() <= 1024 && reject.at.len() <= 1024, "{reject:?}");
    }
}
