//! Which series, labels and metrics there are.

use axum::extract::State;
use axum::response::Response;
use grid_analytics::promql::metadata::{Listed, MetricMetadata, Selection};
use grid_guard::Caller;
use grid_promql_syntax::{parse_selector, quote};
use serde::Serialize;

use super::answer::{Failure, Success};
use super::json;
use super::params::Asked;
use crate::extract::Segment;
use crate::state::ApiState;

/// Lists with more entries are written away from the threads that serve sockets.
const ENTRIES_INLINE: usize = 4096;

fn selection(caller: &Caller, asked: &Asked) -> Result<Selection, Failure> {
    let limit = asked.limit()?;
    let range = asked.range()?;
    Ok(Selection { tenant: caller.tenant.clone(), sets: asked.matchers()?, range, limit })
}

/// `series`: the labels of the series that `match[]` selects.
pub(crate) async fn series(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    if asked.all("match[]").next().is_none() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let found = state.engine.series(&selection(&caller, &asked)?).await?;
    Ok(listed(&asked, found, json::push_labels))
}

/// `labels`: the names of labels.
pub(crate) async fn labels(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let found = state.engine.label_names(&selection(&caller, &asked)?).await?;
    Ok(listed(&asked, found, |text, name| json::push_text(text, name)))
}

/// `label/NAME/values`: the values of a label.
pub(crate) async fn label_values(
    State(state): State<ApiState>,
    caller: Caller,
    Segment(name): Segment,
    asked: Asked,
) -> Result<Response, Failure> {
    let name = unescape(&name);
    if name.is_empty() {
        return Err(Failure::bad_data(format!("invalid label name: {}", quote(&name))));
    }
    let found = state.engine.label_values(&selection(&caller, &asked)?, &name).await?;
    Ok(listed(&asked, found, |text, value| json::push_text(text, value)))
}

fn listed<T: Send + 'static>(
    asked: &Asked,
    found: Listed<T>,
    push: impl Fn(&mut Vec<u8>, &T) + Send + 'static,
) -> Response {
    let success = Success::new().truncated(found.truncated).large(found.items.len() > ENTRIES_INLINE);
    success.write(asked, move |out| {
        out.text.push(b'[');
        json::list(out, &found.items, |out, item| {
            push(&mut out.text, item);
            out.flush_if_full()
        })?;
        out.text.push(b']');
        Ok(())
    })
}

/// A metric's kind, description and unit.
#[derive(Serialize)]
struct Described<'a> {
    r#type: &'a str,
    unit: &'a str,
    help: &'a str,
}

impl<'a> From<&'a MetricMetadata> for Described<'a> {
    fn from(m: &'a MetricMetadata) -> Self {
        Self { r#type: &m.kind, unit: &m.unit, help: &m.help }
    }
}

/// `metadata`: what is known of metrics.
pub(crate) async fn metadata(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.number("limit")?;
    let per_metric = asked.number("limit_per_metric")?.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let metric = Some(asked.text("metric")).filter(|name| !name.is_empty());
    if limit == Some(0) {
        return Ok(Success::new().data(&asked, &serde_json::Map::new()));
    }
    let limit = limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let found = state.engine.metric_metadata(&caller.tenant, metric, limit, per_metric).await?;
    Ok(Success::new().large(found.len() > ENTRIES_INLINE).write(&asked, move |out| {
        out.text.push(b'{');
        json::list(out, &found, |out, (name, all)| {
            json::push_text(&mut out.text, name);
            out.text.push(b':');
            let all: Vec<Described<'_>> = all.iter().map(Into::into).collect();
            serde_json::to_writer(&mut out.text, &all)?;
            out.flush_if_full()
        })?;
        out.text.push(b'}');
        Ok(())
    }))
}

/// `targets/metadata`: what targets say of their metrics. Grid keeps metadata by metric, not by target, so there are none.
pub(crate) async fn of_targets(_: Caller, asked: Asked) -> Result<Response, Failure> {
    asked.number("limit")?;
    let of = asked.text("match_target");
    if !of.is_empty() {
        parse_selector(of).map_err(|e| Failure::parameter("match_target", e))?;
    }
    Ok(Success::new().data(&asked, &[(); 0]))
}

/// A label's name from the form `U__my_2e_name`, by which clients put UTF-8 names into paths (Prometheus,
/// `model.UnescapeName`). What is no such form stays as it is.
fn unescape(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescaped).unwrap_or_else(|| name.to_owned())
}

fn unescaped(mut rest: &str) -> Option<String> {
    /// Hexadecimal digits of the largest character.
    const DIGITS_MAX: usize = 6;
    let mut out = String::with_capacity(rest.len());
    while let Some((plain, after)) = rest.split_once('_') {
        out.push_str(plain);
        if let Some(after) = after.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let (code, after) = after.split_once('_')?;
        if code.len() > DIGITS_MAX || !code.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_out_of_their_escaped_form() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__demo_2e_x", "demo.x"),
            ("U__a__b_1F600_", "a_b\u{1F600}"),
            ("U__", ""),
            ("U__a_", "U__a_"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_0000041_", "U__a_0000041_"),
        ] {
            assert_eq!(unescape(escaped), name);
        }
    }
}
