//! Terraform or OpenTofu as a program: found, run, and what it says.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::limits::{JSON_BYTES_MAX, SAID_BYTES_MAX, WHY_BYTES_MAX};

/// What the last run that changed something said of its errors.
const LOG: &str = "grid.log";

/// There is no such program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not on the path: install Terraform 1.6 or OpenTofu 1.6 or newer, or name one in provision.terraform")]
pub struct NoProgram(pub String);

/// Why a run came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunError {
    /// It could not be started.
    Start(String),
    /// It ended with an error; what it said of it.
    Failed(String),
    /// It did not end in time, and was left alone.
    Late,
    /// It says more than is read.
    TooMuch,
}

/// The program.
#[derive(Debug, Clone)]
pub(crate) struct Program(PathBuf);

impl Program {
    /// Finds it: `auto`, a name, or a path.
    pub(crate) fn find(name: &str) -> Result<Self, NoProgram> {
        let names: &[&str] = if name == "auto" { &["tofu", "terraform"] } else { &[name] };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = names.iter().find_map(|name| match Path::new(name).components().count() {
            1 => std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file()),
            _ => Some(PathBuf::from(name)).filter(|file| file.is_file()),
        });
        found.map(Self).ok_or_else(|| NoProgram(names.join(" or ")))
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &str {
        self.0.file_stem().and_then(|name| name.to_str()).unwrap_or("terraform")
    }

    fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command
            .args(args)
            .current_dir(folder)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_CLI_ARGS")
            .stdin(Stdio::null())
            // A signal that is meant for Grid is not meant for it.
            .process_group(0);
        command
    }

    /// Runs what changes something, in a folder. What it says goes to a file and not through a pipe: a pipe ends with whoever reads it, and would end the
    /// program in the middle of a change. So neither the end of Grid nor `limit` ends it.
    pub(crate) async fn run_to_its_end(&self, folder: &Path, args: &[&str], limit: Duration) -> Result<(), RunError> {
        let log = folder.join(LOG);
        let start = |e: std::io::Error| RunError::Start(e.to_string());
        let file = std::fs::File::create(&log).map_err(start)?;
        let mut command = self.command(folder, args);
        let mut child = command.stdout(Stdio::null()).stderr(file).spawn().map_err(start)?;
        let Ok(status) = tokio::time::timeout(limit, child.wait()).await else { return Err(RunError::Late) };
        let said = async {
            let mut file = tokio::fs::File::open(&log).await.ok();
            told(&end(&mut file, SAID_BYTES_MAX).await)
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(RunError::Failed(said.await)),
            Err(e) => Err(RunError::Failed(e.to_string())),
        }
    }

    /// Runs what only looks, in a folder; what it wrote.
    pub(crate) async fn run(&self, folder: &Path, args: &[&str], limit: Duration) -> Result<String, RunError> {
        let mut command = self.command(folder, args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| RunError::Start(e.to_string()))?;
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
        let work = async {
            let (wrote, said) = tokio::join!(whole(&mut out, JSON_BYTES_MAX), end(&mut err, SAID_BYTES_MAX));
            (wrote, said, child.wait().await)
        };
        let Ok((wrote, said, status)) = tokio::time::timeout(limit, work).await else { return Err(RunError::Late) };
        match status {
            Ok(status) if status.success() => wrote.ok_or(RunError::TooMuch),
            Ok(_) => Err(RunError::Failed(told(&said))),
            Err(e) => Err(RunError::Failed(e.to_string())),
        }
    }
}

/// All of a stream; `None` if it is longer. It is read to its end either way, so that whoever writes is not held up.
async fn whole(stream: &mut Option<impl AsyncRead + Unpin>, most: usize) -> Option<String> {
    let Some(stream) = stream else { return Some(String::new()) };
    let mut bytes = Vec::new();
    let _ = (&mut *stream).take(most as u64 + 1).read_to_end(&mut bytes).await;
    if bytes.len() > most {
        let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The end of a stream.
async fn end(stream: &mut Option<impl AsyncRead + Unpin>, most: usize) -> String {
    let Some(stream) = stream else { return String::new() };
    let (mut kept, mut chunk) = (Vec::new(), vec![0; 8192]);
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * most {
            kept.drain(..kept.len() - most);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// What it said, as one line: from the first error on, without frames.
fn told(said: &str) -> String {
    let from = said.find("Error: ").unwrap_or(0);
    let lines = said[from..].lines().map(|l| l.trim_matches(|c: char| c.is_whitespace() || "│╷╵".contains(c)));
    let text = lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
    text.chars().take(WHY_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_are_told_in_a_line() {
        let said =
            "╷\n│ Warning: old\n╵\n╷\n│ Error: Invalid size\n│ \n│   on main.tf line 3:\n│ \n│ It must be more.\n╵\n";
        assert_eq!(told(said), "Error: Invalid size on main.tf line 3: It must be more.");
        assert_eq!(told(""), "");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Program::find("no-such-program").map(|p| p.name().to_owned());
        assert_eq!(error, Err(NoProgram("no-such-program".to_owned())));
    }

    #[tokio::test]
    async fn a_run_gives_what_was_written_or_why_not() {
        let shell = Program(PathBuf::from("/bin/sh"));
        let run = async |script: &str, ms| shell.run(Path::new("/"), &["-c", script], Duration::from_millis(ms)).await;
        assert_eq!(run("echo here", 60_000).await, Ok("here\n".to_owned()));
        assert_eq!(run("echo 'Error: no' >&2; exit 1", 60_000).await, Err(RunError::Failed("Error: no".to_owned())));
        assert_eq!(run("sleep 1", 10).await, Err(RunError::Late));

        // What changes something goes on when nobody waits for it any more, however much it says.
        let folder = tempfile::tempdir().unwrap();
        let change = async |script: &str, ms| {
            shell.run_to_its_end(folder.path(), &["-c", script], Duration::from_millis(ms)).await
        };
        assert_eq!(
            change("echo 'Error: half' >&2; exit 1", 60_000).await,
            Err(RunError::Failed("Error: half".to_owned()))
        );
        let slow = "sleep 0.3; echo said; echo said >&2; sleep 0.1; echo said >&2; : > done";
        assert_eq!(change(slow, 10).await, Err(RunError::Late));
        for _ in 0..600 {
            if folder.path().join("done").exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it did not go on");
    }
}
