//! A Grafana that is not one: reads dashboards, fills in their variables by asking the data source, and substitutes them in expressions
//! as Grafana's Prometheus data source does.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::Grid;

/// What a panel asks.
#[derive(Debug, Clone)]
pub struct Target {
    /// The panel's title.
    pub panel: String,
    /// The expression, with variables.
    pub expr: String,
    /// Whether it is asked at one time only.
    pub instant: bool,
}

/// What a panel asks of Grid's own API through the Infinity data source.
#[derive(Debug, Clone)]
pub struct Request {
    /// The panel's title.
    pub panel: String,
    /// Path and parameters, with variables.
    pub url: String,
    /// The member of the answer that holds the rows.
    pub root: String,
    /// Members of a row, dots between levels, and whether they are numbers.
    pub columns: Vec<(String, bool)>,
}

/// A dashboard.
pub struct Dashboard {
    /// All of it.
    pub json: Value,
    /// What its panels ask in PromQL.
    pub targets: Vec<Target>,
    /// What its panels ask of Grid's own API.
    pub requests: Vec<Request>,
    /// How many expressions are for other data sources.
    pub others: usize,
}

impl Dashboard {
    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut json: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        if json["dashboard"].is_object() {
            json = json["dashboard"].take();
        }
        let mut dashboard = Self { targets: Vec::new(), requests: Vec::new(), others: 0, json: Value::Null };
        dashboard.collect(&json);
        dashboard.json = json;
        Ok(dashboard)
    }

    /// Panels lie in each other (rows), and in old files in `rows`.
    fn collect(&mut self, value: &Value) {
        for panel in ["panels", "rows"].iter().filter_map(|key| value[key].as_array()).flatten() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                if target["url"].is_string() {
                    self.requests.push(request(panel, target));
                }
                let Some(expr) = target["expr"].as_str() else { continue };
                let of = if target["datasource"].is_null() { &panel["datasource"] } else { &target["datasource"] };
                if of.to_string().to_lowercase().contains("loki") {
                    self.others += 1;
                    continue;
                }
                let panel = panel["title"].as_str().unwrap_or_default().to_owned();
                let instant = target["instant"] == true;
                self.targets.push(Target { panel, expr: expr.to_owned(), instant });
            }
            self.collect(panel);
        }
    }
}

fn request(panel: &Value, target: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let columns = target["columns"].as_array().into_iter().flatten();
    Request {
        panel: text(&panel["title"]),
        url: text(&target["url"]),
        root: text(&target["root_selector"]),
        columns: columns.map(|c| (text(&c["selector"]), c["type"] == "number")).collect(),
    }
}

/// Where and when is asked.
pub struct View<'a> {
    /// The server.
    pub grid: &'a Grid,
    /// The tenant of the data source.
    pub tenant: &'a str,
    /// The time range, in seconds.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// The step of range queries, in seconds.
    pub step: i64,
    /// The data source's scrape interval, in seconds.
    pub scrape_interval: i64,
}

/// Values of variables by name.
pub type Variables = BTreeMap<String, Chosen>;

/// What was chosen for a variable.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// Text that goes in as it is: a single value, or that for `All`.
    Raw(String),
    /// Several values, as a regular expression.
    Several(Vec<String>),
}

