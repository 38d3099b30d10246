//! A connection to a mail server, encrypted as the configuration asks: at once, after STARTTLS (RFC 3207), or not.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use grid_notify_policy::receiver::Email;
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Bytes of one reply.
const REPLY_BYTES_MAX: usize = 16 << 10;
/// What a server would have said first, for a client that waits for it: it was heard before TLS began.
const GREETING: &[u8] = b"220 go on\r\n";

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Nobody answers, or the connection broke.
    #[error("call the mail server")]
    Io(#[from] io::Error),
    /// TLS.
    #[error("speak TLS with the mail server")]
    Tls(#[from] rustls::Error),
    /// Its name cannot be in a certificate.
    #[error("{0:?} is no host name")]
    Name(String),
    /// It does not offer what is required.
    #[error("the mail server offers no TLS, and `require_tls` asks for it")]
    NoTls,
    /// It says what no mail server says.
    #[error("the mail server says {0:?}")]
    Reply(String),
}

/// A connection on which a mail client may begin.
#[derive(Debug)]
pub(super) struct SmtpStream {
    greeting: &'static [u8],
    peer: SocketAddr,
    line: Line,
}

#[derive(Debug)]
enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl SmtpStream {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.line, Line::Tls(_))
    }

    /// Whether it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.peer.ip().is_loopback()
    }
}

/// Calls the server.
pub(super) async fn connect(email: &Email) -> Result<SmtpStream, ConnectError> {
    let mut plain = TcpStream::connect((email.host.as_str(), email.port)).await?;
    let peer = plain.peer_addr()?;
    if email.implicit_tls {
        return Ok(SmtpStream { greeting: &[], peer, line: Line::Tls(Box::new(encrypt(&email.host, plain).await?)) });
    }
    expect(&mut plain, "220").await?;
    say(&mut plain, &format!("EHLO {}", email.hello)).await?;
    let offers = expect(&mut plain, "250").await?;
    let offered = offers.lines().any(|l| l.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS")));
    let line = match (offered, email.require_tls) {
        (true, _) => {
            say(&mut plain, "STARTTLS").await?;
            expect(&mut plain, "220").await?;
            Line::Tls(Box::new(encrypt(&email.host, plain).await?))
        }
        (false, true) => return Err(ConnectError::NoTls),
        (false, false) => Line::Plain(plain),
    };
    Ok(SmtpStream { greeting: GREETING, peer, line })
}

async fn encrypt(host: &str, plain: TcpStream) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Name(host.to_owned()))?;
    // Reads files, hence not on a thread of the runtime.
    let roots = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    let roots = roots.await.map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)).connect(name, plain).await?)
}

async fn say(stream: &mut TcpStream, command: &str) -> io::Result<()> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await
}

/// Reads one whole reply, and nothing that comes after it: what a server says before TLS begins must not count as said within it
/// (CVE-2011-0411).
async fn expect(stream: &mut TcpStream, code: &str) -> Result<String, ConnectError> {
    let mut text = Vec::new();
    loop {
        if text.len() >= REPLY_BYTES_MAX {
            return Err(ConnectError::Reply("too much".to_owned()));
        }
        let mut chunk = [0u8; 1024];
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        text.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if let Some(end) = end_of_reply(&text) {
            let reply = String::from_utf8_lossy(&text).into_owned();
            return if end == text.len() && reply.starts_with(code) {
                Ok(reply)
            } else {
                Err(ConnectError::Reply(reply.chars().take(200).collect()))
            };
        }
    }
}

/// Where the last line of a reply ends (`250 text`, where the others are `250-text`).
fn end_of_reply(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = text.get(start..)?.iter().position(|b| *b == b'\n') {
        let end = start + at + 1;
        if text.get(start + 3) != Some(&b'-') {
            return Some(end);
        }
        start = end;
    }
    None
}

impl AsyncTokioStream for SmtpStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for SmtpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(into.remaining()));
            into.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Line::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for SmtpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            Line::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Line::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_end_with_their_last_line() {
        for (text, end) in [
            ("220 hello\r\n", Some(11)),
            ("250-a\r\n250 b\r\n", Some(14)),
            ("250-a\r\n250 b", None),
            ("250-a\r\n", None),
            ("220 go\r\n250 injected\r\n", Some(8)),
            ("", None),
            ("x\n", Some(2)),
        ] {
            assert_eq!(end_of_reply(text.as_bytes()), end, "{text:?}");
        }
    }

    #[tokio::test]
    async fn what_is_required_and_not_offered_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (offers, mut wanted) = tokio::sync::watch::channel("");
        wanted.mark_unchanged();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let more = *wanted.borrow();
                stream.write_all(b"220 test\r\n").await.unwrap();
                let mut line = [0; 64];
                let _ = stream.read(&mut line).await.unwrap();
                stream.write_all(format!("250-test\r\n{more}250 8BITMIME\r\n").as_bytes()).await.unwrap();
                let _ = stream.read(&mut line).await.unwrap();
                let _ = stream.write_all(b"220 go\r\n250 injected\r\n").await;
            }
        });
        let email = |require_tls| Email {
            to: String::new(),
            from: String::new(),
            host: "127.0.0.1".to_owned(),
            port,
            hello: "localhost".to_owned(),
            auth: None,
            require_tls,
            implicit_tls: false,
            subject: None,
        };
        assert!(matches!(connect(&email(true)).await, Err(ConnectError::NoTls)));
        let plain = connect(&email(false)).await.unwrap();
        assert!(!plain.is_encrypted() && plain.is_local());
        offers.send_replace("250-STARTTLS\r\n");
        let injected = connect(&email(true)).await.unwrap_err();
        assert!(matches!(injected, ConnectError::Reply(_)), "{injected:?}");
    }
}
