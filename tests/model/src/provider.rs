//! The provider: which tokens it has granted, which are live, and what it answers to one that is presented.

use crate::ids::GrantId;
use crate::setup::Kind;
use crate::time::{ACCESS_LIFE, GRACE};

/// One grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The login that it goes back to.
    pub login: u8,
    /// The grant whose token was presented for it; `None` for a login.
    pub from: Option<GrantId>,
    /// When it was granted.
    pub at: u8,
    /// When its token was first exchanged, where that ends it.
    pub spent: Option<u8>,
    /// Revoked, or overtaken by a newer sibling.
    pub revoked: bool,
}

/// The provider's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Provider {
    grants: Vec<Grant>,
}

impl Provider {
    /// What was granted under this name.
    pub fn grant(&self, id: GrantId) -> Grant {
        self.grants[usize::from(id)]
    }

    /// How many grants there are.
    pub fn granted(&self) -> GrantId {
        GrantId::try_from(self.grants.len()).expect("a run is short")
    }

    fn add(&mut self, login: u8, from: Option<GrantId>, at: u8) -> GrantId {
        self.grants.push(Grant { login, from, at, spent: None, revoked: false });
        self.granted() - 1
    }

    /// A login.
    pub fn login(&mut self, login: u8, now: u8) -> GrantId {
        self.add(login, None, now)
    }

    /// The grant that first brought what a refresh of this one presents.
    pub fn presents(&self, kind: Kind, id: GrantId) -> GrantId {
        match (kind, self.grant(id).from) {
            (Kind::Keeps | Kind::KeepsBoth, Some(from)) => self.presents(kind, from),
            _ => id,
        }
    }

    /// Whether `older` was presented, directly or not, for `newer`.
    pub fn descends(&self, newer: GrantId, older: GrantId) -> bool {
        self.grant(newer).from.is_some_and(|from| from == older || self.descends(from, older))
    }

    /// Whether its token would be exchanged now, and not merely answered in a grace.
    pub fn is_live(&self, kind: Kind, id: GrantId, now: u8, presented_life: Option<u8>) -> bool {
        let grant = self.grant(id);
        let expired = match kind {
            Kind::BeforeExpiry => now >= grant.at + ACCESS_LIFE,
            _ => presented_life.is_some_and(|life| now >= self.grant(self.presents(kind, id)).at + life),
        };
        !expired && !grant.revoked && grant.spent.is_none()
    }

    /// Whether its access token has expired.
    pub fn access_is_dead(&self, id: GrantId, now: u8) -> bool {
        now >= self.grant(id).at + ACCESS_LIFE
    }

    /// Presents the token of a grant; `None` when it is refused.
    pub fn present(&mut self, kind: Kind, id: GrantId, now: u8, presented_life: Option<u8>) -> Option<GrantId> {
        let grant = self.grant(id);
        if self.is_live(kind, id, now, presented_life) {
            if kind == Kind::KeepsBoth {
                let latest = (0..self.granted()).rev().find(|other| self.grant(*other).login == grant.login);
                if let Some(latest) = latest.filter(|latest| !self.access_is_dead(*latest, now)) {
                    return Some(latest);
                }
            }
            if !matches!(kind, Kind::Keeps | Kind::KeepsBoth | Kind::BeforeExpiry) {
                self.grants[usize::from(id)].spent = Some(now);
            }
            return Some(self.add(grant.login, Some(id), now));
        }
        match kind {
            Kind::RevokesFamily if grant.spent.is_some() => {
                for other in &mut self.grants {
                    other.revoked |= other.login == grant.login;
                }
                None
            }
            Kind::GraceSame | Kind::GraceNew if grant.spent.is_some_and(|spent| now <= spent + GRACE) => {
                self.again(kind, id, now)
            }
            _ => None,
        }
    }

    /// A spent token inside its grace.
    fn again(&mut self, kind: Kind, id: GrantId, now: u8) -> Option<GrantId> {
        let children: Vec<_> = (0..self.granted()).filter(|child| self.grant(*child).from == Some(id)).collect();
        if children.iter().any(|child| self.grant(*child).spent.is_some()) {
            return None;
        }
        if kind == Kind::GraceSame {
            return children.first().copied();
        }
        for child in children {
            self.grants[usize::from(child)].revoked = true;
        }
        let login = self.grant(id).login;
        Some(self.add(login, Some(id), now))
    }
}
