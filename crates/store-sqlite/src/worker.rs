//! The thread that has the connection, and how steps reach it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::oneshot;

use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::file::{Place, StoreFile};
use crate::steps::Steps;

/// A step, and what it is answered where the file cannot be had.
type Job = Box<dyn FnOnce(Result<&mut Steps<'_>, Trouble>) + Send>;

/// Hands steps to the thread. It ends, and closes the file, when the last clone is gone and what was handed to it is done.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    reopened: Arc<AtomicU64>,
}

impl Worker {
    /// Starts the thread and waits until it has opened the file.
    pub(crate) fn start(place: Place, clock: StoreClock) -> Result<Self, Trouble> {
        let (jobs, queue) = mpsc::channel();
        let (opened, is_open) = mpsc::sync_channel(1);
        let reopened = Arc::new(AtomicU64::new(0));
        let served = Served { place, clock, queue, reopened: Arc::clone(&reopened) };
        let work = move || served.run(&opened);
        thread::Builder::new().name("rampauth-sqlite".to_owned()).spawn(work).map_err(|_| Trouble::NoThread)?;
        is_open.recv().unwrap_or(Err(Trouble::Interrupted))?;
        Ok(Self { jobs, reopened })
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
                answer.send(steps.and_then(step)).ok();
            }
        });
        self.jobs.send(job).map_err(|_| Trouble::Interrupted)?;
        answered.await.unwrap_or(Err(Trouble::Interrupted))
    }

    /// How often the file was opened anew because its log was removed.
    pub(crate) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }
}

/// What the thread has to do.
struct Served {
    place: Place,
    clock: StoreClock,
    queue: mpsc::Receiver<Job>,
    reopened: Arc<AtomicU64>,
}

/// What the thread has of the file.
enum Held {
    Open(Box<StoreFile>),
    /// Its log or its shared memory is not the one at its path any more.
    Removed(Box<StoreFile>),
    /// It could not be opened anew.
    Closed,
}

impl Served {
    fn run(self, opened: &mpsc::SyncSender<Result<(), Trouble>>) {
        let mut held = match StoreFile::open(&self.place) {
            Ok(file) => Held::Open(file),
            Err(trouble) => return drop(opened.send(Err(trouble))),
        };
        opened.send(Ok(())).ok();
        // A step that came while the file could not be opened anew: it is tried once more for it.
        let mut waiting = None;
        loop {
            held = match held {
                Held::Open(file) => match self.serve(&file, &mut waiting) {
                    Ok(true) => return,
                    Ok(false) => Held::Removed(file),
                    Err(trouble) => match self.refuse(&mut waiting, trouble) {
                        true => Held::Open(file),
                        false => return,
                    },
                },
                lost => match self.reopen(lost) {
                    Ok(file) => Held::Open(file),
                    Err((lost, trouble)) => match self.refuse(&mut waiting, trouble) {
                        true => lost,
                        false => return,
                    },
                },
            };
        }
    }

    /// Carries out steps: `true` when no more can come, `false` when the file has to be opened anew.
    fn serve(&self, file: &StoreFile, waiting: &mut Option<Job>) -> Result<bool, Trouble> {
        let mut steps = Steps::prepare(file, self.reopened.load(Ordering::Relaxed), Arc::clone(&self.clock))?;
        while let Some(job) = waiting.take().or_else(|| self.queue.recv().ok()) {
            // A step that panics is rolled back and its caller told; the other sessions are served on.
            catch_unwind(AssertUnwindSafe(|| job(Ok(&mut steps)))).ok();
            if steps.lost_a_file() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn reopen(&self, held: Held) -> Result<Box<StoreFile>, (Held, Trouble)> {
        let file = match held {
            Held::Open(file) | Held::Removed(file) => {
                file.reopen(&self.place).map_err(|(file, trouble)| (file.map_or(Held::Closed, Held::Removed), trouble))
            }
            Held::Closed => StoreFile::open(&self.place).map_err(|trouble| (Held::Closed, trouble)),
        }?;
        self.reopened.fetch_add(1, Ordering::Relaxed);
        Ok(file)
    }

    /// Answers the step that waits, and waits for the next one; `false` when none can come.
    fn refuse(&self, waiting: &mut Option<Job>, trouble: Trouble) -> bool {
        if let Some(job) = waiting.take() {
            job(Err(trouble));
        }
        *waiting = self.queue.recv().ok();
        waiting.is_some()
    }
}
