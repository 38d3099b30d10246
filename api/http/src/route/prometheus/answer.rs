//! How Prometheus answers: the envelope around data, errors with their types and statuses, and large answers written piece by piece.

use std::io::{self, Write as _};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use grid_analytics::QueryError;
use grid_analytics::promql::PromqlError;
use grid_promql::annotation::Notes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::sync::mpsc;

use super::params::Asked;
use crate::error::ApiError;

/// Kinds of errors (Prometheus, `web/api/v1/api.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    BadData,
    Execution,
    Timeout,
    Canceled,
    Internal,
    Unavailable,
}

impl ErrorType {
    /// The word in the envelope.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            // nginx's "client closed request", as in Prometheus.
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorType,
    message: String,
    /// Another status than the kind's.
    status: Option<StatusCode>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorType, message: impl ToString) -> Self {
        Self { kind, message: message.to_string(), status: None }
    }

    /// The request makes no sense.
    pub(crate) fn bad_data(message: impl ToString) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A parameter makes no sense.
    pub(crate) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    /// A query that did not work, whose text was the parameter `query`.
    pub(crate) fn of_query(error: PromqlError) -> Self {
        match error {
            PromqlError::Parse(_) | PromqlError::BadData(_) => Self::parameter("query", error),
            other => other.into(),
        }
    }

    /// As plain text, as the routes answer that are not JSON.
    pub(crate) fn plain(self) -> Response {
        (self.status.unwrap_or(self.kind.status()), format!("{}\n", self.message)).into_response()
    }
}

impl From<PromqlError> for Failure {
    fn from(error: PromqlError) -> Self {
        let kind = match &error {
            PromqlError::Parse(_) | PromqlError::BadData(_) => ErrorType::BadData,
            PromqlError::Execution(_) => ErrorType::Execution,
            PromqlError::Timeout => ErrorType::Timeout,
            PromqlError::Cancelled => ErrorType::Canceled,
            PromqlError::Engine(e) => of_engine(e),
        };
        if kind == ErrorType::Internal {
            tracing::error!(error = %error, "PromQL request failed");
        }
        Self::new(kind, error)
    }
}

