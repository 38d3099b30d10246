//! Sending what was encoded before: a few connections, each in its own order, as the shards of a real sender.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Connections of every load.
pub(crate) const LANES: usize = 4;

const RETRY_AFTER: Duration = Duration::from_millis(20);
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Bodies by connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    /// One list per connection, sent in order.
    pub(crate) lanes: Vec<Vec<Bytes>>,
    /// Samples, lines or spans in all.
    pub(crate) items: u64,
    /// Bytes that the figure counts, of lines for example; not of the bodies.
    pub(crate) bytes: u64,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self { lanes: vec![Vec::new(); LANES], items: 0, bytes: 0 }
    }

    /// How many requests there are.
    pub(crate) fn requests(&self) -> usize {
        self.lanes.iter().map(Vec::len).sum()
    }
}

/// How sending went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// Seconds from the first request to the last answer.
    pub(crate) seconds: f64,
    /// Requests that had to be sent again, because the server was full.
    pub(crate) retries: u64,
}

/// Sends everything; every request is answered 2xx, or this is an error.
pub(crate) async fn send(url: &str, headers: &[(&str, &str)], load: &Load) -> anyhow::Result<Sent> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(120)).no_proxy().build()?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in load.lanes.iter().filter(|lane| !lane.is_empty()) {
        let (client, map, url, lane) = (client.clone(), map.clone(), url.to_owned(), lane.clone());
        tasks.spawn(async move {
            let mut retries = 0;
            for body in lane {
                retries += send_one(&client, &url, &map, body).await?;
            }
            anyhow::Ok(retries)
        });
    }
    let mut retries = 0;
    while let Some(done) = tasks.join_next().await {
        retries += done??;
    }
    Ok(Sent { seconds: started.elapsed().as_secs_f64(), retries })
}

async fn send_one(client: &reqwest::Client, url: &str, headers: &HeaderMap, body: Bytes) -> anyhow::Result<u64> {
    let started = Instant::now();
    for retries in 0.. {
        let answer = client.post(url).headers(headers.clone()).body(body.clone()).send().await;
        let answer = answer.with_context(|| format!("send to {url}"))?;
        let status = answer.status().as_u16();
        let text = answer.bytes().await?;
        match status {
            200..300 => return Ok(retries),
            429 | 503 if started.elapsed() < GIVE_UP_AFTER => tokio::time::sleep(RETRY_AFTER).await,
            _ => bail!("{url} answered {status}: {}", String::from_utf8_lossy(&text)),
        }
    }
    bail!("{url} never answered 2xx")
}