impl View<'_> {
    /// Asks Prometheus' API; answers `data`, or the error.
    pub async fn ask(&self, path: &str, form: &[(&str, String)]) -> anyhow::Result<Result<Value, String>> {
        let request = self.grid.client.post(format!("{}/prometheus/api/v1/{path}", self.grid.http));
        self.data(request.form(form)).await
    }

    async fn data(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Result<Value, String>> {
        let answer = request.header("x-scope-orgid", self.tenant).send().await?;
        let mut json: Value = answer.json().await?;
        if json["status"] == "success" {
            return Ok(Ok(json["data"].take()));
        }
        Ok(Err(json["error"].to_string()))
    }

    /// Evaluates a target with its variables filled in.
    pub async fn evaluate(&self, target: &Target, variables: &Variables) -> anyhow::Result<Result<Value, String>> {
        let query = self.substitute(&target.expr, variables);
        let (start, end, step) = (self.start.to_string(), self.end.to_string(), self.step.to_string());
        if target.instant {
            return self.ask("query", &[("query", query), ("time", end)]).await;
        }
        self.ask("query_range", &[("query", query), ("start", start), ("end", end), ("step", step)]).await
    }

    /// Sends a request of the Infinity data source and answers how many rows came back, each with every column of the panel.
    pub async fn fetch(&self, request: &Request, variables: &Variables) -> anyhow::Result<usize> {
        let url = format!("{}{}", self.grid.http, self.substitute(&request.url, variables));
        let answer = self.grid.client.get(&url).header("x-scope-orgid", self.tenant).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url}: {status}: {text}");
        let json: Value = serde_json::from_str(&text).with_context(|| url.clone())?;
        let rows = json[&request.root].as_array().with_context(|| format!("{url}: no list {}", request.root))?;
        for row in rows {
            for (selector, is_number) in &request.columns {
                let at = format!("/{}", selector.replace('.', "/"));
                let value = row.pointer(&at).with_context(|| format!("{url}: a row without {selector}: {row}"))?;
                let fits = !is_number
                    || value.is_null()
                    || value.is_number()
                    || value.as_str().is_some_and(|v| v.parse::<f64>().is_ok());
                ensure!(fits, "{url}: {selector} is {value}");
            }
        }
        Ok(rows.len())
    }

    /// Chooses values for all variables, in order: later queries use earlier variables.
    pub async fn variables(&self, dashboard: &Value) -> anyhow::Result<Variables> {
        let mut chosen = Variables::new();
        for variable in dashboard["templating"]["list"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().context("a variable without a name")?;
            let value = match variable["type"].as_str().unwrap_or_default() {
                "query" => {
                    let query = variable["query"]["query"].as_str().or(variable["query"].as_str()).unwrap_or_default();
                    let values =
                        self.values(&self.substitute(query, &chosen)).await.with_context(|| name.to_owned())?;
                    choose(variable, values)
                }
                "custom" | "interval" => {
                    let list = variable["query"].as_str().unwrap_or_default();
                    Chosen::Raw(list.split(',').next().unwrap_or_default().trim().to_owned())
                }
                _ => Chosen::Raw(variable["query"].as_str().unwrap_or_default().to_owned()),
            };
            chosen.insert(name.to_owned(), value);
        }
        Ok(chosen)
    }

    /// The values of `label_values(...)` and its like.
    async fn values(&self, query: &str) -> anyhow::Result<Vec<String>> {
        let query = query.trim();
        let inner = |function: &str| query.strip_prefix(function)?.trim().strip_prefix('(')?.strip_suffix(')');
        let list = |data: Value| -> Vec<String> {
            data.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        if let Some(inner) = inner("label_values") {
            // The label is what follows the last comma outside of braces.
            let (selector, label) = match inner.rfind(',').filter(|at| !inner[*at..].contains('}')) {
                Some(at) => (Some(inner[..at].trim()), inner[at + 1..].trim()),
                None => (None, inner.trim()),
            };
            let url = format!("{}/prometheus/api/v1/label/{label}/values", self.grid.http);
            let mut query = vec![("start", self.start.to_string()), ("end", self.end.to_string())];
            query.extend(selector.map(|s| ("match[]", s.to_owned())));
            let data = self.data(self.grid.client.get(url).query(&query)).await?;
            return data.map(list).map_err(|e| anyhow::anyhow!("{inner}: {e}"));
        }
        if let Some(inner) = inner("query_result") {
            let form = [("query", inner.to_owned()), ("time", self.end.to_string())];
            let data = self.ask("query", &form).await?.map_err(|e| anyhow::anyhow!("{inner}: {e}"))?;
            let series = data["result"].as_array().into_iter().flatten();
            return Ok(series.map(|s| s["metric"].to_string()).collect());
        }
        ensure!(query.is_empty(), "{query:?} is no query of variables that is known here");
        Ok(Vec::new())
    }

    /// Puts values in place of `$name`, `${name}`, `${name:format}` and `[[name]]`.
    pub fn substitute(&self, text: &str, variables: &Variables) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['$', '[']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let found =
                reference(rest).and_then(|(name, format, length)| Some((self.value(name, format, variables)?, length)));
            match found {
                Some((value, length)) => {
                    out.push_str(&value);
                    rest = &rest[length..];
                }
                None => {
                    out.push_str(&rest[..1]);
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str, format: &str, variables: &Variables) -> Option<String> {
        let range = self.end - self.start;
        let rate = (self.step + self.scrape_interval).max(4 * self.scrape_interval);
        Some(match name {
            "__interval" | "__auto" => format!("{}s", self.step),
            "__interval_ms" => (self.step * 1000).to_string(),
            "__rate_interval" => format!("{rate}s"),
            "__rate_interval_ms" => (rate * 1000).to_string(),
            "__range" => format!("{range}s"),
            "__range_s" => range.to_string(),
            "__range_ms" => (range * 1000).to_string(),
            "__from" | "__to" => {
                let at = if name == "__from" { self.start } else { self.end };
                match format {
                    "date:YYYY-MM-DD" => day(at),
                    _ => (at * 1000).to_string(),
                }
            }
            _ => match (variables.get(name)?, format) {
                (Chosen::Raw(text), _) => text.clone(),
                (Chosen::Several(values), "pipe") => values.join("|"),
                (Chosen::Several(values), "csv" | "raw") => values.join(","),
                (Chosen::Several(values), _) => {
                    let escaped: Vec<_> = values.iter().map(|v| escape(v)).collect();
                    if escaped.len() == 1 { escaped.concat() } else { format!("({})", escaped.join("|")) }
                }
            },
        })
    }
}

/// The day of a time in seconds.
fn day(seconds: i64) -> String {
    let (year, month, day) = grid_model::time::civil_from_days(seconds.div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `All` where a dashboard offers it, else the first value.
fn choose(variable: &Value, values: Vec<String>) -> Chosen {
    if variable["includeAll"] == true {
        return match variable["allValue"].as_str().filter(|v| !v.is_empty()) {
            Some(all) => Chosen::Raw(all.to_owned()),
            None => Chosen::Several(values),
        };
    }
    let first = values.into_iter().next();
    if variable["multi"] == true {
        return Chosen::Several(first.into_iter().collect());
    }
    Chosen::Raw(first.unwrap_or_default().replace('\\', "\\\\").replace('"', "\\\""))
}

/// The reference at the start of a text: name, format, length.
fn reference(text: &str) -> Option<(&str, &str, usize)> {
    for (open, close) in [("${", "}"), ("[[", "]]")] {
        if let Some(inner) = text.strip_prefix(open) {
            let inner = &inner[..inner.find(close)?];
            let (name, format) = inner.split_once(':').unwrap_or((inner, ""));
            return Some((name, format, open.len() + inner.len() + close.len()));
        }
    }
    let inner = text.strip_prefix('$')?;
    let length = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    (length > 0).then(|| (&inner[..length], "", 1 + length))
}

/// A value as a part of a regular expression within a string of PromQL.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if "\\^$*+?.()|[]{}".contains(c) {
            out.push_str("\\\\");
        }
        out.push(c);
    }
    out
}

/// How many series an answer has, and whether any of its values is a number (or a histogram).
pub fn rows(data: &Value) -> (usize, bool) {
    let result = &data["result"];
    if matches!(data["resultType"].as_str(), Some("scalar" | "string")) {
        return (1, true);
    }
    let number = |pair: &Value| pair[1].is_object() || pair[1].as_str().is_some_and(|v| v != "NaN");
    let has = |series: &Value| {
        let lists = ["values", "histograms"].iter().filter_map(|k| series[k].as_array()).flatten();
        let single = ["value", "histogram"].iter().map(|k| &series[k]).filter(|v| v.is_array());
        lists.chain(single).any(number)
    };
    let series = result.as_array().map(Vec::as_slice).unwrap_or_default();
    (series.len(), series.iter().any(has))
}
