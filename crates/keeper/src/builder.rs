//! What a keeper is told when it is set up.

use std::fmt;
use std::sync::{Arc, Once, RwLock};
use std::time::Duration;

use rampauth_core::{Clock, Error, Refresh};
use rampauth_store::{OwnerId, SessionKey, Store};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::steady::Steady;
use crate::clock::wall::WallClock;
use crate::context::{KeeperContext, Options, random};
use crate::generic::permits::PermitsByProvider;
use crate::generic::registry::Registry;
use crate::generic::schedule::Schedule;
use crate::keeper::Keeper;
use crate::metrics;
use crate::plan::backoff::Pauses;
use crate::plan::policy::FAILING_AFTER;
use crate::state::session::{SessionState, Sessions};
use crate::sweep::{Providers, sweep};
use crate::tokens::sealing::SealingKeys;

/// The longest deadline or pause that is counted with: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl Keeper {
    /// A keeper over this store.
    pub fn builder(store: impl Store + 'static) -> KeeperBuilder {
        KeeperBuilder::new(Arc::new(store))
    }
}

/// Sets up a [`Keeper`].
#[must_use]
pub struct KeeperBuilder {
    store: Arc<dyn Store>,
    sealing: Option<SealingKeys>,
    accept_unsealed: bool,
    clock: WallClock,
    request: Duration,
    save: Duration,
    floor: Pauses,
    failing_after: u32,
    concurrent_attempts: usize,
    on_demand: bool,
    providers: Option<Providers>,
}

