//! Cloud Storage, Filestore.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, tiers};
use crate::view::{Ruled, View};

pub(in crate::rules) const RULES: &[Row] =
    &[("google_storage_bucket", "Cloud Storage", bucket), ("google_filestore_instance", "Cloud Filestore", filestore)];

fn bucket(v: &View<'_>, c: &mut Cost) -> Ruled {
    bucket_like(v, c, &v.text_or("storage_class", "STANDARD"));
    Ok(())
}

/// A bucket of a storage class, whatever it is called.
pub(super) fn bucket_like(v: &View<'_>, c: &mut Cost, class: &str) {
    let class = match class.to_uppercase().as_str() {
        "NEARLINE" => "nearline",
        "COLDLINE" => "coldline",
        "ARCHIVE" => "archive",
        "DURABLE_REDUCED_AVAILABILITY" => "durable reduced availability",
        _ => "standard",
    };
    c.usage(format!("Storage ({class})"), "GiB", v.used("storage_gb")).with("storage_class", class);
    if class != "standard" {
        c.usage("Data retrieval", "GB", v.used("monthly_data_retrieval_gb")).with("storage_class", class);
    }
    for (name, key) in [
        ("Object adds, bucket/object list (class A)", "monthly_class_a_operations"),
        ("Object gets, retrieve bucket/object metadata (class B)", "monthly_class_b_operations"),
    ] {
        c.usage(name, "10k operations", v.used(key)).per(10_000).with("storage_class", class);
    }
    egress(v, c.part("Network egress"), "monthly_egress_data_transfer_gb");
}

/// Traffic to the Internet and to other continents, in the tiers of the general network prices.
pub(super) fn egress(v: &View<'_>, c: &mut Cost, key: &str) {
    const TB: i64 = 1_024;
    c.usage("Data transfer in same continent", "GB", v.used(&format!("{key}.same_continent")));
    let places = [
        ("worldwide", "worldwide excluding Asia, Australia"),
        ("asia", "Asia excluding China, but including Hong Kong"),
        ("china", "China excluding Hong Kong"),
        ("australia", "Australia"),
    ];
    for (place, name) in places {
        let volume: Quantity = v.used(&format!("{key}.{place}"));
        let name = format!("Data transfer to {name}");
        let first = c.components.len();
        let steps = [(format!("{name} (first 1TB)"), TB), (format!("{name} (next 9TB)"), 9 * TB)];
        let sized: Vec<_> = steps.iter().map(|(n, s)| (n.as_str(), *s)).collect();
        c.tiers("GB", volume, 1, &tiers(&sized, &format!("{name} (over 10TB)")));
        c.components[first..].iter_mut().for_each(|component| {
            component.with("to", place);
        });
    }
}

fn filestore(v: &View<'_>, c: &mut Cost) -> Ruled {
    let tier = v.text_or("tier", "BASIC_HDD");
    c.add(format!("Storage ({})", tier.to_lowercase().replace('_', " ")), "GB", v.number("file_shares.capacity_gb"))
        .with("tier", &tier);
    Ok(())
}
