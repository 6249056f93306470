//! The look at the record before anything is sent.

use std::sync::Arc;

use rampauth_core::{Error, ErrorKind, Outcome};

use crate::event::EventKind;
use crate::look::Look;
use crate::plan::next_step::{Need, Plan, Shown};
use crate::refresh::error::ACTION;
use crate::state::session::SessionState;

impl SessionState {
    /// The record as it is now, or as it was just `found`, once what others did to it is seen to. `None` where it was changed on the
    /// way, and is to be looked at again.
    pub(crate) async fn look_and_adopt(
        self: &Arc<Self>,
        found: Option<Look>,
        tells: bool,
    ) -> Result<Option<Look>, Error> {
        let look = match found {
            Some(look) => look,
            None => self.look_at_record().await?,
        };
        let Some(record) = look.record() else {
            let reason = "there is no session under this key yet";
            return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, ACTION, reason));
        };
        if self.restore(record).await? {
            return Ok(None);
        }
        if let Err(error) = self.adopt_newer(record) {
            // Where nobody waits for this refresh, nobody else would tell.
            if tells {
                self.tell(record.generation, EventKind::RefreshFailed(error.clone()));
            }
            return Err(error);
        }
        self.with_rejection(look).await.map(Some)
    }

    /// Whether a record that was seen before is this session's as readers see it, and would be claimed.
    pub(crate) fn may_claim_upon(&self, look: &Look, need: Need) -> bool {
        let Some(record) = look.record() else { return false };
        let shown = self.slot.load().map(|shown| shown.shown());
        let rejected = self.flight().rejected();
        let record = self.by_options(record.clone());
        shown == Some(Shown::of(&record))
            && rejected.is_none_or(|rejected| record.rejected == Some(rejected))
            && self.held_back(&record, need).is_none()
            && matches!(self.next_step(&record, need), Plan::Present { .. } | Plan::SendManually)
    }
}
