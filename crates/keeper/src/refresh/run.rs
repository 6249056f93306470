//! One refresh, step by step: look, claim, journal, present once, save, tell. Whatever happens on the way, no granted token is
//! let go of and no token is presented twice without need.

use std::sync::Arc;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{AttemptId, AttemptRef, Operation, Record};

use crate::context::{random, unexpected_reply};
use crate::plan::next_step::{self, Need, Opened, Plan};
use crate::refresh::claim::{Claimed, due_after};
use crate::refresh::claim_wait::Wait;
use crate::refresh::error::{ACTION, login_needed};
use crate::state::session::SessionState;

/// How often a record that moves under one's feet is looked at anew before the caller is told.
const LOOKS: u32 = 200;

impl SessionState {
    /// `barred`: the failure that stands in the way of a presentation, where there is one. Then the record is looked at, and
    /// what others brought is adopted.
    pub(crate) async fn refresh(self: &Arc<Self>, need: Need, barred: Option<Error>) -> Result<(), Error> {
        // Tokens that are not saved yet come before anything else.
        self.save_what_is_held().await?;
        let mut wait = Wait::default();
        let mut permit = None;
        let mut moved = 0;
        let remembered = self.flight().take_look();
        // Worth a claim and nothing else: whatever is answered without one needs a look that began after the question.
        let mut remembered = remembered.filter(|look| barred.is_none() && self.may_claim_upon(look, need));
        // What a step has just found instead of what it expected.
        let mut found = None;
        while moved < LOOKS {
            let upon_memory = remembered.is_some();
            let look = match remembered.take() {
                Some(look) => look,
                None => match self.look_and_adopt(found.take(), barred.is_none()).await? {
                    Some(look) => look,
                    None => {
                        moved += 1;
                        continue;
                    }
                },
            };
            let Some(record) = look.record().map(|record| self.by_options(record.clone())) else { continue };
            if let Some(error) = self.held_back(&record, need) {
                return Err(error);
            }
            let until = match (self.next_step(&record, need), &barred) {
                (Plan::Rest | Plan::Wait(_) | Plan::LogIn | Plan::GiveUp, _) if upon_memory => continue,
                (Plan::Rest, _) => return Ok(()),
                (Plan::Wait(time), _) => return self.wait_until(&record, time, need, barred),
                (Plan::LogIn, _) => return Err(login_needed(&record, self.context.clock.wall())),
                (Plan::Present { .. } | Plan::SendManually, Some(error)) => return Err(error.clone()),
                (Plan::GiveUp, _) => {
                    let Record { session, generation, .. } = record;
                    let give_up = Operation::GiveUp { session, generation };
                    let (answer, _) = self.apply_on(&look, give_up).await?;
                    let held = next_step::held_until(&answer, session, generation);
                    self.after_condemning(answer)?;
                    held
                }
                (plan @ (Plan::Present { .. } | Plan::SendManually), None) => {
                    // From before the claim until the tokens are stored. Another process's claim is waited for without it.
                    let urgency = self.urgency(&record, need);
                    let taken = permit.take().or_else(|| self.context.permits.of(&self.key).try_take(urgency));
                    let Some(mut held) = taken else {
                        // The record is looked at anew, for it may have to wait for long.
                        drop((record, look));
                        permit = Some(self.wait_for_permit(urgency).await?);
                        continue;
                    };
                    // The claim's age counts from before the question.
                    let asked = self.context.clock.mark();
                    let attempt = AttemptId::from_random(random()?);
                    let claimed = self.apply_on(&look, self.claim(&record, attempt, plan)).await;
                    match next_step::opened(claimed.as_ref().ok().map(|(answer, _)| answer)) {
                        // The doubt ended between the look and the claim, and settling presents nothing else.
                        Opened::Claimed { record, doubtful: false } if need == Need::Certainty => {
                            let Record { session, generation, next_due, .. } = *record;
                            self.take_back(AttemptRef { id: attempt, session, generation }, next_due).await;
                            None
                        }
                        Opened::Claimed { record, doubtful } => {
                            let after = claimed.as_ref().map_err(Error::clone).map(|(_, after)| after)?;
                            let claimed = Claimed { record, after, attempt, asked, doubtful };
                            let presented = self.present(claimed, &mut held, need).await;
                            drop(held);
                            return presented;
                        }
                        Opened::Wait { until } => Some(until),
                        Opened::LookAgain => {
                            found = claimed.ok().map(|(_, after)| after);
                            None
                        }
                        Opened::TakeBack => {
                            let Record { session, generation, .. } = record;
                            let in_doubt = plan == Plan::Present { settle: true };
                            let due = due_after(&record, in_doubt, self.context.clock.wall());
                            self.take_back(AttemptRef { id: attempt, session, generation }, due).await;
                            return claimed.map(drop);
                        }
                        Opened::Foreign => return Err(unexpected_reply(Outcome::NotSent, ACTION)),
                    }
                }
            };
            match until {
                Some(until) => {
                    let for_now = self.wait_for_claim(&mut wait, until, need == Need::Ahead).await;
                    if let Some(result) = for_now {
                        return result;
                    }
                }
                None => moved += 1,
            }
        }
        let reason = "the record changed each time that it was looked at";
        Err(Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason))
    }
}
