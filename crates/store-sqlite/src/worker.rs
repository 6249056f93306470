//! The thread that has the connection, and how steps reach it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use rampauth_store::Replaced;
use tokio::sync::oneshot;

use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::file::StoreFile;
use crate::location::Location;
use crate::queue::{Job, Queue, Step, Turn};
use crate::row::Replace;
use crate::steps::Steps;

/// Hands steps to the thread. It ends, and closes the file, when the last clone is gone and what was handed to it is done.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    reopened: Arc<AtomicU64>,
}

impl Worker {
    /// Starts the thread and waits until it has opened the file.
    pub(crate) fn start(place: Location, clock: StoreClock) -> Result<Self, Trouble> {
        let (jobs, queue) = mpsc::channel();
        let (opened, is_open) = mpsc::sync_channel(1);
        let reopened = Arc::new(AtomicU64::new(0));
        let served = Served { place, clock, queue: Queue::new(queue), reopened: Arc::clone(&reopened) };
        let work = move || served.run(&opened);
        thread::Builder::new().name("rampauth-sqlite".to_owned()).spawn(work).map_err(|_| Trouble::NoThread)?;
        is_open.recv().unwrap_or(Err(Trouble::Interrupted))?;
        Ok(Self { jobs, reopened })
    }

    /// Has a replace carried out, in one transaction with those that wait beside it. Dropped before its turn, it is left out; from
    /// then on it goes on to its end.
    pub(crate) async fn replace(&self, replace: Replace) -> Result<Replaced, Trouble> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Step(Step { replace, answer })).map_err(|_| Trouble::Interrupted)?;
        answered.await.unwrap_or(Err(Trouble::Interrupted))
    }

    /// Has anything else done, under the same terms.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Steps<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (answer, answered) = oneshot::channel();
        let job: crate::queue::Work = Box::new(move |steps| {
            if !answer.is_closed() {
                // Nobody to tell: it is done all the same, and the record says so.
                answer.send(steps.and_then(work)).ok();
            }
        });
        self.jobs.send(Job::Work(job)).map_err(|_| Trouble::Interrupted)?;
        answered.await.unwrap_or(Err(Trouble::Interrupted))
    }

    /// How often the file was opened anew because its log was removed.
    pub(crate) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }
}

/// What the thread has to do.
struct Served {
    place: Location,
    clock: StoreClock,
    queue: Queue,
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
    fn run(mut self, opened: &mpsc::SyncSender<Result<(), Trouble>>) {
        let mut held = match StoreFile::open(&self.place) {
            Ok(file) => Held::Open(file),
            Err(trouble) => return drop(opened.send(Err(trouble))),
        };
        opened.send(Ok(())).ok();
        // While the file cannot be opened anew, it is tried once more for each job that comes.
        loop {
            held = match held {
                Held::Open(file) => match self.serve(&file) {
                    Ok(true) => return,
                    Ok(false) => Held::Removed(file),
                    Err(trouble) => match self.refuse(trouble) {
                        true => Held::Open(file),
                        false => return,
                    },
                },
                lost => match self.reopen(lost) {
                    Ok(file) => Held::Open(file),
                    Err((lost, trouble)) => match self.refuse(trouble) {
                        true => lost,
                        false => return,
                    },
                },
            };
        }
    }

    /// Does what there is to do: `true` when no more can come, `false` when the file has to be opened anew.
    fn serve(&mut self, file: &StoreFile) -> Result<bool, Trouble> {
        let mut steps = Steps::prepare(file, self.reopened.load(Ordering::Relaxed), Arc::clone(&self.clock))?;
        while self.queue.wait() {
            match self.queue.next() {
                // Work that panics is rolled back and its caller told; the other sessions are served on.
                Some(Turn::Work(work)) => drop(catch_unwind(AssertUnwindSafe(|| work(Ok(&mut steps))))),
                Some(Turn::Steps(group)) => {
                    let not_begun = carry_out(&mut steps, group);
                    self.queue.put_back(not_begun);
                }
                None => {}
            }
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

    /// Answers one that waits with this error, and waits for the next one; `false` when none can come.
    fn refuse(&mut self, trouble: Trouble) -> bool {
        match self.queue.next() {
            Some(Turn::Work(work)) => work(Err(trouble)),
            Some(Turn::Steps(mut group)) => {
                let first = group.remove(0);
                self.queue.put_back(group);
                first.answer.send(Err(trouble)).ok();
            }
            None => {}
        }
        self.queue.wait()
    }
}

/// Carries out replaces, all with one flush where that can be done, and only then answers any of them. Gives back those that were not
/// begun, because the file has to be opened anew.
fn carry_out(steps: &mut Steps<'_>, group: Vec<Step>) -> Vec<Step> {
    if group.len() > 1 {
        let each = group.iter().map(|step| &step.replace);
        let together = catch_unwind(AssertUnwindSafe(|| steps.replace_together(each)));
        match together {
            Ok(Ok(answers)) => {
                group.into_iter().zip(answers).for_each(|(step, answer)| drop(step.answer.send(answer)));
                return Vec::new();
            }
            // Each of them would wait as long for the lock.
            Ok(Err(trouble)) if trouble.is_busy() => {
                group.into_iter().for_each(|step| drop(step.answer.send(Err(Trouble::Busy))));
                return Vec::new();
            }
            // They may have been carried out, in a log that is gone.
            Ok(Err(Trouble::Removed(which))) => {
                group.into_iter().for_each(|step| drop(step.answer.send(Err(Trouble::Removed(which)))));
                return Vec::new();
            }
            // What is in the way of one is not to be in the way of the others.
            Ok(Err(_)) | Err(_) => {}
        }
    }
    let mut group = group.into_iter();
    for Step { replace, answer } in group.by_ref() {
        // A step that panics is rolled back and its caller told.
        if let Ok(done) = catch_unwind(AssertUnwindSafe(|| steps.replace(&replace))) {
            answer.send(done).ok();
        }
        if steps.lost_a_file() {
            break;
        }
    }
    group.collect()
}
