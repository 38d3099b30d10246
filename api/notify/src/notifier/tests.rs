use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::extract::State as Shown;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use grid_model::time::{MINUTE_NS, SECOND_NS};
use grid_notify_policy::message::Status;
use grid_notify_policy::sign::SigningKey;
use grid_notify_policy::{Matcher, Message, Silence, matcher::Op};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::*;
use crate::keep::{DeliveryState, DeliveryWanted};
use crate::webhook::WebhookSetting;

/// A receiver: what it got, and what it answers.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    got: Arc<parking_lot::Mutex<Vec<(HeaderMap, String)>>>,
    answer: Arc<AtomicU16>,
}

/// What a receiver answers never.
const HANG: u16 = 0;

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            answer: Arc::new(AtomicU16::new(200)),
        };
        let take = async |Shown(this): Shown<Self>, headers: HeaderMap, body: String| {
            let answer = this.answer.load(Ordering::Relaxed);
            if answer == HANG {
                std::future::pending::<()>().await;
            }
            this.got.lock().push((headers, body));
            StatusCode::from_u16(answer).unwrap()
        };
        let router = axum::Router::new().fallback(post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn messages(&self) -> Vec<Message> {
        self.got.lock().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }
}

#[allow(clippy::disallowed_methods, reason = "a test plays the world, which has a clock")]
fn clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_nanos()).unwrap())
    })
}

/// A notifier in a folder, running until it is dropped.
struct Play {
    notifier: Notifier,
    token: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    path: PathBuf,
    config: String,
    options: Options,
}

impl Play {
    async fn start(path: PathBuf, config: &str, options: Options) -> Self {
        let parsed = if config.is_empty() { Config::default() } else { Config::parse(config).unwrap() };
        let notifier = Notifier::open(&path, parsed, options.clone(), clock()).await.unwrap();
        let token = CancellationToken::new();
        let (of, until) = (notifier.clone(), token.clone());
        let task = tokio::spawn(async move { of.run(until).await });
        Self { notifier, token, task, path, config: config.to_owned(), options }
    }

    /// As a kill would: nothing is finished, nothing is said.
    async fn crash(self) -> Self {
        self.task.abort();
        let _ = self.task.await;
        drop(self.notifier);
        Self::start(self.path, &self.config, self.options).await
    }

    async fn stop(self) {
        self.token.cancel();
        self.task.await.unwrap();
    }
}

fn quick() -> Options {
    Options {
        attempt_timeout: Duration::from_millis(400),
        retry: RetryPolicy { first_ns: SECOND_NS / 50, most_ns: SECOND_NS / 10, ..RetryPolicy::default() },
        guard: AddressGuard { allowed: vec!["127.0.0.0/8".parse().unwrap()] },
        external_url: "https://grid.example".to_owned(),
        ..Options::default()
    }
}

fn eager(url: &str) -> WebhookSetting {
    WebhookSetting { wait_ns: 0, interval_ns: SECOND_NS, ..WebhookSetting::new("ops", url) }
}

