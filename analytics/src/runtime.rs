//! The threads on which queries run: never those that serve sockets, which a long sort would starve.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A runtime of its own; its tasks are abandoned when it is dropped.
#[derive(Debug)]
pub(crate) struct QueryRuntime {
    runtime: Option<Runtime>,
    threads: usize,
}

impl QueryRuntime {
    /// `threads`: 0 = one per core.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            n => n,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            // Reads of local files; DataFusion's own work stays on the workers.
            .max_blocking_threads(threads * 4)
            .thread_name("grid-query")
            // Deeply nested statements are planned by recursion.
            .thread_stack_size(8 << 20)
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime), threads })
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.as_ref().map(|r| r.spawn(future))
    }
}

impl Drop for QueryRuntime {
    /// Without waiting: waiting is forbidden where an async task drops the engine.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
