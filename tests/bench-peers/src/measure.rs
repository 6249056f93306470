//! Time per read, of every candidate in turn, round after round: what the machine does meanwhile meets all of them alike.

use std::error::Error;
use std::hint;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, unconstrained};

use crate::holder::Holder;
use crate::issuer::Issuer;
use crate::report::Row;

/// How many tasks read the same token at once, each on a thread of its own.
pub(crate) const TASKS: [usize; 2] = [1, 2];

const ROUNDS: usize = 301;
/// How long a batch of reads takes, roughly: much longer than starting it, shorter than a turn of the system's scheduler.
const BATCH: Duration = Duration::from_micros(250);
/// The reads that tell how many make a batch, and that warm up what there is to warm up.
const TRIAL: u32 = 20_000;
/// How often a task looks for the others before it reads alone.
const LOOKS: usize = 10_000;
/// The part of a batch in which all its tasks read, at least.
const TOGETHER: f64 = 0.8;
/// How often a round tries to have such a batch.
const TRIES: usize = 40;
/// The batches that make a median, at least.
const ENOUGH: usize = 31;

/// When a task read its batch.
struct Span {
    start: Instant,
    end: Instant,
}

type Batch = dyn Fn(u32) -> Pin<Box<dyn Future<Output = Span> + Send>>;

/// One of those that are measured, with its token in it.
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    issuer: Issuer,
    batch: Box<Batch>,
}

impl Candidate {
    /// Sets it up and has it fetch its token.
    pub(crate) async fn new<H: Holder>(
        name: &'static str,
        hold: impl AsyncFnOnce(Issuer) -> Result<H, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let issuer = Issuer::default();
        let holder = Arc::new(hold(issuer.clone()).await?);
        let mut same = false;
        holder.read(|token| same = token == Issuer::token()).await;
        if !same {
            return Err(format!("{name} hands out another token than it was given").into());
        }
        Ok(Self { name, issuer, batch: Box::new(move |reads| Box::pin(batch(Arc::clone(&holder), reads))) })
    }

    /// Fails when it fetched its token more than once: then its cache is not what was read.
    fn check(&self) -> Result<(), String> {
        match self.issuer.asked() {
            1 => Ok(()),
            asked => Err(format!("{} asked for its token {asked} times: its cache was not read", self.name)),
        }
    }

    /// Nanoseconds per read, as each of so many tasks sees it; `None` when they did not read at the same time, because the
    /// machine had other things to do.
    async fn read_by(&self, tasks: usize, reads: u32) -> Option<f64> {
        let ready = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for _ in 0..tasks {
            let (ready, batch) = (Arc::clone(&ready), (self.batch)(reads));
            readers.spawn(async move {
                ready.fetch_add(1, Ordering::AcqRel);
                for _ in 0..LOOKS {
                    if ready.load(Ordering::Acquire) == tasks {
                        break;
                    }
                    hint::spin_loop();
                }
                // tokio would have the peers that use its locks yield after every 128 reads.
                unconstrained(batch).await
            });
        }
        let spans = readers.join_all().await;
        let all = spans.iter().map(|span| span.end).max()? - spans.iter().map(|span| span.start).min()?;
        let start = spans.iter().map(|span| span.start).max()?;
        let together = spans.iter().map(|span| span.end).min()?.saturating_duration_since(start);
        let times: Duration = spans.iter().map(|span| span.end - span.start).sum();
        (together >= all.mul_f64(TOGETHER)).then(|| times.as_secs_f64() * 1e9 / f64::from(reads) / tasks as f64)
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn batch<H: Holder>(holder: Arc<H>, reads: u32) -> Span {
    let start = Instant::now();
    for _ in 0..reads {
        holder.read(|token| _ = hint::black_box(token)).await;
    }
    Span { start, end: Instant::now() }
}

/// The medians of all rounds.
pub(crate) async fn all(candidates: &[Candidate]) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut reads = Vec::new();
    for candidate in candidates {
        let nanoseconds = candidate.read_by(1, TRIAL).await.unwrap_or(f64::MAX);
        candidate.check()?;
        reads.push(((BATCH.as_secs_f64() * 1e9 / nanoseconds) as u32).clamp(1_000, 1_000_000));
    }
    let mut times = vec![TASKS.map(|_| Vec::with_capacity(ROUNDS)); candidates.len()];
    for _ in 0..ROUNDS {
        for ((candidate, reads), times) in candidates.iter().zip(&reads).zip(&mut times) {
            for (tasks, times) in TASKS.into_iter().zip(times) {
                for _ in 0..TRIES {
                    if let Some(time) = candidate.read_by(tasks, *reads).await {
                        times.push(time);
                        break;
                    }
                }
            }
        }
    }
    candidates.iter().try_for_each(Candidate::check)?;
    if let Some(few) = times.iter().flatten().map(Vec::len).find(|batches| *batches < ENOUGH) {
        return Err(
            format!("the machine is too busy: only {few} batches of {ROUNDS} were read at the same time").into()
        );
    }
    let rows = candidates.iter().zip(times);
    Ok(rows.map(|(candidate, times)| Row { name: candidate.name, nanoseconds: times.map(median) }).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
