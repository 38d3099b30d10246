//! Every task has a name, a token and this owner, which waits for it. Shutdown follows the data: listeners first (replies
//! finish), then loops, then whatever the caller closes; whoever is late is named.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often those who are late are named.
const LATE_EVERY: Duration = Duration::from_secs(5);
/// Exit code after a second signal, as a shell reports a process that died of SIGINT.
const IMPATIENT_EXIT: i32 = 130;

/// SIGTERM and SIGINT, caught from the moment this is made.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to catch both; must run inside a tokio runtime.
    pub(crate) fn catch() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("catch signals");
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// From here on the next signal ends the process at once.
    pub(crate) fn exit_on_next(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            error!(
                signal = name,
                "second signal: exiting at once; acknowledged rows are in the WAL and will be replayed"
            );
            #[allow(clippy::disallowed_methods, reason = "whoever asks twice wants no flush; the WAL has what counts")]
            std::process::exit(IMPATIENT_EXIT);
        });
    }
}

/// Tasks that stop together.
pub(crate) struct Group {
    name: &'static str,
    token: CancellationToken,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    running: BTreeSet<&'static str>,
}

impl Group {
    /// A group without tasks.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, token: CancellationToken::new(), tasks: JoinSet::new(), running: BTreeSet::new() }
    }

    /// Starts a task. It must end soon after its token is cancelled.
    pub(crate) fn spawn<F, T>(&mut self, name: &'static str, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let work = task(self.token.clone());
        self.running.insert(name);
        self.tasks.spawn(async move { (name, work.await) });
    }

    /// Waits until a task ends although nobody asked it to; that is always a failure. Never answers for an empty group.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, outcome))) => {
                self.running.remove(name);
                match outcome {
                    Ok(()) => anyhow!("{name} ended on its own"),
                    Err(e) => e.context(format!("run {name}")),
                }
            }
            Some(Err(e)) => anyhow!("a task of {} died: {e}", self.name),
            None => std::future::pending().await,
        }
    }

    /// Cancels the group and waits for all its tasks, naming those who are late; after `patience` they are dropped.
    /// Answers whether all ended by themselves.
    pub(crate) async fn stop(mut self, patience: Duration) -> bool {
        self.token.cancel();
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let look_again = (tokio::time::Instant::now() + LATE_EVERY).min(deadline);
            match tokio::time::timeout_at(look_again, self.tasks.join_next()).await {
                Ok(None) => return true,
                Ok(Some(Ok((name, outcome)))) => {
                    self.running.remove(name);
                    if let Err(e) = outcome {
                        warn!(task = name, error = format!("{e:#}"), "task ended with an error");
                    }
                }
                Ok(Some(Err(e))) => error!(group = self.name, error = %e, "task died"),
                Err(_) => {
                    let late: Vec<&str> = self.running.iter().copied().collect();
                    if tokio::time::Instant::now() >= deadline {
                        warn!(group = self.name, late = late.join(", "), "gave up waiting");
                        self.tasks.abort_all();
                        return false;
                    }
                    info!(group = self.name, late = late.join(", "), "waiting");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn tasks_that_listen_to_their_token_end_in_time() {
        let ended = Arc::new(AtomicUsize::new(0));
        let mut group = Group::new("loops");
        for name in ["a", "b", "c"] {
            let ended = Arc::clone(&ended);
            group.spawn(name, move |token| async move {
                token.cancelled().await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(())
            });
        }
        assert!(group.stop(Duration::from_secs(5)).await);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_task_that_does_not_listen_is_dropped_after_the_patience() {
        let mut group = Group::new("loops");
        group.spawn("deaf", |_| std::future::pending());
        let start = tokio::time::Instant::now();
        assert!(!group.stop(Duration::from_millis(80)).await);
        assert!(start.elapsed() >= Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_task_that_ends_on_its_own_is_a_failure() {
        let mut group = Group::new("listeners");
        group.spawn("quitter", |_| async { Ok(()) });
        assert_eq!(group.failure().await.to_string(), "quitter ended on its own");
        let mut group = Group::new("listeners");
        group.spawn("broken", |_| async { Err(anyhow!("socket fell off")) });
        assert_eq!(format!("{:#}", group.failure().await), "run broken: socket fell off");
    }
}
