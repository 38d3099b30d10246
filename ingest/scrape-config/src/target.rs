//! From what discovery says of a target to the target: its labels, its URL, its times (Prometheus, `scrape/target.go`).

use std::time::Duration;

use crate::ScrapeConfig;
use crate::duration;
use crate::labels::LabelMap;
use crate::relabel;

const ADDRESS: &str = "__address__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PATH: &str = "__metrics_path__";
const SCHEME: &str = "__scheme__";
const PARAM: &str = "__param_";
const META: &str = "__meta_";
const RESERVED: &str = "__";

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The labels of its samples.
    pub labels: LabelMap,
    /// What discovery said, before relabelling.
    pub discovered: LabelMap,
    /// `http` or `https`.
    pub scheme: String,
    /// `HOST:PORT`.
    pub address: String,
    /// The path, as written.
    pub path: String,
    /// The query's parameters, sorted by name.
    pub params: Vec<(String, Vec<String>)>,
    /// How often it is scraped.
    pub interval: Duration,
    /// How long that may take.
    pub timeout: Duration,
}

/// What became of a discovered target.
#[derive(Debug, Clone, PartialEq)]
pub enum Populated {
    /// It is to be scraped.
    Target(Box<Target>),
    /// Relabelling dropped it; these are its labels before.
    Dropped(LabelMap),
}

/// Makes a target. `own`: the labels of this target alone, `__address__` among them; `shared`: those of its group. The error is a
/// sentence.
pub fn populate(config: &ScrapeConfig, own: &LabelMap, shared: &LabelMap) -> Result<Populated, String> {
    let mut labels = own.clone();
    shared.iter().for_each(|(name, value)| labels.set_default(name, value));
    labels.set_default("job", &config.job_name);
    labels.set_default(INTERVAL, &duration::format(config.interval));
    labels.set_default(TIMEOUT, &duration::format(config.timeout));
    labels.set_default(PATH, &config.metrics_path);
    labels.set_default(SCHEME, &config.scheme);
    for (name, values) in &config.params {
        if let Some(first) = values.first() {
            labels.set_default(&format!("{PARAM}{name}"), first);
        }
    }
    let discovered = labels.clone();
    if !relabel::apply(&config.relabel, &mut labels) {
        return Ok(Populated::Dropped(discovered));
    }
    let address = labels.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err("the target has no address".to_owned());
    }
    check_address(&address)?;
    let time = |name: &str, what: &str| match duration::parse(labels.get(name)) {
        Ok(time) if time.is_zero() => Err(format!("the {what} is 0")),
        Ok(time) => Ok(time),
        Err(e) => Err(format!("{what}: {e}")),
    };
    let (interval, timeout) = (time(INTERVAL, "scrape interval")?, time(TIMEOUT, "scrape timeout")?);
    if timeout > interval {
        return Err("the scrape timeout is longer than the scrape interval".to_owned());
    }
    labels.retain(|name| !name.starts_with(META));
    labels.set_default("instance", &address);
    let mut params: Vec<(String, Vec<String>)> = config.params.clone().into_iter().collect();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAM) else { continue };
        match params.iter_mut().find(|(n, _)| n == name) {
            Some((_, values)) if !values.is_empty() => values[0] = value.to_owned(),
            Some((_, values)) => values.push(value.to_owned()),
            None => params.push((name.to_owned(), vec![value.to_owned()])),
        }
    }
    params.sort();
    let (scheme, path) = (labels.get(SCHEME).to_owned(), labels.get(PATH).to_owned());
    if scheme != "http" && scheme != "https" {
        return Err(format!("scheme {scheme:?} is neither http nor https"));
    }
    labels.retain(|name| !name.starts_with(RESERVED));
    Ok(Populated::Target(Box::new(Target { labels, discovered, scheme, address, path, params, interval, timeout })))
}

/// An address has no path.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    if address.contains('/') {
        return Err(format!("{address:?} is not an address: write HOST:PORT, and the path as metrics_path"));
    }
    Ok(())
}

impl Target {
    /// The URL.
    pub fn url(&self) -> String {
        let mut url = format!("{}://{}", self.scheme, self.address);
        if !self.path.starts_with('/') && !self.path.is_empty() {
            url.push('/');
        }
        escape(&self.path, b"-_.~/$&+,:;=@!'()*", &mut url);
        let pairs = self.params.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
        for (i, (name, value)) in pairs.enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            escape(name, b"-_.~", &mut url);
            url.push('=');
            escape(value, b"-_.~", &mut url);
        }
        url
    }
}

fn escape(text: &str, plain: &[u8], out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests;
