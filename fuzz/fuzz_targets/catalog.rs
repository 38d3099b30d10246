//! Fuzzes the reader of the catalog: a database with damaged bytes, and rows that hold what nobody of ours wrote.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::store::check_catalog(data);
});
