//! The thread that has the connection, and how steps reach it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::file::StoreFile;
use crate::steps::Steps;

type Job = Box<dyn FnOnce(&mut Steps<'_>) + Send>;

/// Hands steps to the thread. It ends, and closes the file, when the last clone is gone and what was handed to it is done.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Starts the thread and waits until it has opened the file.
    pub(crate) fn start(path: PathBuf, busy_timeout: Duration, clock: StoreClock) -> Result<Self, Trouble> {
        let (jobs, queue) = mpsc::channel();
        let (opened, is_open) = mpsc::sync_channel(1);
        let work = move || {
            if let Err(trouble) = serve(path, busy_timeout, clock, &opened, queue) {
                opened.send(Err(trouble)).ok();
            }
        };
        thread::Builder::new().name("rampauth-sqlite".to_owned()).spawn(work).map_err(|_| Trouble::NoThread)?;
        is_open.recv().unwrap_or(Err(Trouble::Interrupted))?;
        Ok(Self { jobs })
    }

    /// Has a step carried out. Dropped before its turn, it is left out; from then on it goes on to its end.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Steps<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |steps| {
            if !answer.is_closed() {
                // Nobody to tell: the step is done all the same, and the record says so.
                answer.send(step(steps)).ok();
            }
        });
        self.jobs.send(job).map_err(|_| Trouble::Interrupted)?;
        answered.await.unwrap_or(Err(Trouble::Interrupted))
    }
}

fn serve(
    path: PathBuf,
    busy_timeout: Duration,
    clock: StoreClock,
    opened: &mpsc::SyncSender<Result<(), Trouble>>,
    queue: mpsc::Receiver<Job>,
) -> Result<(), Trouble> {
    let (connection, file) = StoreFile::open(path, busy_timeout)?;
    let mut steps = Steps::prepare(&connection, &file, clock)?;
    opened.send(Ok(())).ok();
    for job in queue {
        // A step that panics is rolled back and its caller told; the other sessions are served on.
        catch_unwind(AssertUnwindSafe(|| job(&mut steps))).ok();
    }
    Ok(())
}
