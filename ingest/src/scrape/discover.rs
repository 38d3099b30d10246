//! Where targets come from: the configuration itself, files, URLs. Each source sends the whole list of its groups whenever that may
//! have changed; what cannot be read or asked for keeps its last list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use grid_scrape_config::config::{FileSd, HttpSd};
use grid_scrape_config::{LabelMap, ScrapeConfig, TargetGroup, duration, groups};
use http::HeaderName;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fetch::{Ask, DISCOVERY_TIMEOUT, Fetcher};
use super::status::ScrapeStatus;

/// How often the times and sizes of files are looked at.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// Largest list of targets.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many files one pattern may match.
const FILES_MAX: usize = 10_000;

/// The groups of one source.
#[derive(Debug)]
pub(super) struct Found {
    /// Which source of the job.
    pub(super) source: usize,
    pub(super) groups: Vec<TargetGroup>,
}

/// How many sources a job has besides its static groups, which are source 0.
pub(super) fn sources(job: &ScrapeConfig) -> usize {
    1 + job.file_sd.len() + job.http_sd.len()
}

/// Starts a task per source. They end when nobody listens any more, or with the set.
pub(super) fn start(job: &ScrapeConfig, status: &ScrapeStatus, to: &mpsc::Sender<Found>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut source = 1;
    for sd in job.file_sd.clone() {
        let (to, status, job) = (to.clone(), status.clone(), job.job_name.clone());
        tasks.spawn(async move { watch_files(source, &job, sd, &status, to).await });
        source += 1;
    }
    for sd in job.http_sd.clone() {
        let (to, status, job) = (to.clone(), status.clone(), job.job_name.clone());
        tasks.spawn(async move { ask_url(source, &job, sd, &status, to).await });
        source += 1;
    }
    tasks
}

/// What of a file tells that it changed: when it was written, and how large it is.
pub type Stamp = (Option<std::time::SystemTime>, u64);

async fn watch_files(source: usize, job: &str, sd: FileSd, status: &ScrapeStatus, to: mpsc::Sender<Found>) {
    let mut files: BTreeMap<PathBuf, (Stamp, Vec<TargetGroup>)> = BTreeMap::new();
    let mut since_read = sd.refresh;
    let mut first = true;
    loop {
        let sought = sd.files.clone();
        let listed = tokio::task::spawn_blocking(move || list(&sought)).await.unwrap_or_default();
        let all = since_read >= sd.refresh;
        if all {
            since_read = Duration::ZERO;
        }
        let before = files.len();
        files.retain(|path, _| listed.iter().any(|(p, _)| p == path));
        let mut changed = first || files.len() != before;
        for (path, stamp) in listed {
            if !all && files.get(&path).is_some_and(|(s, _)| *s == stamp) {
                continue;
            }
            match read_groups(&path).await {
                Ok(groups) => {
                    let known = files.insert(path, (stamp, groups.clone()));
                    changed |= known.is_none_or(|(_, before)| before != groups);
                }
                Err(error) => {
                    status.counters().discovery_failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(job, file = %path.display(), error, "list of targets cannot be read; its last good one stays");
                    // Not read again before it changes or the refresh is due.
                    let groups = files.remove(&path).map(|(_, groups)| groups).unwrap_or_default();
                    files.insert(path, (stamp, groups));
                }
            }
        }
        if changed {
            let groups = files.values().flat_map(|(_, groups)| groups.clone()).collect();
            if to.send(Found { source, groups }).await.is_err() {
                return;
            }
        }
        first = false;
        tokio::time::sleep(FILE_CHECK).await;
        since_read += FILE_CHECK;
    }
}

/// The files that patterns name, each with its stamp, sorted.
pub(crate) fn list(patterns: &[PathBuf]) -> Vec<(PathBuf, Stamp)> {
    let mut found = BTreeMap::new();
    let mut add = |path: PathBuf| {
        if let Ok(meta) = std::fs::metadata(&path)
            && meta.is_file()
            && found.len() < FILES_MAX
        {
            found.insert(path, (meta.modified().ok(), meta.len()));
        }
    };
    for pattern in patterns {
        let name = pattern.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let Some((before, after)) = name.split_once('*') else {
            add(pattern.clone());
            continue;
        };
        let folder = pattern.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.file_name();
            let matches = file
                .to_str()
                .is_some_and(|f| f.len() >= before.len() + after.len() && f.starts_with(before) && f.ends_with(after));
            if matches {
                add(folder.join(file));
            }
        }
    }
    found.into_iter().collect()
}

async fn read_groups(path: &Path) -> Result<Vec<TargetGroup>, String> {
    let size = tokio::fs::metadata(path).await.map_err(|e| e.to_string())?.len();
    if size > LIST_BYTES_MAX {
        return Err(format!("it has more than {LIST_BYTES_MAX} bytes"));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|e| e.to_string())?;
    let is_json = path.extension().is_some_and(|e| e == "json");
    let groups = if is_json { groups::parse_json(&text)? } else { groups::parse_yaml(&text)? };
    Ok(labelled(groups, "__meta_filepath", &path.display().to_string()))
}

async fn ask_url(source: usize, job: &str, sd: HttpSd, status: &ScrapeStatus, to: mpsc::Sender<Found>) {
    let fetcher = Fetcher::new(sd.http.clone());
    let interval = HeaderName::from_static("x-prometheus-refresh-interval-seconds");
    let headers = [(interval, sd.refresh.as_secs_f64().to_string())];
    let ask = Ask {
        url: &sd.url,
        accept: "application/json",
        compression: true,
        headers: &headers,
        body_bytes_max: LIST_BYTES_MAX,
    };
    loop {
        let answer = match tokio::time::timeout(DISCOVERY_TIMEOUT, fetcher.fetch(&ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {}", duration::format(DISCOVERY_TIMEOUT))),
        };
        let groups = answer.and_then(|answer| {
            let media = answer.content_type.split(';').next().unwrap_or_default().trim();
            if !media.eq_ignore_ascii_case("application/json") {
                return Err(format!("Content-Type is {:?}, not application/json", answer.content_type));
            }
            let text = std::str::from_utf8(&answer.body).map_err(|e| e.to_string())?;
            groups::parse_json(text)
        });
        match groups {
            Ok(groups) => {
                let groups = labelled(groups, "__meta_url", &sd.url);
                if to.send(Found { source, groups }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                status.counters().discovery_failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(job, url = sd.url, error, "no list of targets; the last good one stays");
            }
        }
        tokio::time::sleep(sd.refresh).await;
    }
}

fn labelled(mut groups: Vec<TargetGroup>, name: &str, value: &str) -> Vec<TargetGroup> {
    groups.iter_mut().for_each(|group| group.labels.set(name, value));
    groups
}

/// The own labels of each target of a group.
pub(super) fn targets(group: &TargetGroup) -> impl Iterator<Item = LabelMap> {
    group.targets.iter().map(|address| [("__address__", address.as_str())].into_iter().collect())
}
