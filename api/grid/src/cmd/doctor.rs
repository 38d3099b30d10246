//! `grid doctor`: what is wrong, and what to do about it. Without `--fix` nothing is changed.

mod machine;
mod directory;
mod server;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::{DoctorArgs, ReportFormat};
use crate::config::Config;
use crate::target::Target;
use crate::{clock, out, setup};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warning,
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    level: Level,
    what: String,
    fix: Option<String>,
}

/// Findings in the order of the checks.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Ok, what: what.into(), fix: None });
    }

    fn warn(&mut self, check: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Warning, what: what.into(), fix: Some(fix.into()) });
    }

    fn error(&mut self, check: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Error, what: what.into(), fix: Some(fix.into()) });
    }

    fn worst(&self) -> Level {
        self.0.iter().map(|f| f.level).max().unwrap_or(Level::Ok)
    }

    fn as_json(&self) -> Value {
        let one = |f: &Finding| json!({ "check": f.check, "level": f.level.word(), "what": f.what, "fix": f.fix });
        self.0.iter().map(one).collect()
    }

    fn as_text(&self, coloured: bool) -> String {
        let mut text = String::new();
        for f in &self.0 {
            let (mark, colour) = match f.level {
                Level::Ok => ("ok     ", "32"),
                Level::Warning => ("warning", "33"),
                Level::Error => ("error  ", "31"),
            };
            let mark = if coloured { format!("\u{1b}[{colour}m{mark}\u{1b}[0m") } else { mark.to_owned() };
            text.push_str(&format!("{mark}  {:<10} {}\n", f.check, f.what));
            if let Some(fix) = &f.fix {
                text.push_str(&format!("{:19}  fix: {fix}\n", ""));
            }
        }
        let count = |level| self.0.iter().filter(|f| f.level == level).count();
        text.push_str(&format!("{} errors, {} warnings\n", count(Level::Error), count(Level::Warning)));
        text
    }
}

/// Runs all checks.
pub(crate) async fn run(file: Option<&Path>, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let config = setup::config(file, Vec::new())?;
    let now = clock::now();
    let mut findings = Findings::default();
    findings.ok("settings", "readable, no unknown names");
    let mut extra = json!({});
    match Target::resolve(&args.target, &config)? {
        Target::Server(client) => {
            server::check(&client, now, &mut findings, &mut extra).await;
        }
        Target::Directory(dir) => {
            machine::ports(&config, &mut findings);
            machine::disk(&dir, &mut findings);
            directory::check(&config, &dir, now, args.fix, &mut findings, &mut extra).await;
        }
    }
    machine::clock(&mut findings).await;
    machine::open_files(&mut findings);

    match args.output {
        ReportFormat::Text => {
            use std::io::IsTerminal as _;
            let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            out::bytes(findings.as_text(coloured).as_bytes())?;
        }
        ReportFormat::Json => out::line(&serde_json::to_string_pretty(&findings.as_json())?)?,
    }
    if let Some(path) = &args.bundle {
        let bundle = bundle(&config, &findings, extra, &crate::unit::show_time(now));
        let text = serde_json::to_string_pretty(&bundle)?;
        std::fs::write(path, text).with_context(|| format!("write the bundle {}", path.display()))?;
        out::say(&format!("wrote {}: findings, settings, versions; no rows, no secrets", path.display()));
    }
    Ok(if findings.worst() == Level::Error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn bundle(config: &Config, findings: &Findings, extra: Value, now: &str) -> Value {
    let settings: Vec<Value> =
        config.show().into_iter().map(|s| json!({ "setting": s.path, "value": s.text, "origin": s.origin })).collect();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "time": now,
        "version": env!("CARGO_PKG_VERSION"),
        "system": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "kernel": kernel.trim() },
        "cores": std::thread::available_parallelism().map(usize::from).unwrap_or(0),
        "findings": findings.as_json(),
        "settings": settings,
        "details": extra,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_well() {
        let mut findings = Findings::default();
        findings.ok("disk", "10 GiB free");
        findings.error("catalog", "damaged", "restore a backup");
        assert_eq!(findings.worst(), Level::Error);
        expect_test::expect![[r#"
            ok       disk       10 GiB free
            error    catalog    damaged
                                 fix: restore a backup
            1 errors, 0 warnings
        "#]]
        .assert_eq(&findings.as_text(false));
    }
}