fn alert(name: &str, i: usize) -> Alert {
    let labels = [("alertname", name.to_owned()), ("i", i.to_string())];
    Alert { labels: labels.map(|(n, v)| (n.to_owned(), v)).into(), ..Alert::default() }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

async fn until(what: &str, check: impl AsyncFn() -> bool) {
    // Long, since attempts on a machine that is busy time out and are made again.
    for _ in 0..6000 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never came");
}

#[tokio::test]
async fn an_alert_is_delivered_signed_and_seen_and_so_is_its_end() {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let play = Play::start(dir.path().join("alerts.db"), "", quick()).await;
    let (webhook, secret) =
        play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", None).await.unwrap();
    let taken = play.notifier.take(&tenant(), vec![alert("A", 1), Alert::default()]).await.unwrap();
    assert_eq!((taken.accepted, taken.refused), (1, vec![(1, AlertError::NoLabels)]));
    until("the alert", async || receiver.got.lock().len() == 1).await;

    let (headers, body) = receiver.got.lock()[0].clone();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = SigningKey::parse(&secret.unwrap()).unwrap();
    let seconds = text("webhook-timestamp").parse().unwrap();
    assert_eq!(text("webhook-signature"), key.sign(&text("webhook-id"), seconds, body.as_bytes()));
    let message = &receiver.messages()[0];
    assert_eq!((message.status, message.receiver.as_str(), message.version.as_str()), (Status::Firing, "ops", "4"));

    let delivered = DeliveryWanted { state: Some(DeliveryState::Delivered), ..DeliveryWanted::default() };
    until("the record", async || play.notifier.deliveries(&tenant(), &delivered, 9).await.unwrap().len() == 1).await;
    let record = play.notifier.deliveries(&tenant(), &delivered, 9).await.unwrap().remove(0);
    assert_eq!((record.status, record.attempts, &record.message_id), (Some(200), 1, &text("webhook-id")));
    assert_eq!(record.target, webhook.target());

    let over = Alert { ends_at: Some(play.notifier.now()), starts_at: Timestamp(1), ..alert("A", 1) };
    play.notifier.take(&tenant(), vec![over]).await.unwrap();
    until("its end", async || receiver.got.lock().len() == 2).await;
    assert_eq!(receiver.messages()[1].status, Status::Resolved);
    play.stop().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_in_order_over_crashes_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (ill, well) = (Receiver::start().await, Receiver::start().await);
    let mut play = Play::start(dir.path().join("alerts.db"), "", quick()).await;
    for receiver in [&ill, &well] {
        play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", None).await.unwrap();
    }
    ill.answer.store(HANG, Ordering::Relaxed);
    for i in 0..3 {
        play.notifier.take(&tenant(), vec![alert("A", i), alert("B", i)]).await.unwrap();
        until("the well one", async || well.got.lock().len() == 2 * (i + 1)).await;
        play = play.crash().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ill.answer.store(503, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let failed = ill.got.lock().len();
    assert!(failed > 0);
    ill.got.lock().clear();
    ill.answer.store(200, Ordering::Relaxed);
    until("the ill one", async || ill.got.lock().len() >= 6).await;
    let counts = |name: &str| {
        let of = ill.messages().into_iter().filter(|m| m.group_labels["alertname"] == name);
        of.map(|m| m.alerts.len()).collect::<Vec<_>>()
    };
    assert_eq!((counts("A"), counts("B")), (vec![1, 2, 3], vec![1, 2, 3]));
    play.stop().await;
}

#[tokio::test]
async fn refused_messages_are_dead_letters_that_can_be_replayed() {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let play = Play::start(dir.path().join("alerts.db"), "", quick()).await;
    receiver.answer.store(422, Ordering::Relaxed);
    let made = play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", None).await.unwrap();
    play.notifier.take(&tenant(), vec![alert("A", 1)]).await.unwrap();
    let dead = DeliveryWanted { state: Some(DeliveryState::Dead), ..DeliveryWanted::default() };
    until("the dead letter", async || play.notifier.deliveries(&tenant(), &dead, 9).await.unwrap().len() == 1).await;
    let letter = play.notifier.deliveries(&tenant(), &dead, 9).await.unwrap().remove(0);
    assert_eq!((letter.status, letter.error.as_deref()), (Some(422), Some("it answered 422")));
    let other = TenantId::parse("other").unwrap();
    assert!(play.notifier.replay(&other, Some(letter.id), None).await.is_err());
    assert_eq!(play.notifier.replay(&other, None, None).await.unwrap(), Replayed { queued: 0 });
    receiver.answer.store(200, Ordering::Relaxed);
    assert_eq!(play.notifier.replay(&tenant(), None, Some(&made.0.target())).await.unwrap(), Replayed { queued: 1 });
    until("the replay", async || receiver.got.lock().len() == 2).await;
    let ids: Vec<String> =
        receiver.got.lock().iter().map(|(h, _)| h["webhook-id"].to_str().unwrap().to_owned()).collect();
    assert_eq!(ids[0], ids[1], "receivers can tell that it is the same");
    assert_eq!(play.notifier.receivers(&tenant()).await.unwrap()[0].dead, 0);

    // Gone for good.
    receiver.answer.store(410, Ordering::Relaxed);
    play.notifier.take(&tenant(), vec![alert("Z", 1)]).await.unwrap();
    until("the end", async || !play.notifier.webhooks(&tenant()).await[0].setting.enabled).await;
    play.stop().await;
}

#[tokio::test]
async fn addresses_inside_are_not_called() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let play =
        Play::start(dir.path().join("alerts.db"), "", Options { guard: AddressGuard::default(), ..quick() }).await;
    let refused = play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", None).await;
    assert!(matches!(refused, Err(NotifyError::Webhook(_))));
    // A name gets past the first look, not past the second.
    let url = format!("http://localhost:{}/hook", receiver.address.port());
    let (webhook, _) = play.notifier.add_webhook(&tenant(), eager(&url), None, "ada", None).await.unwrap();
    let tried = play.notifier.test_webhook(&tenant(), &webhook.id).await.unwrap();
    assert!(!tried.delivered && tried.error.unwrap().contains("the address is not public"));
    assert!(receiver.got.lock().is_empty());
    play.stop().await;
}

#[tokio::test]
async fn silences_and_webhooks_survive_and_requests_can_be_repeated() {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let mut play = Play::start(dir.path().join("alerts.db"), "", quick()).await;
    let silence = Silence {
        id: String::new(),
        matchers: vec![Matcher::new("i", Op::Equal, "1").unwrap()],
        starts_at: Timestamp(0),
        ends_at: play.notifier.now().saturating_add(MINUTE_NS),
        created_by: "ada".to_owned(),
        comment: "work".to_owned(),
        updated_at: Timestamp(0),
    };
    let made = play.notifier.put_silence(&tenant(), silence.clone(), Some("k1")).await.unwrap();
    assert_eq!(play.notifier.put_silence(&tenant(), silence.clone(), Some("k1")).await.unwrap().id, made.id);
    let other = Silence { comment: "play".to_owned(), ..silence };
    assert!(matches!(play.notifier.put_silence(&tenant(), other, Some("k1")).await, Err(NotifyError::KeyReused(_))));
    let (webhook, secret) =
        play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", Some("k2")).await.unwrap();
    let again = play.notifier.add_webhook(&tenant(), eager(&receiver.url()), None, "ada", Some("k2")).await.unwrap();
    assert_eq!((again.0.id, again.1), (webhook.id.clone(), None));
    let (_, rotated) = play.notifier.rotate_webhook(&tenant(), &webhook.id, None, "ada").await.unwrap();
    play = play.crash().await;
    play.notifier.take(&tenant(), vec![alert("A", 1), alert("A", 2)]).await.unwrap();
    until("the loud one", async || receiver.got.lock().len() == 1).await;
    assert_eq!(receiver.messages()[0].alerts[0].labels["i"], "2");
    let (headers, body) = receiver.got.lock()[0].clone();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let seconds = text("webhook-timestamp").parse().unwrap();
    let both = [rotated, secret.unwrap()]
        .map(|s| SigningKey::parse(&s).unwrap().sign(&text("webhook-id"), seconds, body.as_bytes()));
    assert_eq!(text("webhook-signature"), both.join(" "));
    let view = play.notifier.alerts(&tenant()).await;
    assert_eq!(view.iter().map(|v| v.silenced_by.len()).collect::<Vec<_>>(), [1, 0]);
    play.notifier.expire_silence(&tenant(), &made.id).await.unwrap();
    until("the other one", async || receiver.got.lock().len() == 2).await;
    play.notifier.delete_webhook(&tenant(), &webhook.id).await.unwrap();
    assert!(play.notifier.webhook(&tenant(), &webhook.id).await.is_err());
    let copy = dir.path().join("copy.db");
    play.notifier.copy_to(&copy).await.unwrap();
    let restored = Notifier::open(&copy, Config::default(), quick(), clock()).await.unwrap();
    assert_eq!(restored.silences(&tenant()).await.len(), 1);
    play.stop().await;
}

#[tokio::test]
async fn mail_goes_out_by_smtp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails: Arc<parking_lot::Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&mails);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await.unwrap();
            let (mut data, mut mail) = (false, String::new());
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: &[u8] = match line.as_str() {
                    "." if data => {
                        data = false;
                        kept.lock().push(std::mem::take(&mut mail));
                        b"250 taken\r\n"
                    }
                    _ if data => {
                        mail.push_str(&line);
                        mail.push('\n');
                        continue;
                    }
                    "DATA" => {
                        data = true;
                        b"354 go on\r\n"
                    }
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 fine\r\n",
                };
                write.write_all(answer).await.unwrap();
            }
        }
    });
    let config = format!(
        "route: {{receiver: ops, group_wait: 0s, group_by: [alertname]}}\nreceivers:\n- name: ops\n  email_configs:\n  \
         - {{to: ops@example.org, from: grid@example.org, smarthost: '127.0.0.1:{port}', require_tls: false}}\n"
    );
    let dir = tempfile::tempdir().unwrap();
    let play = Play::start(dir.path().join("alerts.db"), &config, quick()).await;
    play.notifier.take(&tenant(), vec![alert("A", 1)]).await.unwrap();
    until("the mail", async || mails.lock().len() == 1).await;
    let mail = mails.lock()[0].clone();
    assert!(mail.contains("Subject: [FIRING:1] A (1)") && mail.contains("To: ops@example.org"), "{mail}");
    play.stop().await;
}

