//! Manifests: what a provider writes beside the files of one export. Read are the manifest of an AWS Cost and Usage Report
//! (`assemblyId`, `reportKeys`), that of an AWS data export (`dataFiles`), and that of a Microsoft Cost Management export
//! (`runInfo`, `blobs`).

use grid_model::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::date;

/// Longest manifest in bytes.
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most files of a manifest.
pub const MANIFEST_FILES_MAX: usize = 100_000;

/// One version of an export: a complete set of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The export's name.
    pub name: Option<String>,
    /// What names this version: AWS' assembly or execution id, Microsoft's run id; a hash of the manifest if it names none.
    pub version: String,
    /// When the version was made, if the manifest says so.
    pub made: Option<Timestamp>,
    /// The keys of the files, as the bucket or container knows them.
    pub files: Vec<String>,
    /// The account whose bill it is, if the manifest says so.
    pub account: Option<String>,
    /// Start of the billing period, if the manifest says so.
    pub period_start: Option<Timestamp>,
    /// Rows over all files, if the manifest says so.
    pub rows: Option<u64>,
}

/// Why a JSON file is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field has the wrong type.
    #[error("not a readable manifest")]
    Json(#[source] serde_json::Error),
    /// JSON, but of neither kind.
    #[error(
        "no manifest of an AWS CUR (assemblyId, reportKeys), an AWS data export (dataFiles) or a Microsoft export (runInfo, blobs)"
    )]
    Unknown,
    /// It lists no file, or too many.
    #[error("the manifest lists {0} files; it must list 1 to {MANIFEST_FILES_MAX}")]
    Files(usize),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    // AWS
    assembly_id: Option<String>,
    report_name: Option<String>,
    account: Option<String>,
    billing_period: Option<WirePeriod>,
    report_keys: Option<Vec<String>>,
    // AWS data exports
    #[serde(alias = "DataFiles", alias = "data_files")]
    data_files: Option<Vec<WireFile>>,
    #[serde(alias = "ExecutionId", alias = "execution_id")]
    execution_id: Option<String>,
    #[serde(alias = "ExportName", alias = "export_name")]
    export_name: Option<String>,
    #[serde(alias = "ExportArn", alias = "export_arn")]
    export_arn: Option<String>,
    #[serde(alias = "CreatedAt", alias = "executionCreatedAt", alias = "created_at")]
    created_at: Option<String>,
    // Microsoft
    export_config: Option<WireExport>,
    run_info: Option<WireRun>,
    blobs: Option<Vec<WireBlob>>,
    data_row_count: Option<u64>,
}

#[derive(Deserialize)]
struct WirePeriod {
    start: String,
}

