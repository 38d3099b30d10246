//! Fuzzes plans as JSON, up to the estimate.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(plan) = grid_estimate::read::plan::read("plan", data) {
        let usd = grid_model::Currency("USD".to_owned());
        let _ = grid_estimate::estimate(&plan.after, &Default::default(), &grid_estimate::NoPrices, &usd);
    }
});
