//! The store: it is read, and its record is replaced where it is still the one that was seen.

use rampauth_keeper::protocol::apply;
use rampauth_keeper::{Answer, Operation, Record};

use crate::flaw::Flaw;
use crate::ids::{OUTDATED, Revision};
use crate::model::KeeperModel;
use crate::replace::{Notes, Replace};
use crate::rule::Rule;
use crate::stored::Stored;
use crate::time;
use crate::world::{Process, World};

/// The version that a run begins with.
pub(crate) const FIRST: Revision = 1;

impl KeeperModel {
    pub(crate) fn flaw(&self, flaw: Flaw) -> bool {
        self.setup.flaw == Some(flaw)
    }

    /// The record as the keeper sees it.
    pub(crate) fn record(&self, world: &World) -> Option<Record> {
        world.record.as_ref().map(|it| it.record(&self.setup, &world.provider))
    }

    /// A step upon what is stored, at this time: its answer, and what it would have the store hold.
    pub(crate) fn run(&self, world: &mut World, operation: Operation, at: u8) -> (Answer, Option<Stored>) {
        let now = time::store(at);
        let mut slot = self.record(world);
        let answer = match self.setup.flaw {
            Some(flaw) => flaw.apply(&mut slot, operation, &now),
            None => apply(&mut slot, operation, &now),
        };
        if !writes(&answer) {
            return (answer, None);
        }
        let after = slot.as_ref().map(Stored::of);
        if let (Some(record), Some(kept), true) = (&slot, &after, self.setup.compared) {
            kept.compare(record, &self.setup, &world.provider);
        }
        // A grant forgets that the token was refused.
        let before = world.record.as_ref().and_then(|record| record.tokens);
        let granted = matches!(answer, Answer::Saved(_) | Answer::Adopted(_));
        let forgotten = after.as_ref().is_none_or(|after| !after.refused || after.tokens == before);
        world.broken.note(Rule::Refusals, granted && !forgotten);
        (answer, after)
    }

    /// A step that is read for, computed and written with nothing between: it would run again on whatever came between.
    pub(crate) fn apply(&self, world: &mut World, operation: Operation) -> Answer {
        let (answer, after) = self.run(world, operation, world.now);
        if let Some(record) = after {
            self.replace(world, Replace { upon: world.revision, record, notes: Notes::default() });
        }
        answer
    }

    /// Writes a record where the one that it was computed upon is still there.
    pub(crate) fn replace(&self, world: &mut World, replace: Replace) {
        let Replace { upon, record: after, notes } = replace;
        if upon != world.revision {
            return;
        }
        // What takes an earlier step back is written even where the record shows nothing of that step.
        let taken_back = self.flaw(Flaw::TakenBackUnwritten) && notes.unsent.is_some();
        if !taken_back || world.record.as_ref() != Some(&after) {
            self.write(world, after);
        }
        self.note(world, notes);
    }

    fn write(&self, world: &mut World, after: Stored) {
        if let Some(before) = &world.record {
            let same_session = before.session == after.session;
            if !same_session || before.generation != after.generation {
                world.perhaps_sent.clear();
            }
            if let (Some(old), Some(new), true) = (before.tokens, after.tokens, same_session) {
                world.broken.note(Rule::StaleOverwrite, world.provider.descends(old.grant, new.grant));
            }
        }
        let before = world.record.replace(after);
        world.copy = before.filter(|_| self.setup.is_restored()).map(|record| (record, world.revision));
        if self.flaw(Flaw::NumbersAlone) {
            world.revision += 1;
        } else {
            self.forget(world, None);
            // Nothing else has a number by now but what the store may come back to.
            let kept = world.copy.as_ref().map(|(_, revision)| *revision);
            world.revision = if kept == Some(FIRST) { FIRST + 1 } else { FIRST };
        }
    }

    /// The store comes back as it was before its last write.
    pub(crate) fn restore(&self, world: &mut World) {
        let Some((record, revision)) = world.copy.take() else { return };
        (world.record, world.revision) = (Some(record), revision);
        if !self.flaw(Flaw::NumbersAlone) {
            self.forget(world, Some(revision));
        }
    }

    /// No two writes have one revision: what was computed upon one that is gone for good will never be written.
    fn forget(&self, world: &mut World, stored: Option<Revision>) {
        let copied = world.copy.as_ref().map(|(_, revision)| *revision);
        let gone = |it: Revision| stored != Some(it) && copied != Some(it);
        for Process { upon, .. } in &mut world.processes {
            *upon = if gone(*upon) { OUTDATED } else { *upon };
        }
        for memory in world.remembered.iter_mut().flatten() {
            memory.revision = if gone(memory.revision) { OUTDATED } else { memory.revision };
        }
        world.late.retain(|late| !gone(late.upon));
    }

    /// Notes what a step means that the store has carried out.
    pub(crate) fn note(&self, world: &mut World, notes: Notes) {
        let Notes { begun, unsent, dead, alive } = notes;
        world.condemned = world.condemned & !alive | dead;
        if let Some(id) = begun.filter(|id| !world.perhaps_sent.contains(id)) {
            world.perhaps_sent.push(id);
        }
        if let Some(id) = unsent {
            world.perhaps_sent.retain(|other| *other != id);
            // Nobody sends it even where its claim is still written.
            for late in world.late.iter_mut().filter(|late| late.notes.begun == Some(id)) {
                late.notes.begun = None;
            }
        }
    }
}

/// Whether a step that answers this has written.
fn writes(answer: &Answer) -> bool {
    matches!(answer, Answer::Saved(_) | Answer::Begun(_) | Answer::Superseded(_) | Answer::Adopted(_) | Answer::Done(_))
}