fn of_engine(error: &QueryError) -> ErrorType {
    match error.status() {
        503 => ErrorType::Unavailable,
        500.. => ErrorType::Internal,
        _ => ErrorType::Execution,
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let problem = error.problem();
        let kind = if problem.status.is_server_error() { ErrorType::Unavailable } else { ErrorType::BadData };
        Self { kind, message: error.to_string(), status: Some(problem.status) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope<'a> {
            status: &'static str,
            error_type: &'static str,
            error: &'a str,
        }
        let envelope = Envelope { status: "error", error_type: self.kind.as_str(), error: &self.message };
        let status = self.status.unwrap_or(self.kind.status());
        let mut response = json_response(serde_json::to_vec(&envelope).unwrap_or_default());
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE && self.kind == ErrorType::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn json_response(body: Vec<u8>) -> Response {
    let mut response = Body::from(body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Different notes of a kind that an answer shows, as in Prometheus.
const NOTES_SHOWN: usize = 10;
/// What says that a list was cut.
const TRUNCATED: &str = "results truncated due to limit";

/// An answer: data, and what is to be said about it.
#[derive(Debug, Default)]
pub(crate) struct Success {
    warnings: Vec<String>,
    infos: Vec<String>,
    /// Whether writing it is work for another thread.
    large: bool,
}

impl Success {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says that the list was cut, if it was.
    pub(crate) fn truncated(mut self, truncated: bool) -> Self {
        if truncated {
            self.warnings.push(TRUNCATED.to_owned());
        }
        self
    }

    /// With what an evaluation found strange.
    pub(crate) fn notes(mut self, notes: Notes) -> Self {
        let cut = |kind: &str, mut all: Vec<String>| {
            let more = all.len().saturating_sub(NOTES_SHOWN);
            all.truncate(NOTES_SHOWN);
            if more > 0 {
                all.push(format!("{more} more {kind} annotations omitted"));
            }
            all
        };
        self.warnings.extend(cut("warning", notes.warnings));
        self.infos.extend(cut("info", notes.infos));
        self
    }

    /// Written away from the threads that serve sockets, and sent as it is written.
    pub(crate) fn large(mut self, large: bool) -> Self {
        self.large = large;
        self
    }

    /// Data that serde writes.
    pub(crate) fn data(self, asked: &Asked, data: &impl Serialize) -> Response {
        let json = serde_json::to_vec(data).unwrap_or_else(|_| b"null".to_vec());
        self.write(asked, move |out| {
            out.text.extend_from_slice(&json);
            Ok(())
        })
    }

    /// Data that `write` writes, within the envelope.
    pub(crate) fn write(
        self,
        asked: &Asked,
        write: impl FnOnce(&mut Out) -> io::Result<()> + Send + 'static,
    ) -> Response {
        let large = self.large;
        let mut response = send(asked.takes_gzip(), large, move |out| {
            out.text.extend_from_slice(b"{\"status\":\"success\",\"data\":");
            write(out)?;
            for (name, notes) in [("warnings", &self.warnings), ("infos", &self.infos)] {
                if !notes.is_empty() {
                    out.text.extend_from_slice(format!(",\"{name}\":").as_bytes());
                    serde_json::to_writer(&mut out.text, notes)?;
                }
            }
            out.text.push(b'}');
            Ok(())
        });
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Bytes that are sent at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for a slow reader.
const PIECES_WAITING: usize = 4;
/// Bodies below this are not packed: they fit into one packet anyway.
const GZIP_BYTES_MIN: usize = 1024;

/// Where an answer is written.
pub(crate) struct Out {
    /// What was written since the last [`Out::flush_if_full`].
    pub(crate) text: Vec<u8>,
    to: To,
}

enum To {
    /// All of it is held.
    Held,
    Sent(Pieces),
    Packed(Box<GzEncoder<Pieces>>),
}

impl Out {
    pub(crate) fn held() -> Self {
        Self { text: Vec::new(), to: To::Held }
    }

    /// Passes on what was written, if it is worth it. To be called between small parts. Fails when the reader is gone.
    pub(crate) fn flush_if_full(&mut self) -> io::Result<()> {
        if self.text.len() >= PIECE_BYTES { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Held => return Ok(()),
            To::Sent(pieces) => pieces.send(std::mem::take(&mut self.text))?,
            To::Packed(packer) => packer.write_all(&self.text)?,
        }
        self.text.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        match self.to {
            To::Packed(packer) => {
                let mut pieces = packer.finish()?;
                let rest = std::mem::take(&mut pieces.held);
                pieces.send(rest)
            }
            To::Held | To::Sent(_) => Ok(()),
        }
    }
}

/// The way to the socket.
struct Pieces {
    held: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Pieces {
    fn send(&mut self, piece: Vec<u8>) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.held);
            self.send(piece)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A response whose body `write` writes: at once, or if it is `large` on another thread while it is sent.
pub(crate) fn send(
    gzip: bool,
    large: bool,
    write: impl FnOnce(&mut Out) -> io::Result<()> + Send + 'static,
) -> Response {
    let mut response = if large { send_pieces(gzip, write) } else { send_whole(gzip, write) };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

fn send_whole(gzip: bool, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Response {
    let mut out = Out::held();
    if let Err(e) = write(&mut out) {
        return Failure::new(ErrorType::Internal, format!("write the answer: {e}")).into_response();
    }
    if !gzip || out.text.len() < GZIP_BYTES_MIN {
        return Body::from(out.text).into_response();
    }
    let mut packer = GzEncoder::new(Vec::with_capacity(out.text.len() / 8), Compression::fast());
    match packer.write_all(&out.text).and_then(|()| packer.finish()) {
        Ok(packed) => packed_response(Body::from(packed)),
        Err(_) => Body::from(out.text).into_response(),
    }
}

fn packed_response(body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

fn send_pieces(gzip: bool, write: impl FnOnce(&mut Out) -> io::Result<()> + Send + 'static) -> Response {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let writer = tokio::task::spawn_blocking(move || {
        let pieces = Pieces { held: Vec::new(), sender };
        let to = match gzip {
            true => To::Packed(Box::new(GzEncoder::new(pieces, Compression::fast()))),
            false => To::Sent(pieces),
        };
        let mut out = Out { text: Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4), to };
        write(&mut out)?;
        out.finish()
    });
    // An answer that ends early must not look whole, so the writer's end is awaited and its failure breaks the connection.
    let body = futures::stream::unfold(Some((receiver, writer)), |state| async {
        let (mut receiver, writer) = state?;
        if let Some(piece) = receiver.recv().await {
            return Some((Ok(piece), Some((receiver, writer))));
        }
        match writer.await {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some((Err(e), None)),
            Err(e) => Some((Err(io::Error::other(e)), None)),
        }
    });
    let body = Body::from_stream(body);
    if gzip { packed_response(body) } else { body.into_response() }
}
