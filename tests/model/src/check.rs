//! Runs the checker over one setup and says what it found.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::model::{Action, KeeperModel};
use crate::property::{ALL, MANUAL, REACHED};
use crate::setup::Setup;
use crate::world::World;

/// What one run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many different states there are.
    pub states: usize,
    /// How many steps were taken from them.
    pub steps: usize,
    /// The length of the longest way to a state.
    pub depth: usize,
    /// Each broken property, with the steps that break it.
    pub broken: BTreeMap<&'static str, Vec<Action>>,
    /// What was reached of the places where things can go wrong.
    pub reached: Vec<&'static str>,
}

/// Runs to the end, or until a property is broken. With one thread a run is the same every time.
pub fn check(setup: Setup, threads: usize) -> Report {
    let checker =
        KeeperModel::new(setup).checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut discoveries = checker.discoveries();
    let reached = REACHED.into_iter().chain(MANUAL).filter(|name| discoveries.contains_key(name)).collect();
    let broken = ALL.into_iter().filter_map(|name| Some((name, discoveries.remove(name)?.into_actions()))).collect();
    Report {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        broken,
        reached,
    }
}

/// The states along some steps, for whoever reads a counterexample.
pub fn trace(setup: &Setup, actions: &[Action]) -> String {
    let model = KeeperModel::new(setup.clone());
    let mut world = model.init_states().remove(0);
    let mut text = String::new();
    for action in actions {
        world = model.next_state(&world, *action).expect("the checker took this step");
        let World { now, record, processes, people, .. } = &world;
        let written = writeln!(text, "{action:?}\n    at {now}: {record:?}\n    {processes:?}\n    {people:?}");
        written.expect("text takes everything");
    }
    text
}

/// How many states there are, if no run goes round in circles.
///
/// The checker calls a run ended where no step is left. Only without circles does every run get there.
///
/// # Errors
///
/// The state that a run comes back to.
pub fn no_circle(setup: Setup) -> Result<usize, Box<World>> {
    let model = KeeperModel::new(setup);
    // Whether a state is on the way to the one that is looked at.
    let mut on_the_way = HashMap::new();
    let mut way: Vec<(u64, std::vec::IntoIter<World>)> = Vec::new();
    let mut next = model.init_states().pop();
    loop {
        if let Some(world) = next {
            let name = name(&world);
            match on_the_way.get(&name) {
                Some(true) => return Err(Box::new(world)),
                Some(false) => {}
                None => {
                    on_the_way.insert(name, true);
                    way.push((name, model.next_states(&world).into_iter()));
                }
            }
        }
        let Some((name, rest)) = way.last_mut() else { return Ok(on_the_way.len()) };
        next = rest.next();
        if next.is_none() {
            on_the_way.insert(*name, false);
            way.pop();
        }
    }
}

fn name(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}
