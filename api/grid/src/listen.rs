//! Connections: a bounded number, with time-outs on what the guard does not see yet (headers), and an end that lets
//! replies finish.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once per listener; further ones wait in the system's backlog.
    pub(crate) connections_max: usize,
    /// Time from the first to the last byte of a request's headers (HTTP/1.1).
    pub(crate) header_timeout: Duration,
    /// How often a silent HTTP/2 connection is asked whether it still lives, and how long it may take to say so.
    pub(crate) ping: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub(crate) streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 8192,
            header_timeout: Duration::from_secs(15),
            ping: Duration::from_secs(30),
            streams_max: 256,
        }
    }
}

/// After a failed accept (most likely no file descriptors left) nothing is gained by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the token is cancelled, then closes the socket and waits for the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    token: CancellationToken,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    // Dropped with this future: whoever gives up on us gives up on the connections too.
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                let connection = connection(stream, router.clone(), limits, token.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(e) => {
                warn!(error = %e, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and complete; waiting for more to send only adds latency.
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, token: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(limits.streams_max);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = token.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Clients go away all the time; what they did not get they will ask for again.
    if let Err(e) = outcome {
        debug!(error = %e, "connection ended with an error");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn start(
        limits: Limits,
    ) -> (std::net::SocketAddr, CancellationToken, tokio::task::JoinHandle<anyhow::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "late"
        });
        let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", slow);
        let token = CancellationToken::new();
        (address, token.clone(), tokio::spawn(serve(listener, router, limits, token)))
    }

    async fn ask(address: std::net::SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn headers_that_never_end_are_cut_off() {
        let limits = Limits { header_timeout: Duration::from_millis(100), ..Limits::default() };
        let (address, token, task) = start(limits).await;
        let asked =
            tokio::time::timeout(Duration::from_secs(5), ask(address, "GET / HTTP/1.1\r\nhost: x\r\nx-slow")).await;
        let answer = asked.expect("the connection is closed");
        assert!(answer.is_empty() || answer.contains("408"), "{answer}");
        let whole = ask(address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(whole.ends_with("hello"), "{whole}");
        token.cancel();
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn replies_finish_and_idle_connections_do_not_hold_up_the_end() {
        let (address, token, task) = start(Limits::default()).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let reply = tokio::spawn(async move { ask(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.cancel();
        assert!(reply.await.unwrap().ends_with("late"));
        tokio::time::timeout(Duration::from_secs(5), task).await.expect("it ends").unwrap().unwrap();
        drop(idle);
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_its_turn() {
        let (address, token, task) = start(Limits { connections_max: 1, ..Limits::default() }).await;
        let first = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second =
            tokio::spawn(async move { ask(address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap().ends_with("hello"));
        token.cancel();
        task.await.unwrap().unwrap();
    }
}