impl KeeperBuilder {
    fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            sealing: None,
            accept_unsealed: false,
            clock: WallClock::Machine,
            request: Duration::from_secs(35),
            save: Duration::from_secs(5),
            floor: Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(3_600) },
            failing_after: FAILING_AFTER,
            concurrent_attempts: 64,
            on_demand: false,
            providers: None,
        }
    }

    /// Seals the tokens in the store with these keys. What is there unsealed stays readable, and is sealed when it is saved
    /// next; [`reseal`](crate::reseal()) does so at once.
    ///
    /// Tokens that are sealed with another key are an error of kind [`Config`](rampauth_core::ErrorKind::Config), which names
    /// that key's id; they are neither presented nor overwritten, and other sessions go on.
    pub fn sealing(mut self, keys: SealingKeys) -> Self {
        self.sealing = Some(keys);
        self
    }

    /// Says that tokens are stored unsealed on purpose. Without it and without keys, the first that are written to a store that
    /// outlives the process are warned of, once.
    pub fn accept_unsealed(mut self) -> Self {
        self.accept_unsealed = true;
        self
    }

    /// Takes the time from `clock`: when tokens are due and whether they are usable. By default the machine's wall clock, on
    /// Linux the one that goes on with the timer's interrupt, every 1 to 10 ms, and costs next to nothing to read.
    ///
    /// A jump of a clock that is given, as a test makes it, is seen within a tenth of a second, or where tokio's time is paused within
    /// half a minute of that; one of the machine's clock within half a minute.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = WallClock::Given(Arc::new(clock));
        self
    }

    /// How long one presentation may take, from sending to the whole answer. Default 35 s: longer than the HTTP client's own
    /// limit, which tells more when it is the first to end.
    pub fn request_deadline(mut self, deadline: Duration) -> Self {
        self.request = deadline;
        self
    }

    /// How long one step in the store may take. Default 5 s, which is longer than `rampauth-store-sqlite` waits for a locked file
    /// (4 s): a store's own error tells more when it is the first to end. A claim lasts for a presentation and two such steps:
    /// claiming and saving.
    pub fn save_deadline(mut self, deadline: Duration) -> Self {
        self.save = deadline;
        self
    }

    /// The pause after a first failure, doubled with each one after it up to `most`; how much of it is waited is random.
    /// Default 1 s and one hour. Nothing is presented meanwhile; what other processes store is seen all the same, looked for
    /// once a second at most and for callers who need it. Where it is the store that failed, 5 s are the most.
    pub fn floor(mut self, first: Duration, most: Duration) -> Self {
        self.floor = Pauses { first, longest: most };
        self
    }

    /// After how many refusals in a row, 1 at least, a session without a usable access token is *failing*: its token is probably dead,
    /// although the provider does not say so. From then on it is tried once for each of the longest pauses, other callers are told at
    /// once that nothing was sent ([`Refused`](rampauth_core::ErrorKind::Refused) and
    /// [`NotSent`](rampauth_core::Outcome::NotSent)), and [`EventKind::Failing`](crate::EventKind::Failing) is told. Default 10.
    pub fn failing_after(mut self, refusals: u32) -> Self {
        self.failing_after = refusals.max(1);
        self
    }

    /// How many attempts may be under way at a time at one provider and environment, 1 at least. Default 64. The others wait for
    /// their turn: a credential that dies within one attempt first, then those that callers wait for, then the rest, the nearest
    /// expiry first. A quarter is kept for the first two.
    ///
    /// A process that is killed leaves no more attempts in doubt than this, however many sessions were due together.
    pub fn concurrent_attempts(mut self, most: usize) -> Self {
        self.concurrent_attempts = most.max(1);
        self
    }

    /// Keeps every stored session fresh, whether it is open here or not: `client` gives the client that refreshes the tokens of a key
    /// ([`SessionKey`](crate::SessionKey) has its parts), `None` for keys that are not this keeper's business. So a process that starts
    /// anew keeps alive what others stored, without listing it: the store is asked for what is due, a few sessions at a time are
    /// opened for their refresh, and nothing of the others is held in memory.
    ///
    /// It is asked whenever a session is due that is not open, on the keeper's own task: it gives a client that is there already,
    /// or makes one without waiting for anything. A key without a client is named once in the log. Sessions that are open are
    /// refreshed by the client that they were opened with. A keeper that works [`on_demand`](Self::on_demand) asks for none.
    pub fn providers(
        mut self,
        client: impl Fn(&SessionKey) -> Option<Arc<dyn Refresh>> + Send + Sync + 'static,
    ) -> Self {
        self.providers = Some(Arc::new(client));
        self
    }

    /// Refreshes only when a caller asks for it, never because it is time: for a program that ends after one question. Tokens
    /// that could not be saved are saved with the next refresh that is asked for, or at [`Keeper::shutdown`]: shut it down before it
    /// is let go of.
    pub fn on_demand(mut self) -> Self {
        self.on_demand = true;
        self
    }

    /// Starts the keeper on the current tokio runtime, whose time has to be enabled (`enable_time` or `enable_all`): the first
    /// use of a clock panics otherwise. Unless it works [`on_demand`](Self::on_demand), it asks the store every 5 s what is due: to find
    /// what other processes left, where the store outlives the process, and for the sessions of [`providers`](Self::providers).
    ///
    /// # Errors
    ///
    /// [`Config`](rampauth_core::ErrorKind::Config) outside a tokio runtime; [`Internal`](rampauth_core::ErrorKind::Internal)
    /// when the system gives no random numbers.
    pub fn spawn(self) -> Result<Keeper, Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(Error::config("start the keeper", "it needs a tokio runtime, and none is running"));
        };
        // Sums of these are times that can be counted.
        let (request, save) = (self.request.min(LONGEST), self.save.min(LONGEST));
        let Pauses { first, longest } = self.floor;
        let floor = Pauses { first: first.min(LONGEST), longest: longest.min(LONGEST) };
        let options = Options { request, save, lease: request + 2 * save, floor, failing_after: self.failing_after };
        let context = Arc::new(KeeperContext {
            store: self.store,
            sealing: RwLock::new(self.sealing.map(Arc::new)),
            accept_unsealed: self.accept_unsealed,
            warned: Once::new(),
            clock: Steady::new(self.clock),
            options,
            owner: OwnerId::from_random(random()?),
            runtime: runtime.clone(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            permits: PermitsByProvider::new(self.concurrent_attempts, runtime),
            remembered: Arc::default(),
            events: broadcast::channel(1_024).0,
        });
        let (registry, schedule) = (Arc::new(Registry::default()), Arc::new(Schedule::new(!self.on_demand)));
        let sessions = Sessions { context, registry, schedule };
        metrics::describe();
        if !self.on_demand {
            wake_and_sweep(&sessions, self.providers);
        }
        Ok(Keeper { sessions })
    }
}

/// Wakes sessions when their time has come, and sweeps, for as long as anything holds the keeper.
fn wake_and_sweep(sessions: &Sessions, providers: Option<Providers>) {
    let Sessions { context, schedule, .. } = sessions.clone();
    let (runtime, closing) = (context.runtime.clone(), context.closing.clone());
    let given = context.clock.is_given();
    let context = Arc::downgrade(&context);
    let now = move || {
        context.upgrade().map(|context| {
            context.clock.beat();
            context.clock.now()
        })
    };
    let sessions = sessions.downgrade();
    runtime.spawn(async move {
        tokio::select! {
            () = schedule.run(given, now, SessionState::look) => {}
            () = sweep(sessions, providers) => {}
            () = closing.cancelled() => {}
        }
    });
}

impl fmt::Debug for KeeperBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeeperBuilder")
            .field("request", &self.request)
            .field("save", &self.save)
            .finish_non_exhaustive()
    }
}