/// A file by its key alone, or with what else is known of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum WireFile {
    Key(String),
    Record {
        #[serde(alias = "path", alias = "s3Path", alias = "fileName")]
        key: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireExport {
    export_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRun {
    run_id: String,
    submitted_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBlob {
    blob_name: String,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
        let wire: Wire = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        let instant = |text: &str| date::parse(text).map(|d| d.time);
        let manifest = match wire {
            Wire { assembly_id: Some(version), report_keys: Some(files), .. } => Self {
                name: wire.report_name,
                version,
                made: None,
                files,
                account: wire.account,
                period_start: wire.billing_period.and_then(|p| instant(&p.start)),
                rows: None,
            },
            Wire { run_info: Some(run), blobs: Some(blobs), .. } => Self {
                name: wire.export_config.and_then(|e| e.export_name),
                version: run.run_id,
                made: run.submitted_time.and_then(|t| instant(&t)),
                files: blobs.into_iter().map(|b| b.blob_name).collect(),
                // The period of a run is when it looked, not the billing period of every account in it.
                account: None,
                period_start: None,
                rows: wire.data_row_count,
            },
            Wire { data_files: Some(files), .. } => Self {
                // The last part of arn:aws:bcm-data-exports:us-east-1:111122223333:export/NAME-uuid.
                name: wire.export_name.or_else(|| Some(wire.export_arn?.rsplit('/').next()?.to_owned())),
                version: wire.execution_id.or(wire.assembly_id).unwrap_or_else(|| hex::encode(Sha256::digest(bytes))),
                made: wire.created_at.and_then(|t| instant(&t)),
                files: files
                    .into_iter()
                    .map(|f| match f {
                        WireFile::Key(key) | WireFile::Record { key } => key,
                    })
                    .collect(),
                account: None,
                period_start: wire.billing_period.and_then(|p| instant(&p.start)),
                rows: None,
            },
            _ => return Err(ManifestError::Unknown),
        };
        match manifest.files.len() {
            1..=MANIFEST_FILES_MAX => Ok(manifest),
            n => Err(ManifestError::Files(n)),
        }
    }

    /// Where a key's file may lie relative to the folder of the manifest, most likely place first: under the whole key, in
    /// the folder of this version, beside the manifest. A key that would lead out of the folder has only its name.
    pub fn places(&self, key: &str) -> Vec<String> {
        let name = key.rsplit(['/', '\\']).next().unwrap_or(key);
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let inside = key.split('/').all(|part| plain(part) && !part.contains(['\\', ':', '\0']));
        let mut places = Vec::new();
        if inside {
            places.push(key.to_owned());
        }
        if !plain(name) || name.contains([':', '\0']) {
            return places;
        }
        if plain(&self.version) && !self.version.contains(['/', '\\', ':', '\0']) {
            places.push(format!("{}/{name}", self.version));
        }
        places.push(name.to_owned());
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const AWS: &str = r#"{"assemblyId":"a1","account":"111122223333","reportName":"daily","charset":"UTF-8","compression":"GZIP",
        "columns":[{"category":"bill","name":"InvoiceId","type":"String"}],
        "billingPeriod":{"start":"20231101T000000.000Z","end":"20231201T000000.000Z"},"bucket":"b",
        "reportKeys":["p/daily/20231101-20231201/a1/daily-1.csv.gz"],"additionalArtifactKeys":[]}"#;
    const MICROSOFT: &str = r#"{"manifestVersion":"2024-04-01","blobCount":1,"dataRowCount":7,
        "exportConfig":{"exportName":"focus-daily","type":"FocusCost"},
        "runInfo":{"runId":"r-1","submittedTime":"2024-05-02T03:04:05.123Z","startDate":"2024-05-01T00:00:00"},
        "blobs":[{"blobName":"x/part_0_0001.csv","byteCount":9}]}"#;

    #[test]
    fn manifests_of_both_kinds() {
        let m = Manifest::parse(AWS.as_bytes()).unwrap();
        assert_eq!(
            (m.version.as_str(), m.name.as_deref(), m.account.as_deref()),
            ("a1", Some("daily"), Some("111122223333"))
        );
        assert_eq!(m.period_start.unwrap().to_string(), "2023-11-01T00:00:00.000000000Z");
        assert_eq!(
            m.places(&m.files[0]),
            ["p/daily/20231101-20231201/a1/daily-1.csv.gz", "a1/daily-1.csv.gz", "daily-1.csv.gz"]
        );
        let m = Manifest::parse(MICROSOFT.as_bytes()).unwrap();
        assert_eq!((m.version.as_str(), m.name.as_deref(), m.rows), ("r-1", Some("focus-daily"), Some(7)));
        assert!(m.made.is_some());
    }

    #[test]
    fn keys_stay_in_their_folder() {
        let m = Manifest { version: "..".to_owned(), ..Manifest::default() };
        assert_eq!(m.places("../../etc/passwd"), ["passwd"]);
        assert_eq!(m.places("/abs/x.csv"), ["x.csv"]);
        assert_eq!(m.places("a/.."), [""; 0]);
        assert_eq!(m.places("x.csv"), ["x.csv"]);
    }

    #[test]
    fn what_is_no_manifest() {
        for bad in ["", "[]", "{}", r#"{"assemblyId":"a"}"#, r#"{"assemblyId":"a","reportKeys":[]}"#] {
            assert!(Manifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
