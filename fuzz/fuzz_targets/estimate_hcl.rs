//! Fuzzes a folder of one `.tf` file, up to the estimate.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = std::collections::BTreeMap::from([("main.tf".to_owned(), text.to_owned())]);
    if let Ok(inventory) = grid_estimate::read::hcl::read(&files, Default::default()) {
        let usd = grid_model::Currency("USD".to_owned());
        let _ = grid_estimate::estimate(&inventory, &Default::default(), &grid_estimate::NoPrices, &usd);
    }
});
