//! How fast a bill is read: `bill_speed [ROWS]` makes a FOCUS 1.2 bill of 57 columns in memory, reads it, and encodes what was read
//! as Parquet, in the way in which the store does.
//!
//! `cargo build --release --example bill_speed`, then run it; the figures are rows per second of one core, on Linux whatever else the
//! machine does.

use std::fmt::Write as _;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use grid_decode::bill::{BillOptions, BillReader};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

const HEADER: &str = "AvailabilityZone,BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,BillingCurrency,\
BillingPeriodEnd,BillingPeriodStart,CapacityReservationId,CapacityReservationStatus,ChargeCategory,ChargeClass,ChargeDescription,\
ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,CommitmentDiscountCategory,CommitmentDiscountId,CommitmentDiscountName,\
CommitmentDiscountQuantity,CommitmentDiscountStatus,CommitmentDiscountType,CommitmentDiscountUnit,ConsumedQuantity,ConsumedUnit,\
ContractedCost,ContractedUnitPrice,EffectiveCost,InvoiceId,InvoiceIssuerName,ListCost,ListUnitPrice,PricingCategory,\
PricingCurrency,PricingCurrencyContractedUnitPrice,PricingCurrencyEffectiveCost,PricingCurrencyListUnitPrice,PricingQuantity,\
PricingUnit,ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,ResourceType,ServiceCategory,ServiceName,\
ServiceSubcategory,SkuId,SkuMeter,SkuPriceDetails,SkuPriceId,SubAccountId,SubAccountName,SubAccountType,Tags";

fn csv(rows: usize) -> String {
    let mut out = String::with_capacity(rows * 900);
    out.push_str(HEADER);
    out.push('\n');
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    for i in 0..rows {
        let (resource, account, sku, region) = (next(4000), next(12), next(97), next(3) + 1);
        let hour = i * 720 / rows;
        let (day, hour) = (hour / 24 + 1, hour % 24);
        let (cost, quantity) = (next(1_000_000_000), next(1_000_000_000));
        let committed = if next(5) == 0 {
            format!("Spend,arn:plan:{account},Plan {account},0.{quantity:09},Used,Savings Plan,USD")
        } else {
            ",,,,,,".to_owned()
        };
        let _ = writeln!(
            out,
            "eu-central-{region}a,0.{cost:09}1,112233445566,Example Ltd,Billing,USD,2026-10-01T00:00:00Z,2026-09-01T00:00:00Z,,,Usage,,\
             $0.0416 per Hours of Elastic Compute,Usage-Based,2026-09-{day:02}T{hour:02}:59:59Z,2026-09-{day:02}T{hour:02}:00:00Z,\
             {committed},{}.{quantity:09},Hours,0.{cost:09}2,0.03744,0.{cost:09}3,INV-2026-09,Example Cloud Inc.,0.{cost:09}4,0.0416,\
             Standard,USD,0.03744,0.{cost:09}3,0.0416,{}.{quantity:09},Hours,Example Cloud,Example Cloud,eu-central-{region},\
             Frankfurt {region},arn:example:{account}:resource/r-{resource:08x},r-{resource:08x},Instance,Compute,Elastic Compute,\
             Virtual Machines,SKU{sku:06},BoxUsage:m5.large,\"{{\"\"InstanceType\"\":\"\"m5.large\"\"}}\",SKU{sku:06}.USD,acc-{account:02},\
             Team {account},Account,\"{{\"\"team\"\": \"\"web\"\", \"\"env\"\": \"\"{}\"\"}}\"",
            quantity % 24,
            quantity % 24,
            if resource % 3 == 0 { "dev" } else { "prod" }
        );
    }
    out
}

/// Encodes batches by chunks of the size of an import's files; answers the bytes.
fn encoded(batches: &[RecordBatch], dictionaries_of_amounts: bool) -> Result<usize, Box<dyn std::error::Error>> {
    let mut bytes = 0;
    for chunk in batches.chunks(8) {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_data_page_row_count_limit(8 * 1024)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_statistics_truncate_length(Some(64));
        for field in chunk[0].schema().fields() {
            if !dictionaries_of_amounts && matches!(field.data_type(), DataType::Decimal128(..)) {
                properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
            }
        }
        let mut writer = ArrowWriter::try_new(Vec::new(), chunk[0].schema(), Some(properties.build()))?;
        for batch in chunk {
            writer.write(batch)?;
        }
        bytes += writer.into_inner()?.len();
    }
    Ok(bytes)
}

/// Seconds that this thread has run; those of the clock since `begun` where the system does not say.
fn spent(begun: Instant) -> f64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = said.and_then(|s| s.split_whitespace().next()?.parse::<u64>().ok());
    nanos.map_or_else(|| begun.elapsed().as_secs_f64(), |n| n as f64 / 1e9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(300_000), |n| n.parse())?;
    let text = csv(rows);
    let megabytes = text.len() as f64 / 1e6;
    let begun = Instant::now();
    let tell = |what: &str, started: f64| {
        let seconds = spent(begun) - started;
        eprintln!("{what}: {seconds:.2} s, {:.0} rows/s, {:.0} MB/s", rows as f64 / seconds, megabytes / seconds);
    };
    let started = spent(begun);
    let mut reader = BillReader::bytes(text.into(), BillOptions::default())?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.push(batch);
    }
    tell(&format!("{rows} rows, {megabytes:.0} MB, read"), started);
    assert_eq!((reader.rows(), reader.finish().rejected), (rows as u64, 0));
    for dictionaries in [true, false] {
        let started = spent(begun);
        let bytes = encoded(&batches, dictionaries)?;
        tell(
            &format!("encoded in {} bytes a row, dictionaries of amounts {dictionaries}", bytes / rows.max(1)),
            started,
        );
    }
    Ok(())
}
