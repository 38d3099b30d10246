//! Mail by SMTP, over TLS by rustls.

use std::time::{Duration, SystemTime};

use grid_model::Timestamp;
use grid_notify_policy::receiver::Email;
use grid_notify_policy::shape::email::Mail;
use lettre::Message;
use lettre::message::{Mailbox, Mailboxes, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;

use super::Sent;
use super::smtp::{self, SmtpStream};

/// Refusals that whoever runs the server may mend: authentication (RFC 4954, 6).
const AUTH_CODES: [u16; 5] = [454, 530, 534, 535, 538];

pub(super) async fn send(
    email: &Email,
    password: Option<String>,
    mail: &Mail,
    id: &str,
    now: Timestamp,
    timeout: Duration,
) -> Sent {
    let message = match message(email, mail, id, now) {
        Ok(message) => message,
        Err(e) => return Sent::refused(None, e),
    };
    let stream = match tokio::time::timeout(timeout, smtp::connect(email)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => return Sent::failed(None, super::http::chain(&e)),
        Err(_) => return Sent::failed(None, "connecting took too long"),
    };
    // A mail is several commands and may have a longer body than others.
    match tokio::time::timeout(timeout.saturating_mul(2), talk(email, password, stream, &message)).await {
        Ok(Ok(status)) => Sent::delivered(Some(status)),
        Ok(Err(Broken::Plain)) => Sent::failed(None, "the server offers no TLS, and a password is not sent without it"),
        Ok(Err(Broken::Smtp(e))) => {
            let status = e.status().map(u16::from);
            let text = super::http::chain(&e);
            let mends = status.is_some_and(|s| AUTH_CODES.contains(&s));
            if e.is_permanent() && !mends { Sent::refused(status, text) } else { Sent::failed(status, text) }
        }
        Err(_) => Sent::failed(None, "it took too long"),
    }
}

/// Why a mail was not sent.
enum Broken {
    Plain,
    Smtp(lettre::transport::smtp::Error),
}

async fn talk(email: &Email, password: Option<String>, stream: SmtpStream, message: &Message) -> Result<u16, Broken> {
    let secure = stream.is_encrypted() || stream.is_local();
    let hello = ClientId::Domain(email.hello.clone());
    let mut connection =
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.map_err(Broken::Smtp)?;
    if let (Some((username, _)), Some(password)) = (&email.auth, password) {
        if !secure {
            return Err(Broken::Plain);
        }
        let credentials = Credentials::new(username.clone(), password);
        connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(Broken::Smtp)?;
    }
    let response = connection.send(message.envelope(), &message.formatted()).await.map_err(Broken::Smtp)?;
    // It has the mail; how it says goodbye does not matter.
    let _ = connection.quit().await;
    Ok(u16::from(response.code()))
}

fn message(email: &Email, mail: &Mail, id: &str, now: Timestamp) -> Result<Message, String> {
    let from: Mailbox = email.from.parse().map_err(|e| format!("from: {e}"))?;
    let to: Mailboxes = email.to.parse().map_err(|e| format!("to: {e}"))?;
    let since = Duration::from_nanos(u64::try_from(now.0).unwrap_or(0));
    let mut builder = Message::builder()
        .from(from)
        .subject(&mail.subject)
        // The same over all attempts, so that mail programs show a mail once that was sent twice.
        .message_id(Some(format!("<{id}@grid>")))
        .date(SystemTime::UNIX_EPOCH + since);
    for mailbox in to {
        builder = builder.to(mailbox);
    }
    let parts = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    builder.multipart(parts).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_has_its_headers_and_both_texts() {
        let email = Email {
            to: "Ops <ops@example.org>, boss@example.org".to_owned(),
            from: "grid@example.org".to_owned(),
            host: "mail.example.org".to_owned(),
            port: 587,
            hello: "localhost".to_owned(),
            auth: None,
            require_tls: true,
            implicit_tls: false,
            subject: None,
        };
        let mail = Mail { subject: "[FIRING:1] A".to_owned(), text: "text".to_owned(), html: "<p>html</p>".to_owned() };
        let text = String::from_utf8(message(&email, &mail, "msg_1", Timestamp(0)).unwrap().formatted()).unwrap();
        for line in [
            "From: grid@example.org",
            "Ops <ops@example.org>, boss@example.org",
            "Subject: [FIRING:1] A",
            "Message-ID: <msg_1@grid>",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "multipart/alternative",
            "<p>html</p>",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let wrong = Email { to: "nobody".to_owned(), ..email };
        assert!(message(&wrong, &mail, "m", Timestamp(0)).unwrap_err().starts_with("to: "));
    }
}
