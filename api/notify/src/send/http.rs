//! A POST, and what its answer means.

use std::net::IpAddr;
use std::time::Duration;

use grid_model::Timestamp;
use grid_model::time::SECOND_NS;
use grid_notify_policy::queue::Outcome;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Url};

use super::Sent;
use crate::address::{AddressGuard, NotPermitted};
use crate::limits::ANSWER_BYTES_MAX;

/// What an answer means for a delivery. Statuses that say "this message is wrong" end it, since it will not get better; all others
/// may, even "unauthorized" and "not found", once whoever runs the receiver has mended it.
fn verdict(status: u16, retry_after_ns: Option<i64>) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        300..=399 | 400 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 | 431 => Outcome::Refused,
        _ => Outcome::Failed { retry_after_ns },
    }
}

#[allow(clippy::too_many_arguments, reason = "one request in its parts")]
pub(super) async fn post(
    client: &Client,
    guard: Option<&AddressGuard>,
    url: &str,
    headers: Vec<(&'static str, String)>,
    auth: Option<HeaderValue>,
    timeout: Option<Duration>,
    body: String,
    now: Timestamp,
) -> Sent {
    let Ok(url) = Url::parse(url) else { return Sent::refused(None, "the address is not a URL") };
    // Names are resolved, and checked, by the client; addresses are not.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if let (Some(guard), Ok(ip)) = (guard, host.parse::<IpAddr>())
        && !guard.permits(ip)
    {
        return Sent::refused(None, NotPermitted.to_string());
    }
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(auth) = auth {
        request = request.header(AUTHORIZATION, auth);
    }
    if let Some(timeout) = timeout {
        request = request.timeout(timeout);
    }
    match request.body(body).send().await {
        Ok(response) => read(response, now).await,
        Err(e) => {
            let permitted = !chain(&e).contains(&NotPermitted.to_string());
            let text = chain(&e.without_url());
            if permitted { Sent::failed(None, text) } else { Sent::refused(None, NotPermitted.to_string()) }
        }
    }
}

async fn read(mut response: reqwest::Response, now: Timestamp) -> Sent {
    let status = response.status().as_u16();
    let retry_after_ns = retry_after(response.headers(), now);
    let outcome = verdict(status, retry_after_ns);
    if outcome == Outcome::Delivered {
        return Sent::delivered(Some(status));
    }
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(chunk.get(..chunk.len().min(ANSWER_BYTES_MAX - text.len())).unwrap_or_default());
        if text.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    let said = String::from_utf8_lossy(&text).trim().to_owned();
    let error = match (300..400).contains(&status) {
        true => format!("it answered {status}: redirects are not followed"),
        false if said.is_empty() => format!("it answered {status}"),
        false => format!("it answered {status}: {said}"),
    };
    let failed = Sent::failed(Some(status), error);
    Sent { outcome, gone: status == 410, ..failed }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), in nanoseconds from now.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds.max(0).saturating_mul(SECOND_NS));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_nanos_opt()?;
    Some(date.saturating_sub(now.0).max(0))
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_pauses_are_understood() {
        let failed = |seconds: Option<i64>| Outcome::Failed { retry_after_ns: seconds.map(|s| s * SECOND_NS) };
        for (status, header, expected) in [
            (200, "", Outcome::Delivered),
            (204, "", Outcome::Delivered),
            (302, "", Outcome::Refused),
            (400, "", Outcome::Refused),
            (401, "", failed(None)),
            (404, "", failed(None)),
            (408, "", failed(None)),
            (410, "", Outcome::Refused),
            (422, "", Outcome::Refused),
            (429, "7", failed(Some(7))),
            (429, "-7", failed(Some(0))),
            (503, "Thu, 01 Jan 1970 00:01:40 GMT", failed(Some(90))),
            (503, "Thu, 01 Jan 1970 00:00:01 GMT", failed(Some(0))),
            (503, "soon", failed(None)),
            (500, "", failed(None)),
        ] {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(header));
            }
            let pause = retry_after(&headers, Timestamp(10 * SECOND_NS));
            assert_eq!(verdict(status, pause), expected, "{status} {header}");
        }
    }
}
