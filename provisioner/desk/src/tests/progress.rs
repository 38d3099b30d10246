//! What listeners hear, and when.

use serde_json::json;
use tokio::sync::broadcast::error::TryRecvError;

use super::{Bed, by, tenant};
use crate::Progress;

#[tokio::test]
async fn whoever_hears_of_it_reads_it_too_and_hears_of_the_end() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    // Reads what it hears of, as it hears it.
    let (mut live, desk) = (bed.desk.listen(), bed.desk.clone());
    let reader = tokio::spawn(async move {
        let mut heard: Vec<Progress> = Vec::new();
        loop {
            let progress = live.recv().await.unwrap();
            let release = desk.release(&tenant(), &progress.release).await.unwrap();
            let events = release["events"].as_array().unwrap();
            let is_there = events.iter().any(|e| e["what"] == progress.what && e["text"] == progress.text);
            assert!(is_there || progress.what == "step", "{progress:?} is not in {events:#?}");
            assert!(!progress.is_last || !release["ended"].is_null(), "{progress:?} is the last of {release:#}");
            let is_last = progress.is_last;
            heard.push(progress);
            if is_last {
                return heard;
            }
        }
    });
    bed.submit("ada").await.unwrap();
    let heard = reader.await.unwrap();
    let words: Vec<&str> = heard.iter().map(|p| p.what.as_str()).collect();
    assert_eq!((words[0], words[words.len() - 1]), ("submitted", "ended"), "{words:?}");
    assert_eq!(heard.iter().filter(|p| p.is_last).count(), 1);

    // What is cancelled has ended too.
    let gates = json!([{ "name": "people", "kind": "approval" }]);
    let settings = serde_json::from_value(json!({ "gates": gates })).unwrap();
    bed.desk.set(&tenant(), "prod", &by("ada"), settings).await.unwrap();
    let written = json!({ "target": "vm.web", "path": "disk_gib", "to": 50 });
    bed.desk.write(&tenant(), "prod", &by("ada"), serde_json::from_value(written).unwrap()).await.unwrap();
    assert_eq!(bed.submit("ada").await.unwrap()["state"], "waiting");
    let mut live = bed.desk.listen();
    bed.desk.cancel(&tenant(), "prod-2", &by("ada"), "no").await.unwrap();
    let last = live.try_recv().unwrap();
    assert_eq!((last.what.as_str(), last.is_last), ("cancelled", true));
    assert!(matches!(live.try_recv(), Err(TryRecvError::Empty)));
}
