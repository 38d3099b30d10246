//! The emulator, and an environment that is planned and run against it.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use grid_act::simulated::SimulatedTime;
use grid_aws::{Aws, Credentials, Settings};
use grid_model::Timestamp;
use grid_tests::peers;

/// What every driver's suite does.
#[path = "../../../act/tests/world/mod.rs"]
pub(crate) mod world;

pub(crate) use world::{World, act, advice, allowed};

/// A moto that ends with the last test that uses it.
pub(crate) struct Moto {
    child: Child,
    pub(crate) endpoint: String,
    pub(crate) client: reqwest::Client,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moto's server with one fault of its MSK mended: moto 5.2.5 writes times without a zone there, which no SDK with types reads.
const MENDED: &str = "
import datetime
import moto.kafka.models as kafka
from moto.server import main
class Zoned(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz or datetime.timezone.utc)
kafka.datetime = Zoned
main()
";

/// The one moto of this process; why there is none if it is not installed.
pub(crate) async fn moto() -> anyhow::Result<Result<Arc<Moto>, String>> {
    static RUNNING: tokio::sync::Mutex<Weak<Moto>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut running = RUNNING.lock().await;
    if let Some(moto) = running.upgrade() {
        return Ok(Ok(moto));
    }
    let python = match peers::python_program("moto_server").and(peers::python_program("python")) {
        Ok(python) => python,
        Err(reason) => return Ok(Err(reason)),
    };
    let port = peers::free_port()?;
    let mut command = Command::new(python);
    command.args(["-c", MENDED, "-H", "127.0.0.1", "-p", &port.to_string()]);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start moto")?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let moto = Arc::new(Moto { child, endpoint, client });
    peers::until_ready(&moto.client, &format!("{}/moto-api/", moto.endpoint), Duration::from_secs(120)).await?;
    *running = Arc::downgrade(&moto);
    Ok(Ok(moto))
}

/// An executor in a region of the emulator. Its time passes only when somebody waits.
pub(crate) async fn aws(moto: &Moto, region: &str) -> Aws {
    let settings = Settings {
        endpoint_url: Some(moto.endpoint.clone()),
        credentials: Credentials::Keys { id: "test".to_owned(), secret: "test".to_owned() },
        calls_per_second: 1000.0,
        burst: 1000,
        // Moto lacks StartInstanceRefresh.
        refreshes: false,
        ..Settings::new(region, "shop-prod")
    };
    Aws::new(settings, Arc::new(SimulatedTime::at(Timestamp(0)))).await
}
