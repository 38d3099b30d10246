//! Mail by SMTP, over TLS by rustls.

use std::time::{Duration, SystemTime};

use grid_model::Timestamp;
use grid_notify_policy::receiver::Email;
use grid_notify_policy::shape::email::Mail;
use lettre::message::{Mailbox, Mailboxes, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::Sent;

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
    let parameters = match TlsParameters::new(email.host.clone()) {
        Ok(parameters) => parameters,
        Err(e) => return Sent::failed(None, e.to_string()),
    };
    let tls = match (email.implicit_tls, email.require_tls) {
        (true, _) => Tls::Wrapper(parameters),
        (false, true) => Tls::Required(parameters),
        (false, false) => Tls::Opportunistic(parameters),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.host)
        .port(email.port)
        .tls(tls)
        .hello_name(ClientId::Domain(email.hello.clone()))
        .timeout(Some(timeout));
    if let (Some((username, _)), Some(password)) = (&email.auth, password) {
        transport = transport.credentials(Credentials::new(username.clone(), password));
    }
    // The library's own limit is per command; a server that trickles must not hold us longer either.
    let whole = timeout.saturating_mul(3);
    match tokio::time::timeout(whole, transport.build().send(message)).await {
        Ok(Ok(response)) => Sent::delivered(Some(u16::from(response.code()))),
        Ok(Err(e)) => {
            let status = e.status().map(u16::from);
            let text = super::http::chain(&e);
            let mends = status.is_some_and(|s| AUTH_CODES.contains(&s));
            if e.is_permanent() && !mends { Sent::refused(status, text) } else { Sent::failed(status, text) }
        }
        Err(_) => Sent::failed(None, "it took too long"),
    }
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
