//! What a runner hears when the cloud is slow, busy, away or says no: from a server that answers so.

use std::sync::Arc;
use std::time::Duration;

use grid_act::Executor;
use grid_act::executor::CloudError;
use grid_act::simulated::SimulatedTime;
use grid_aws::{Aws, Credentials, Settings};
use grid_model::Timestamp;
use grid_model::time::SECOND_NS;
use grid_plan::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that answers every request in one way, and counts them.
async fn server(answer: Option<&'static str>) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asked = count.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 * 1024];
                while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    match answer {
                        Some("hang up") => return,
                        Some(text) => drop(socket.write_all(text.as_bytes()).await),
                        None => tokio::time::sleep(Duration::from_secs(60)).await,
                    }
                }
            });
        }
    });
    (url, count)
}

async fn ask(url: &str) -> CloudError {
    let settings = Settings {
        endpoint_url: Some(url.to_owned()),
        credentials: Credentials::Keys { id: "test".to_owned(), secret: "test".to_owned() },
        timeout_ns: SECOND_NS,
        ..Settings::new("eu-central-1", "shop")
    };
    let cloud = Aws::new(settings, Arc::new(SimulatedTime::at(Timestamp(0)))).await;
    cloud.read(&Address::parse("block_disk.a").unwrap(), "vol-1").await.unwrap_err()
}

fn answer(status: &str, headers: &str, code: &str) -> &'static str {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>said</Message></Error></Errors><RequestID>1</RequestID></Response>"
    );
    format!("HTTP/1.1 {status}\r\ncontent-type: text/xml\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
        .leak()
}

#[tokio::test]
async fn what_a_runner_hears() {
    for (said, expected, times) in [
        (Some(answer("503 Busy", "retry-after: 7\r\n", "RequestLimitExceeded")), "again in 7 s", 1),
        (Some(answer("400 Bad", "", "Throttling")), "again", 1),
        (Some(answer("400 Bad", "", "IncorrectState")), "again in 15 s", 1),
        (Some(answer("500 Oops", "", "InternalError")), "lost", 1),
        (Some(answer("403 No", "", "UnauthorizedOperation")), "refused", 1),
        (Some("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<odd>"), "lost", 1),
        (Some("hang up"), "lost", 1),
        (None, "lost", 1),
    ] {
        let (url, count) = server(said).await;
        let error = ask(&url).await;
        let shown = match &error {
            CloudError::Again { after_ns: Some(ns), .. } => format!("again in {} s", ns / SECOND_NS),
            CloudError::Again { .. } => "again".to_owned(),
            CloudError::Lost(_) => "lost".to_owned(),
            CloudError::Refused(_) | CloudError::Owned { .. } => "refused".to_owned(),
            CloudError::Unsupported { .. } => "unsupported".to_owned(),
        };
        assert_eq!(shown, expected, "{said:?}: {error}");
        assert!(error.to_string().contains("DescribeVolumes"), "it says which call: {error}");
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), times, "the SDK tries nothing twice: {said:?}");
    }
    // Nobody is there.
    let error = ask("http://127.0.0.1:9").await;
    assert!(matches!(error, CloudError::Lost(_)), "{error}");
}