#[tokio::test]
async fn alertmanagers_are_sent_every_alert_until_they_take_it() {
    let (ill, well) = (Receiver::start().await, Receiver::start().await);
    ill.answer.store(500, Ordering::Relaxed);
    let urls = [&ill, &well].map(|r| relay::endpoint(&format!("http://{}/", r.address)).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let options = Options { alertmanagers: urls.into(), ..quick() };
    let play = Play::start(dir.path().join("alerts.db"), "", options).await;
    play.notifier.take(&tenant(), vec![alert("A", 1), alert("B", 1)]).await.unwrap();
    until("the alerts", async || !well.got.lock().is_empty() && !ill.got.lock().is_empty()).await;
    let alerts: Vec<serde_json::Value> = serde_json::from_str(&well.got.lock()[0].1).unwrap();
    let mut names: Vec<&str> = alerts.iter().filter_map(|a| a["labels"]["alertname"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "B"]);
    until("the trouble", async || play.notifier.receivers(&tenant()).await.unwrap().iter().any(|r| r.failing)).await;
    let over = Alert { ends_at: Some(play.notifier.now()), starts_at: Timestamp(1), ..alert("A", 1) };
    play.notifier.take(&tenant(), vec![over]).await.unwrap();
    until("its end", async || well.got.lock().len() == 2).await;
    ill.got.lock().clear();
    ill.answer.store(200, Ordering::Relaxed);
    until("the ill one", async || !ill.got.lock().is_empty()).await;
    let alerts: Vec<serde_json::Value> = serde_json::from_str(&ill.got.lock()[0].1).unwrap();
    assert_eq!(alerts.len(), 2, "what holds now, and nothing of what was missed");
    play.stop().await;
}
