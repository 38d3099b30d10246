//! dev
use grid_estimate::read::hcl::{self, Sources};
use std::collections::BTreeMap;
struct Disk(std::path::PathBuf);
impl Sources for Disk {
    fn folder(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut v: Vec<_> = std::fs::read_dir(self.0.join(path))
            .ok()?
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == "tf"))
            .map(|e| (e.file_name().into_string().unwrap(), std::fs::read_to_string(e.path()).unwrap()))
            .collect();
        v.sort();
        Some(v)
    }
    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(path)).ok()
    }
}
fn main() {
    // cost estimate PATH --usage F --prices F -o json --currency C
    let args: Vec<String> = std::env::args().skip(1).collect();
    let opt = |n: &str| args.iter().position(|a| a == n).map(|i| args[i + 1].clone());
    let path = args[2].clone();
    let inv = hcl::read(&Disk(path.clone().into()), BTreeMap::new()).unwrap();
    let usage = opt("--usage")
        .map(|f| grid_estimate::Usage::read(&f, &std::fs::read_to_string(&f).unwrap()).unwrap())
        .unwrap_or_default();
    let cur = grid_model::Currency(opt("--currency").unwrap_or("USD".into()));
    let prices: Box<dyn grid_estimate::PriceSource> = match opt("--prices") {
        Some(f) => Box::new(grid_estimate::PriceFile::read(&f, &std::fs::read_to_string(&f).unwrap()).unwrap()),
        None => Box::new(grid_estimate::NoPrices),
    };
    let e = grid_estimate::estimate(&inv, &usage, &*prices, &cur);
    if opt("-o").as_deref() == Some("table") {
        print!("{}", grid_estimate::show::table::table(&e));
    } else {
        println!("{}", grid_estimate::show::json::json(&path, &e, None, None));
    }
}
