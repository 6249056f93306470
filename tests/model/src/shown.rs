//! What a process shows its readers: it goes only forwards, by the keeper's own rule.

use rampauth_keeper::next_step::Shown;
use rampauth_keeper::{Answer, Record};

use crate::rule::Rule;
use crate::stored::Stored;
use crate::world::{Presentation, Seen, World};

/// The record that an answer brings.
pub(crate) fn told(answer: &Answer) -> Option<&Record> {
    match answer {
        Answer::Saved(record)
        | Answer::Begun(record)
        | Answer::Doubtful(record)
        | Answer::Superseded(record)
        | Answer::Adopted(record)
        | Answer::Done(record) => Some(record),
        Answer::Moved(record) => record.as_ref(),
        _ => None,
    }
}

pub(crate) fn adopt(world: &mut World, process: usize, record: Option<&Record>) {
    if let Some(record) = record {
        publish(world, process, seen(&Stored::of(record)), Shown::of(record));
    }
}

pub(crate) fn show_unsaved(world: &mut World, process: usize) {
    if let Some((presentation, grant)) = world.processes[process].unsaved() {
        publish(world, process, unsaved(presentation, grant), Shown::unsaved(&presentation.reference()));
    }
}

fn publish(world: &mut World, process: usize, seen: Seen, shown: Shown) {
    debug_assert_eq!(seen.shown(), shown);
    if world.processes[process].shown.is_none_or(|before| shown.replaces(&before.shown())) {
        show(world, process, seen);
    }
}

pub(crate) fn show(world: &mut World, process: usize, seen: Seen) {
    let before = world.processes[process].shown.replace(seen);
    world.broken.note(
        Rule::Readers,
        before.is_some_and(|before| match (before.grant, seen.grant) {
            (Some(_), Some(_)) => seen.generation < before.generation,
            // After a logout only what was put later.
            (None, Some(_)) => seen.generation <= before.generation,
            // A logout ends what was never saved too.
            (_, None) => seen.generation + u8::from(!before.saved) < before.generation,
        }),
    );
}

pub(crate) fn seen(stored: &Stored) -> Seen {
    let Stored { session, generation, .. } = *stored;
    Seen { session, generation, grant: stored.tokens.map(|tokens| tokens.grant), saved: true }
}

pub(crate) fn unsaved(it: Presentation, grant: u8) -> Seen {
    Seen { session: it.session, generation: it.generation + 1, grant: Some(grant), saved: false }
}
