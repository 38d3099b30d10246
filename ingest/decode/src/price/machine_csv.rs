//! `region,instance_type,usd_per_hour`: EC2 machines with Linux and shared tenancy, on demand, as autoscalers carry them.

use csv::StringRecord;

use super::Reader;

pub(super) fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = csv.headers().map_err(|e| e.to_string())?.clone();
    let place = |name: &str| {
        header
            .iter()
            .position(|h| h.trim().eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("column {name} is missing"))
    };
    let (region, machine, price) = (place("region")?, place("instance_type")?, place("usd_per_hour")?);
    let mut record = StringRecord::new();
    let mut at = 0_u64;
    loop {
        at += 1;
        let place = format_args!("row {at}").to_string();
        match csv.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(e) => {
                reader.reject(&place, e.to_string());
                if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) { continue } else { return Ok(()) }
            }
        }
        let cell = |i: usize| record.get(i).unwrap_or_default().trim();
        let (region, machine) = (cell(region), cell(machine));
        if region.is_empty() || machine.is_empty() {
            reader.reject(&place, "region or instance_type is empty");
            continue;
        }
        let amount = match reader.amount(cell(price)) {
            Ok(amount) => amount,
            Err(reason) => {
                reader.reject(&place, format!("usd_per_hour: {reason}"));
                continue;
            }
        };
        let mut row = reader.row("aws", "AmazonEC2");
        // AWS sells its Chinese regions through local partners, who price and bill in renminbi; such lists keep the figures and
        // call them dollars. `m5.large` there costs ten times its price elsewhere.
        if region.starts_with("cn-") {
            row.currency = "CNY".to_owned();
            reader.note("prices of regions cn-* are in CNY, whatever the column is called");
        }
        row.region = region.to_owned();
        row.resource_type = machine.to_owned();
        row.attributes =
            vec![("operating_system".to_owned(), "linux".to_owned()), ("tenancy".to_owned(), "shared".to_owned())];
        row.price = amount;
        reader.keep(&place, row);
    }
}
